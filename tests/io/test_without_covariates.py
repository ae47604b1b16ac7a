"""Fits that are saved without their covariates predict, and say what they lack."""

import warnings

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.errors import DataError


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(3)
    images, z = rng.integers(0, 256, (30, 6, 6, 1), dtype=np.uint8), rng.normal(size=30)
    data = {"image": images, "z": z, "y": z + images.mean((1, 2, 3)) / 50}
    make = [ns.layers.Conv2D(2, 3, "relu"), ns.layers.GlobalAvgPool()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few epochs
        return data, {
            "arrays": ns.neuralnet("y ~ {image / 255} + z", data, layers=make, algorithm="adam", epochs=2, random_state=1),
            "table": ns.neuralnet("y ~ z", data, hidden=2, algorithm="adam", epochs=2, random_state=1),
            "windows": ns.neuralnet("y ~ lags(z, 3)", data, layers=[ns.layers.SimpleRNN(2)], algorithm="adam", epochs=1,
                                    random_state=1),
        }  # fmt: skip


def _has_covariates(fit):
    try:
        return fit.design.x is not None
    except DataError:
        return False


@pytest.mark.parametrize(("kind", "usual"), [("arrays", False), ("table", True), ("windows", True)])
@pytest.mark.parametrize("asked", [None, True, False])
def test_covariates_are_kept_unless_they_are_images(fitted, tmp_path, kind, usual, asked):
    data, fits = fitted
    fits[kind].save(tmp_path / "a.nst", data=asked)
    again = ns.load(tmp_path / "a.nst")
    assert _has_covariates(again) == (usual if asked is None else asked)
    np.testing.assert_array_equal(again.predict(data), fits[kind].predict(data))
    assert again.nobs == fits[kind].nobs and again.errors == fits[kind].errors
    for name, values in fits[kind].get_weights().items():
        np.testing.assert_array_equal(again.get_weights()[name], values)


def test_what_needs_the_rows_of_the_fit_says_so(fitted, tmp_path):
    data, fits = fitted
    fits["arrays"].save(tmp_path / "a.nst")
    again = ns.load(tmp_path / "a.nst")
    for use in (lambda: again.fittedvalues, again.summary, lambda: again.df("jacobian"), lambda: again.update(epochs=1),
                lambda: again.save(tmp_path / "b.nst", data=True)):  # fmt: skip
        with pytest.raises(DataError, match=r"not saved with it: save\(path, data=True\)"):
            use()
    assert str(again) == repr(again) and "n = 30" in repr(again) and repr(again)[1:9] in again._repr_html_()
    assert dict(again.evaluate(data)) == dict(fits["arrays"].evaluate(data))
    again.save(tmp_path / "b.nst")  # as it is
    twice = ns.load(tmp_path / "b.nst")
    np.testing.assert_array_equal(twice.predict(data), fits["arrays"].predict(data))
    assert twice.saved["data"] == again.saved["data"]


def test_the_file_has_no_images(fitted, tmp_path):
    data, fits = fitted
    sizes = {}
    for keep in (True, False):
        fits["arrays"].save(tmp_path / "a.nst", data=keep)
        sizes[keep] = (tmp_path / "a.nst").stat().st_size
    assert sizes[True] - sizes[False] > 8 * data["image"].size
