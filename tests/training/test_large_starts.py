"""Starts of large networks are looked at in some rows, and are those of a pass through all."""

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.layers import Conv2D, Dense, Flatten
from neuralstat.network import passes
from neuralstat.training import starts


def _start(monkeypatch, pixels, large, **settings):
    """Start weights, and the rows of each pass that they took."""
    monkeypatch.setattr(passes, "LARGE", 0.0 if large else np.inf)
    seen, outputs = [], starts.derivatives.outputs

    def counted(network, x, theta, offset=None):
        seen.append(x.shape[1])
        return outputs(network, x, theta, offset)

    with monkeypatch.context() as patch:
        patch.setattr(starts.derivatives, "outputs", counted)
        data = {"kind": np.arange(len(pixels)) % 2, "pixels": pixels}
        layers = [Conv2D(3, 2, "relu"), Flatten(), Dense(4, "relu")]
        fit = ns.neuralnet("kind ~ pixels", data, layers=layers, family="binomial", algorithm="adam", epochs=0,
                           random_state=3, standardize=False, **settings)  # fmt: skip
    return fit.fitted.theta, seen


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["moderate", "all large", "one large", "one of two nets", "few", "uint8"])
def test_starts_are_those_of_a_pass_through_all_rows(kind, monkeypatch):
    rng = np.random.default_rng(1)
    pixels = rng.uniform(-1, 1, (200 if kind != "few" else 10, 5, 5, 2))
    settings = {"rep": 2} if kind == "one of two nets" else {}
    if kind == "uint8":
        pixels = rng.integers(0, 5, pixels.shape, dtype=np.uint8)
    elif kind == "one large":
        pixels[77] *= 1e4
    elif kind not in ("moderate", "few"):
        pixels *= 1e3 if kind == "all large" else 30
    (found, looked), (want, all_rows) = (_start(monkeypatch, pixels, large, **settings) for large in (True, False))
    np.testing.assert_allclose(found, want, rtol=1e-13)
    assert all_rows == [len(pixels)]
    if kind in ("moderate", "few", "uint8"):
        assert sum(looked) <= 2 * starts.SEEN < 200  # no pass through all
    else:
        assert looked[-1] == len(pixels)
