"""ONNX models: what onnxruntime computes is what `predict` says, layer by layer, family by family."""

from __future__ import annotations

import json
import re
import sys

import naive
import numpy as np
import pandas as pd
import pytest
from chains import CHAINS, MIXED, chain_network, draw
from raw import CUT_SHORT
from written import bare

import neuralstat as ns
from neuralstat import export
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, DataError
from neuralstat.functions.activations import ACTIVATIONS
from neuralstat.layers import LAYERS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx.reference")
pytestmark = [CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")]

SINGLE, DOUBLE = 1e-6, 1e-10  # of the largest prediction, at least 1
# What onnxruntime does not compute in double precision; the files are right, as the reference evaluator says.
NOT_IN_DOUBLE = ("Conv", "LSTM", "GRU", "RNN", "AveragePool", "Erf")


def as_single(values):
    """Numbers that single precision has."""
    return np.asarray(values, np.float32).astype(float)


def table(n=100, seed=1):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": as_single(rng.normal(size=n)), "z": as_single(1e4 + 10 * rng.normal(size=n)),
                         "w": as_single(rng.normal(size=n)), "e": as_single(rng.uniform(1, 2, n)),
                         "g": rng.choice(list("abc"), n)})  # fmt: skip
    return data.assign(count=rng.poisson(np.exp(0.3 * data["x"]) * data["e"]), y=data["x"] + 0.1 * rng.normal(size=n),
                       b=(rng.uniform(size=n) < 0.5).astype(int))  # fmt: skip


def run(path, fed, dtype):
    inputs = {name: values if values.dtype == np.int64 else values.astype(dtype) for name, values in fed.items()}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, inputs)
    assert y.dtype == dtype
    return y


def matrix(predicted):
    values = np.asarray(predicted)
    return values.reshape(len(values), -1)


def assert_same(fit, path, new=None, rep="mean", tolerance=SINGLE, dtype="float32", offset=None):
    fit.to_onnx(path, rep=rep, dtype=dtype)
    expected = matrix(fit.predict(new, rep=rep, offset=offset))
    got = run(path, fit.model_inputs(new, offset=offset), dtype)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


def start_of(layers, shape, seed=0, **more):
    """A network of start weights, with moving averages that do something."""
    rng = np.random.default_rng(seed)
    x = as_single(3 * rng.normal(size=(30, *shape)) + 1)
    if layers and isinstance(layers[0], L.Embedding):
        x = rng.integers(0, layers[0].input_dim, x.shape).astype(float)
    data = {"x": x, "y": rng.normal(size=30)}
    batch = any(isinstance(layer, L.BatchNorm) for layer in layers)
    return ns.neuralnet("y ~ x", data, layers=list(layers), algorithm="adam", epochs=3 if batch else 0, rep=1,
                        random_state=seed, **more)  # fmt: skip


CASES = [(kind, chain) for kind in CHAINS for chain in CHAINS[kind]] + [("all kinds", MIXED)]
UNKNOWN = ("Masking",)  # layers that have no counterpart yet
IN_SOME = {**dict.fromkeys(("LSTM", "GRU", "MultiHeadAttention", "PositionEmbedding", "Multiply", "Maximum", "Minimum",
                              "SimpleRNN", "Embedding", "Bidirectional"), "masked|with other activations"),
           **dict.fromkeys(("Concatenate", "TimeDistributed"), "masked")}  # fmt: skip


def test_every_layer_is_asked_for():
    assert {kind for kind, _ in CASES} >= set(LAYERS)


@pytest.mark.parametrize(("kind", "chain"), CASES, ids=[f"{kind}{k}" for k, (kind, _) in enumerate(CASES)])
def test_layers(kind, chain, tmp_path):
    """Every layer against plain formulas, with weights that are drawn."""
    network, path = chain_network(chain), tmp_path / "m.onnx"
    theta, x, _ = draw(network, 7)
    fitted = bare(network, theta)
    try:
        export.to_onnx(fitted, path)
    except ArgumentError as error:
        assert kind in UNKNOWN or re.search(IN_SOME.get(kind, "never"), str(error)), error
        return
    assert kind not in UNKNOWN
    single = as_single(x) if x.dtype.kind == "f" else x
    expected = naive.outputs(network.layers, naive.split(theta[0], network.shapes), single, wires=network.wires)
    name = export.walk.inputs_of(fitted)[0]
    fed = {name.name: single.astype(np.int64) if name.codes else single}
    most = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(run(path, fed, "float32"), expected, rtol=0, atol=2 * SINGLE * most)
    export.to_onnx(fitted, path, dtype="float64")
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    if not kinds & set(NOT_IN_DOUBLE):
        np.testing.assert_allclose(run(path, fed, "float64"), expected, rtol=0, atol=DOUBLE * most)
    elif "Pool" not in " ".join(kinds):  # windows at borders are beyond the evaluator
        (got,) = onnx.reference.ReferenceEvaluator(str(path)).run(None, fed)
        np.testing.assert_allclose(got, expected, rtol=0, atol=DOUBLE * most)


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name not in ("identity", "softmax")])
def test_activations(activation, tmp_path):
    fit = start_of([L.Dense(4, activation)], (3,), standardize=True)
    assert_same(fit, tmp_path / "m.onnx")
    if activation != "gelu":
        assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchy"])
def test_links_of_probabilities(link, tmp_path):
    fit = ns.neuralnet("b ~ z + g", table(), hidden=2, family=ns.families.Binomial(link), rep=1, random_state=1, stepmax=30)
    assert_same(fit, tmp_path / "m.onnx", tolerance=5e-6)
    if link not in ("probit", "cauchy"):  # Erf and Atan
        assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


@pytest.mark.parametrize("link", ["identity", "sqrt", "inverse_power", "inverse_squared", "log"])
def test_links_of_amounts(link, tmp_path):
    family = ns.families.Gamma(link)
    fit = ns.neuralnet("e ~ 1 + x", table(), hidden=0, family=family, rep=1, random_state=1, standardize=False)
    assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


def test_factors_transformations_and_repetitions(tmp_path):
    data = table()
    fit = ns.neuralnet("y ~ poly(x, 2) + C(g) * z", data, hidden=[3, 2], rep=3, random_state=1, stepmax=200)
    for rep in ("mean", "best", 2):
        assert_same(fit, tmp_path / "m.onnx", data.iloc[::-7], rep, DOUBLE, "float64")
    assert fit.model_inputs(data.head(4))["x"].shape == (4, len(fit.design.x_names))
    props = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(props["inputs"]) == {"x": list(fit.design.x_names)}
    assert json.loads(props["outputs"]) == ["y"] and props["formula"] == fit.formula


def test_classes_and_their_names(tmp_path):
    iris = ns.datasets.iris()
    fit = ns.neuralnet("Species ~ .", iris, hidden=2, rep=1, random_state=1, stepmax=100)
    assert_same(fit, tmp_path / "m.onnx", iris.head(20), tolerance=DOUBLE, dtype="float64")
    props = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(props["outputs"]) == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("formula", ["count ~ x + g + offset(log(e))", "y ~ x + offset(e)"])
def test_offsets(formula, tmp_path):
    family = "poisson" if formula.startswith("count") else None
    more = {} if family is None else {"family": family}
    fit = ns.neuralnet(formula, table(), hidden=2, rep=2, random_state=1, stepmax=100, **more)
    assert "offset" in fit.model_inputs()
    assert_same(fit, tmp_path / "m.onnx", table(20, 3), tolerance=DOUBLE, dtype="float64")


def test_an_offset_given_as_an_array(tmp_path):
    data = table()
    fit = ns.neuralnet("count ~ x", data, hidden=2, rep=1, random_state=1, family="poisson", offset=np.log(data["e"]),
                       stepmax=100)  # fmt: skip
    new = table(20, 3)
    assert_same(fit, tmp_path / "m.onnx", new, tolerance=DOUBLE, dtype="float64", offset=np.log(new["e"]).to_numpy())


def test_structured_formulas(tmp_path):
    data = table()
    fit = ns.neuralnet("y ~ s(x) + (1 | g) + nn(w, z) + e", data, hidden=2, rep=1, random_state=1)
    fed = fit.model_inputs(data.head(6))
    assert set(fed) == {"nn_w_z", "codes_g", "direct"} and fed["codes_g"].dtype == np.int64
    assert_same(fit, tmp_path / "m.onnx", data.head(30))
    assert_same(fit, tmp_path / "m.onnx", data.head(30), tolerance=DOUBLE, dtype="float64")
    gap = data.head(6).assign(x=[np.nan, *data["x"][1:6]])
    with pytest.raises(DataError, match="'codes_g' has codes, and 1 row"):
        fit.model_inputs(gap)


def test_images_beside_a_table(tmp_path):
    rng = np.random.default_rng(1)
    data = {"image": as_single(rng.normal(size=(40, 6, 5, 1))), "a": as_single(rng.normal(size=40)),
            "f": rng.choice(list("uv"), 40), "y": rng.choice(list("pqr"), 40)}  # fmt: skip
    layers = [L.Conv2D(3, 2, "relu"), L.Flatten(), L.Dense(4, "elu"), L.Activation("leaky_relu")]
    fit = ns.neuralnet("y ~ image + a + f", data, layers=layers, family="multinomial", algorithm="adam", epochs=1,
                       random_state=1, rep=1)  # fmt: skip
    fed = fit.model_inputs()
    assert fed["image"].shape == (40, 6, 5, 1) and fed["x"].shape == (40, 2)
    assert_same(fit, tmp_path / "m.onnx")


def test_windows_of_a_series(tmp_path):
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"flow": as_single(1000 + np.cumsum(rng.normal(size=80)))})
    fit = ns.neuralnet("leads(flow, 2) ~ lags(flow, 5)", data, layers=[L.LSTM(3)], algorithm="adam", epochs=1,
                       random_state=1, standardize=True, rep=1)  # fmt: skip
    known = fit.predict().notna().all(axis=1).to_numpy()
    assert known.sum() == 74
    fit.to_onnx(tmp_path / "m.onnx")
    got = run(tmp_path / "m.onnx", {name: values[known] for name, values in fit.model_inputs().items()}, "float32")
    np.testing.assert_allclose(got, fit.predict()[known], rtol=SINGLE)


@pytest.mark.parametrize("family", ["student", "laplace", "multivariate_normal", "gaussian"])
def test_distributions_whose_mean_is_a_parameter(family, tmp_path):
    formula = "x + w ~ e + g" if family == "multivariate_normal" else "y ~ x + e"
    more = {"dispformula": "~ x"} if family == "gaussian" else {}
    fit = ns.neuralnet(formula, table(), hidden=1, family=family, rep=1, random_state=1, stepmax=60, **more)
    assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


def test_several_responses(tmp_path):
    fit = ns.neuralnet("y + z ~ x + w", table(), hidden=2, rep=1, random_state=1, stepmax=60)
    assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


def test_compat_r_and_skip(tmp_path):
    fit = ns.neuralnet("b ~ x + w", table(), hidden=2, rep=1, random_state=1, linear_output=False, compat="R",
                       threshold=1.0)  # fmt: skip
    assert_same(fit, tmp_path / "m.onnx", tolerance=DOUBLE, dtype="float64")


def test_large_covariates_are_centred_in_double_precision(tmp_path):
    """In single precision x - mean is off by a part in ten of x's spread here; the graph reads x in single precision."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": as_single(2.0**22 + rng.integers(0, 20, 60)), "y": rng.normal(size=60)})
    fit = ns.neuralnet("y ~ x", data, hidden=2, rep=1, random_state=1, stepmax=50)
    assert float(np.float32(fit.design.scaling.x_mean[0])) != fit.design.scaling.x_mean[0]
    assert_same(fit, tmp_path / "m.onnx")


def test_missing_values_give_nan(tmp_path):
    fit = ns.neuralnet("y ~ x + w", table(), hidden=2, rep=1, random_state=1, stepmax=30)
    new = table(5).assign(x=[np.nan, 1, 2, 3, 4])
    fit.to_onnx(tmp_path / "m.onnx")
    got = run(tmp_path / "m.onnx", fit.model_inputs(new), "float32")
    assert np.isnan(got[0, 0]) and np.isfinite(got[1:]).all()


# what is refused ---------------------------------------------------------------------------------------------


def test_functions_of_the_user_are_refused_by_name(tmp_path):
    fit = ns.neuralnet("y ~ x", table(), hidden=2, rep=1, random_state=1, act_fct=lambda z: z / (1 + abs(z)), stepmax=20)
    with pytest.raises(ArgumentError, match="layer 'dense' has an activation of your own"):
        fit.to_onnx(tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_means_that_no_parameter_is_are_refused_by_name(tmp_path):
    fit = ns.neuralnet("e ~ x", table(), hidden=0, family="lognormal", rep=1, random_state=1)
    with pytest.raises(ArgumentError, match=r"family 'lognormal'.*cannot be exported"):
        fit.to_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize(("given", "said"), [({"dtype": "float16"}, "dtype must be"), ({"rep": 7}, "rep must be"),
                                             ({"rep": "all"}, "rep must be")])  # fmt: skip
def test_arguments(given, said, tmp_path):
    fit = ns.neuralnet("y ~ x", table(), hidden=1, rep=1, random_state=1, stepmax=20)
    with pytest.raises(ArgumentError, match=said):
        fit.to_onnx(tmp_path / "m.onnx", **given)
    with pytest.raises(FileNotFoundError, match="no folder"):
        fit.to_onnx(tmp_path / "none" / "m.onnx")


def test_without_onnx(monkeypatch, tmp_path):
    fit = ns.neuralnet("y ~ x", table(), hidden=1, rep=1, random_state=1, stepmax=20)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ArgumentError, match=r"neuralstat\[onnx\]"):
        fit.to_onnx(tmp_path / "m.onnx")


def test_equal_fits_give_equal_files(tmp_path):
    for name in ("a", "b"):
        ns.neuralnet("y ~ x", table(), hidden=2, rep=2, random_state=1, stepmax=20).to_onnx(tmp_path / f"{name}.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_fit_from_a_file(tmp_path):
    fit = ns.neuralnet("y ~ x + g", table(), hidden=2, rep=2, random_state=1, stepmax=30)
    fit.save(tmp_path / "fit.nst", data=False)
    assert_same(ns.load(tmp_path / "fit.nst"), tmp_path / "m.onnx", table(9, 2))


def test_inputs_that_are_called_as_the_output_or_as_parts_of_the_graph(tmp_path):
    """Arrays named y, kernel_2, gather_3, ...: every name of a tensor is its own, and predictions are the fit's."""
    rng = np.random.default_rng(1)
    for name in ("y", "offset", "kernel_1", "constant_1", "matmul_3", "relu_5", "reshape_1"):
        data = {"out": rng.normal(size=6), name: as_single(rng.normal(size=(6, 4, 3)))}
        fit = ns.neuralnet(f"out ~ {name}", data, layers=[L.Conv1D(2, 2, "relu"), L.Flatten(), L.Dense(2, "relu")], rep=1,
                           algorithm="adam", epochs=0, random_state=1)  # fmt: skip
        fed = fit.model_inputs()
        assert list(fed) == [name if name not in ("y", "offset") else f"{name}_1"]
        fit.to_onnx(tmp_path / "m.onnx")
        model = onnx.load(tmp_path / "m.onnx")
        names = [*fed, *(t.name for t in model.graph.initializer), *(o for node in model.graph.node for o in node.output)]
        assert len(set(names)) == len(names)
        np.testing.assert_allclose(run(tmp_path / "m.onnx", fed, np.float32)[:, 0], fit.predict(), atol=1e-5)
