"""What CONTRIBUTING says of adding something: its files and codes are those of the package, its kernels right."""

from __future__ import annotations

import re

import numpy as np
import pytest
from places import ROOT
from scipy import stats

CONTRIBUTING, PACKAGE = ROOT / "CONTRIBUTING.md", ROOT / "neuralstat"
STEP = 1e-20
pytestmark = pytest.mark.skipif(not CONTRIBUTING.exists(), reason="needs the repository")


def text():
    return CONTRIBUTING.read_text(encoding="utf-8")


def blocks():
    return re.findall(r"(?ms)^```python\n(.*?)^```$", text())


def test_files_of_the_table_exist():
    rows = re.findall(r"(?m)^\| .* \| [^|]*\(\d+\) \| (.*) \|$", text())
    missing = []
    for row in rows:
        folder = ""
        for name in re.findall(r"`([^`]+)`", re.sub(r"its (line in the docstring|own)[^,;]*", "", row)):
            if name.endswith("/"):
                folder = name
                continue
            if not re.fullmatch(r"[a-z_/*]+(\.py)?(\.[A-Za-z_]+)?", name):
                continue  # what is written there
            path = re.sub(r"\.(?!py$)\w+$", "", name).removesuffix(".py") + ".py"
            if not any(list(PACKAGE.glob(place + path)) for place in ({folder, ""} if "/" not in path else {""})):
                missing.append(f"{name} of {row}")
    assert len(rows) > 10 and not missing


@pytest.mark.parametrize(("file", "new"), [("layers/codes", "SCALE"), ("functions/rare_activations", "ISRU"),
                                           ("functions/distributions", "LOGISTIC")])  # fmt: skip
def test_new_codes_come_after_the_last(file, new):
    (last, ends), = re.findall(rf"`\.\.\., (\w+), {new} = range\(([\d, ]+)\)`", text())
    source = (PACKAGE / f"{file}.py").read_text(encoding="utf-8")
    (found,) = re.findall(rf"(?m)\b{last}\)? = range\(([\d, ]+)\)", source)
    first, end = ([0, *map(int, found.split(","))])[-2:]
    assert ([0, *map(int, ends.split(","))])[-2:] == [first, end + 1]
    assert not re.search(rf"\b{new}\b", source)


def test_what_is_named_is_there():
    named = {
        "engine/cuda/rare_layers": ("rare_forward", "rare_backward", "rare_gradient"),
        "network/upstream": ("_SAME_IN_TRAINING",),
        "engine/cuda/batches/special": ("prelu_back", "prelu_gradient"), "engine/cuda/batches/program": ("SPECIAL",),
        "export/walk": ("NAMES",), "export/onnx_graph": ("_LAYERS",), "export/keras_graph": ("_LAYERS",),
        "functions/distributions": ("DENSITIES", "sum_distribution", "_two"), "families/resolve": ("DISTRIBUTIONS",),
        "df/registry": ("OPTIONS",), "inference/diagnose": ("CHECKS",), "export/onnx_functions": ("ACTIVATIONS",),
    }  # fmt: skip
    for file, names in named.items():
        source = (PACKAGE / f"{file}.py").read_text(encoding="utf-8")
        assert all(re.search(rf"\b{name}\b", source) for name in names), file


def kernel(name):
    """A kernel of the page as a Python function."""
    (block,) = [block for block in blocks() if f"def {name}(" in block]
    code = re.sub(r"(?m)^@jit.*$", "", block.split("\n\n    ")[0])
    names = {
        "Any": object, "exp_wide_": np.exp, "softplus": lambda x: np.log(1 + np.exp(x)),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }  # fmt: skip
    exec(code, names)
    return names[name]


@pytest.mark.parametrize(("mu", "b", "y"), [(1.0, 0.3, 4.0), (2.0, -1.0, -3.0), (0.0, 0.0, 0.0)])
def test_the_family_is_the_logistic_distribution(mu, b, y):
    logistic = kernel("logistic")
    value, by_mu, by_b = logistic(mu, b, y, 0.0)
    assert value == pytest.approx(-stats.logistic.logpdf(y, mu, np.exp(b)), abs=1e-12)
    assert by_mu == pytest.approx(np.imag(logistic(mu + 1j * STEP, b, y, 0.0)[0]) / STEP, abs=1e-12)
    assert by_b == pytest.approx(np.imag(logistic(mu, b + 1j * STEP, y, 0.0)[0]) / STEP, abs=1e-12)


def test_the_activation_has_its_slope():
    isru = kernel("isru")
    for z in (-3.0, 0.2, 5.0):
        value, slope = isru(z, 2.0)
        assert value == pytest.approx(z / np.sqrt(1 + 2 * z * z))
        assert slope == pytest.approx(np.imag(isru(z + 1j * STEP, 2.0)[0]) / STEP)


def test_the_layer_multiplies_channels():
    (block,) = [block for block in blocks() if "def scale_forward(" in block]
    columns = {name: k for k, name in enumerate(("PARAM", "SOURCE", "TARGET", "N_OUT", "CHANNELS"))}
    names = {"Any": object, **columns}
    exec(re.sub(r"(?m)^@jit.*$", "", block), names)
    row, theta = np.array([1, 0, 4, 4, 2]), np.array([9.0, 2.0, 3.0])
    value, delta, grad = np.zeros((8, 5)), np.zeros((8, 5)), np.zeros(3)
    value[:4], delta[4:] = np.random.default_rng(1).random((2, 4, 5))
    for lane in range(2):
        names["scale_forward"](row, theta, value, lane, 5, 2)
        names["scale_gradient"](row, value, delta, grad, lane, 5, 2)
    weights = np.tile(theta[1:], 2)[:, None]
    np.testing.assert_allclose(value[4:], weights * value[:4])
    np.testing.assert_allclose(grad, [0, *(value[:4] * delta[4:]).sum(axis=1).reshape(2, 2).sum(axis=0)])
