"""Arrays become inputs without copies that nobody needs, without loss, and without a share in users' memory."""

import time
import tracemalloc

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.formula.tensors import element_names


def _model(formula, x, **more):
    y = np.arange(len(x)) % 3 / 2
    return ns.NeuralNet.from_formula(formula, {"x": x, "y": y, **more}, layers=[ns.layers.Flatten()], algorithm="adam")


def _pixels(n=7, shape=(3, 2, 2), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 1, 3)])
def test_names_of_elements_run_as_indices_do(shape):
    want = [f"v[{','.join(map(str, at))}]" for at in np.ndindex(*shape)]
    assert element_names("v", shape) == tuple(want)


EXPRESSIONS = ["x - 128", "x * 100", "-x", "(x - 128) / 128", "x ** 2", "log1p(x)", "x - x.mean()", "x // 7"]


@pytest.mark.parametrize("expr", EXPRESSIONS)
@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "uint32", "int64", "bool", "float32", "float64"])
def test_arithmetic_is_that_of_numbers_without_wrapping_around(expr, kind):
    if kind == "bool" and ("-x" in expr):
        pytest.skip("numpy has no minus of flags")
    x = (_pixels() // 3).astype(kind) if kind != "bool" else _pixels() > 99
    wide = x.astype(float) if kind in ("float32", "float64") else x.astype(np.int64) if kind != "bool" else x
    want = eval(expr, {"x": wide if kind != "float32" else x, "log1p": np.log1p})
    design = _model(f"y ~ {{{expr}}}", x).design
    np.testing.assert_array_equal(design.x.T.reshape(x.shape), want)
    again = design.encode({"x": x[::-1]}).x.T.reshape(x.shape)[::-1]
    np.testing.assert_allclose(again, want, rtol=1e-6 if "mean" in expr else 0)  # a mean runs the other way


def test_parts_of_many_rows_are_the_whole(monkeypatch):
    x = _pixels(50)
    whole = _model("y ~ {x / 255}", x).design
    monkeypatch.setattr("neuralstat.formula.arrays.PART", 30)  # two rows at a time
    parts = _model("y ~ {x / 255}", x).design
    np.testing.assert_array_equal(parts.x, whole.x)
    np.testing.assert_array_equal(parts.x, (x / 255).reshape(50, -1).T)


def test_numbers_of_the_context_and_functions_are_known():
    x = _pixels()
    design = ns.NeuralNet.from_formula(
        "y ~ {log1p(x) / half}", {"x": x, "y": np.arange(7.0)}, layers=[ns.layers.Flatten()], algorithm="adam",
        context={"half": 127.5},
    ).design  # fmt: skip
    np.testing.assert_array_equal(design.x.T.reshape(x.shape), np.log1p(x.astype(np.int64)) / 127.5)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ {x / 255}", "y ~ x + z", "y ~ x + {x / 2}"])
@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_the_design_has_no_share_in_the_users_array(formula, layout, kind):
    x, z = np.asarray(_pixels(9), kind, order=layout), np.arange(9.0)
    design = _model(formula, x, z=z).design
    before, kept = design.x.copy(), {name: np.array(design.frame[name].array) for name in ("x",) if name in design.frame}
    x[:] = 1
    np.testing.assert_array_equal(design.x, before)
    for name, values in kept.items():
        np.testing.assert_array_equal(np.array(design.frame[name].array), values)
    np.testing.assert_array_equal(design.encode(design.frame).x, before)


def test_new_inputs_are_not_those_of_the_fit():
    design = _model("y ~ {x / 255}", _pixels()).design
    new = design.encode(design.frame).x
    assert not np.shares_memory(new, design.x)
    np.testing.assert_array_equal(new, design.x)


def test_rows_with_gaps_are_dropped_and_stay_in_step():
    x = _pixels(8).astype(float)
    x[2, 0, 0, 0] = np.nan
    design = _model("y ~ {x / 255}", x).design
    np.testing.assert_array_equal(design.x, (np.delete(x, 2, 0) / 255).reshape(7, -1).T)
    new = design.encode({"x": x})
    assert new.complete.tolist() == [True] * 2 + [False] + [True] * 5 and np.isnan(new.x[:, 2]).all()


@pytest.mark.parametrize(
    ("formula", "kind", "most"), [("y ~ x", "uint8", 10), ("y ~ {x / 255}", "uint8", 10), ("y ~ x", "float32", 2.5)]
)
def test_one_array_of_floats_is_made_of_images(formula, kind, most):
    x = _pixels(1000, (24, 24, 3)).astype(kind)
    _model(formula, x[:4])
    tracemalloc.start()
    design = _model(formula, x).design
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < most * x.nbytes
    assert np.shares_memory(design.frame[design.frame.columns[0]].array.values, design.x)


def test_large_images_cost_what_their_numbers_do():
    x = np.zeros((2, 224, 224, 3), np.uint8)
    x[1] = 255
    began = time.perf_counter()
    design = _model("y ~ {x / 255}", x).design
    assert time.perf_counter() - began < 10  # minutes where names are compared with names
    assert design.x_names[-1] == "x / 255[223,223,2]" and len(design.x_names) == 224 * 224 * 3
