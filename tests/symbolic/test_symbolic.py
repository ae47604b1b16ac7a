"""Custom activations and errors: values and derivatives against mpmath, compiled and uncompiled."""

import functools
import itertools
import json
import math
import os
import pickle
import subprocess
import sys
from math import exp as exponential

import mpmath
import numba
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT

from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.jit.call import call_activation, call_loss
from neuralstat.symbolic import programs
from neuralstat.symbolic.accuracy import high_precision
from neuralstat.symbolic.custom import Activation, Loss
from neuralstat.symbolic.derive import compile_scalar, differentiate, trace

# ruff: noqa: F821, E501 (undefined names are part of what is tested)

GRID = (-3.7, -1.0, -0.3, -1e-3, 1e-8, 0.2, 0.5, 0.9, 1.0, 2.5, 7.0)
LARGE = (-800.0, -400.0, -37.0, 37.0, 400.0, 800.0)


@numba.njit(nogil=True)
def run_activation(address, z):
    return call_activation(address, z)


@numba.njit(nogil=True)
def run_loss(address, x, y):
    return call_loss(address, x, y)


def scaled(x, by=2.0):
    return math.sinh(by * x) / by


class Power:
    def __init__(self, p):
        self.p = p

    def __call__(self, x):
        return np.abs(x) ** self.p


def nested(x):
    def inner(u):
        return math.exp(-u * u)

    return inner(x) + scaled(x)


def factory(a):
    helper = math.log1p
    return lambda x: helper(a * x * x)


# name: (function, the same in mpmath, points to skip)
ACTIVATIONS = {
    # the R reference's
    "softplus": (lambda x: log(1 + exp(x)), lambda x: mpmath.log(1 + mpmath.exp(x))),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: x / (1 + abs(x))),
    "gauss": (lambda x: exp(-(x**2)), lambda x: mpmath.exp(-(x**2))),
    "cloglog": (lambda x: 1 - exp(-exp(x)), lambda x: 1 - mpmath.exp(-mpmath.exp(x))),
    "logistic_custom": (lambda x: 1 / (1 + exp(-x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "exp_out": (lambda x: exp(x), mpmath.exp),
    # ways to write
    "ratio": (lambda x: math.exp(x) / (1 + math.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "imported": (lambda x: x / (1 + exponential(-x)), lambda x: x / (1 + mpmath.exp(-x))),
    "tanh_by_hand": (lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), mpmath.tanh),
    "tanh_by_squares": (lambda x: (exp(2 * x) - 1) / (exp(2 * x) + 1), mpmath.tanh),
    "sech": (lambda x: 1 / (exp(x) + exp(-x)), lambda x: mpmath.sech(x) / 2),
    "tanh_of_logistic": (lambda x: 2 / (1 + exp(-2 * x)) - 1, mpmath.tanh),
    "root": (lambda x: x / np.sqrt(1 + x * x), lambda x: x / mpmath.sqrt(1 + x * x)),
    "mish": (
        lambda x: x * np.tanh(np.log1p(np.exp(x))),
        lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    ),
    "gelu": (lambda x: 0.5 * x * (1 + scipy.special.erf(x / 2)), lambda x: x * (1 + mpmath.erf(x / 2)) / 2),
    "gelu_math": (lambda x: 0.5 * x * (1 + math.erf(x / 2)), lambda x: x * (1 + mpmath.erf(x / 2)) / 2),
    "ndtr": (scipy.special.ndtr, mpmath.ncdf),
    "expit": (scipy.special.expit, lambda x: 1 / (1 + mpmath.exp(-x))),
    "np_tanh": (np.tanh, mpmath.tanh),
    "math_tanh": (math.tanh, mpmath.tanh),
    "nested": (nested, lambda x: mpmath.exp(-x * x) + mpmath.sinh(2 * x) / 2),
    "default": (scaled, lambda x: mpmath.sinh(2 * x) / 2),
    "partial": (functools.partial(scaled, by=0.5), lambda x: mpmath.sinh(x / 2) * 2),
    "closure": (factory(np.float64(0.3)), lambda x: mpmath.log(1 + mpmath.mpf(0.3) * x * x)),
    "object": (Power(3.0), lambda x: abs(x) ** 3),
    "method": (Power(3).__call__, lambda x: abs(x) ** 3),
    "compiled": (numba.njit(lambda x: np.arctan(x) * 2), lambda x: 2 * mpmath.atan(x)),
    # functions
    "sin": (lambda x: np.sin(x) + np.cos(2 * x), lambda x: mpmath.sin(x) + mpmath.cos(2 * x)),
    "arctan": (lambda x: math.atan(x), mpmath.atan),
    "arcsinh": (lambda x: np.arcsinh(x), mpmath.asinh),
    "sqrt": (lambda x: np.sqrt(1 + np.square(x)), lambda x: mpmath.sqrt(1 + x * x)),
    "expm1": (lambda x: np.expm1(-x), lambda x: mpmath.expm1(-x)),
    "cosh": (lambda x: np.cosh(x), mpmath.cosh),
    "logcosh": (lambda x: np.log(np.cosh(x)), lambda x: mpmath.log(mpmath.cosh(x))),
    "logaddexp": (lambda x: np.logaddexp(x, 1 - x), lambda x: mpmath.log(mpmath.exp(x) + mpmath.exp(1 - x))),
    "power": (lambda x: np.power(x * x + 1, 0.3), lambda x: (x * x + 1) ** mpmath.mpf(0.3)),
    "exp2": (lambda x: 2**-x, lambda x: mpmath.mpf(2) ** -x),
    "third": (lambda x: x**3 / 3, lambda x: x**3 / 3),
    "log10": (lambda x: np.log10(1 + x * x), lambda x: mpmath.log(1 + x * x, 10)),
    "hypot": (lambda x: np.hypot(x, 2.0), lambda x: mpmath.sqrt(x * x + 4)),
    # kinks (none of the grid's points but those that are named in KINKS)
    "relu": (lambda x: x * (x > 0), lambda x: x if x > 0 else x * 0),
    "relu_turned": (lambda x: (x > 0) * x, lambda x: x if x > 0 else x * 0),
    "relu_where": (lambda x: np.where(x > 0, x, 0), lambda x: x if x > 0 else x * 0),
    "relu_if": (lambda x: x if x > 0 else 0, lambda x: x if x > 0 else x * 0),
    "relu_max": (lambda x: max(0, x), lambda x: x if x > 0 else x * 0),
    "relu_maximum": (lambda x: np.maximum(0, x), lambda x: x if x > 0 else x * 0),
    "relu_pmax": (lambda x: pmax(x, 0), lambda x: x if x > 0 else x * 0),
    "elu": (lambda x: x if x > 0 else 1.5 * (exp(x) - 1), lambda x: x if x > 0 else 1.5 * mpmath.expm1(x)),
    "leaky": (lambda x: np.where(x >= 0, x, 0.01 * x), lambda x: x if x >= 0 else mpmath.mpf(0.01) * x),
    "relu_smooth": (
        lambda x: min(max(x, 0), 6) ** 2,
        lambda x: min(max(x, mpmath.mpf(0)), mpmath.mpf(6)) ** 2,
    ),
    "clip": (lambda x: np.clip(x, -2, 2) * x, lambda x: min(max(x, mpmath.mpf(-2)), mpmath.mpf(2)) * x),
    "heaviside": (lambda x: np.heaviside(x, 0.5) * x, lambda x: x if x > 0 else x * 0),
    "sign": (lambda x: np.sign(x) * np.log(1 + np.abs(x)), lambda x: mpmath.sign(x) * mpmath.log(1 + abs(x))),
    "between": (
        lambda x: x * x if -2 < x < 2 else 4 * abs(x) - 4,
        lambda x: x * x if abs(x) < 2 else 4 * abs(x) - 4,
    ),
    "both": (lambda x: x * ((x > -2) & ~(x > 2)), lambda x: x if -2 < x <= 2 else x * 0),
    "constant": (lambda x: 3, lambda x: x * 0 + 3),
}

LOSSES = {
    # the R reference's
    "logcosh": (lambda x, y: log(cosh(x - y)), lambda x, y: mpmath.log(mpmath.cosh(x - y))),
    "quartic": (lambda x, y: (x - y) ** 4 / 4, lambda x, y: (x - y) ** 4 / 4),
    "poisson": (lambda x, y: x - y * log(x), lambda x, y: x - y * mpmath.log(x)),
    "sse": (lambda y, x: 0.5 * (y - x) ** 2, lambda x, y: (x - y) ** 2 / 2),
    "ce": (
        lambda x, y: -(y * np.log(x) + (1 - y) * np.log(1 - x)),
        lambda x, y: -(y * mpmath.log(x) + (1 - y) * mpmath.log(1 - x)),
    ),
    "deviance": (
        lambda x, y: scipy.special.xlogy(y, y / x) - (y - x),
        lambda x, y: (y * mpmath.log(y / x) if y else 0) - (y - x),
    ),
    "huber": (
        lambda a, b: 0.5 * (a - b) ** 2 if abs(a - b) < 1.4375 else 1.4375 * (abs(a - b) - 0.71875),
        lambda x, y: (
            (x - y) ** 2 / 2 if abs(x - y) < 1.4375 else 1.4375 * abs(x - y) - mpmath.mpf(1.4375) ** 2 / 2
        ),
    ),
    "gammaln": (lambda x, y: exp(x) - y * x + math.lgamma(y + 1), None),
}


def derivatives(f, *point):
    """(f, f', f'') by mpmath with respect to the first argument."""
    with mpmath.workdps(80):
        x, *others = map(mpmath.mpf, point)
        return [
            f(x, *others),
            *(mpmath.diff(lambda u: f(u, *others), x, n, h=mpmath.mpf(10) ** -20) for n in (1, 2)),
        ]


def check(found, true, size=1.0, rtol=1e-12):
    """Compare with relative accuracy, and with absolute accuracy near zeros of derivatives."""
    for what, a, b in zip(("value", "slope", "curvature"), found, true):
        b = float(b) if abs(b) < 1e308 else math.copysign(math.inf, b)
        assert a == b or abs(a - b) <= rtol * (abs(b) + 0.1 * size), (what, a, b)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    f, g = ACTIVATIONS[name]
    activation = Activation(f)
    for z in GRID:
        if name in {"leaky", "clip", "relu_smooth"} and abs(z) < 1e-7:
            continue
        true = derivatives(g, z)
        check(activation.python(z), true)
        check(run_activation(activation.address, z), true)


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    f, g = LOSSES[name]
    loss = Loss(f)
    g = g or (lambda x, y: mpmath.exp(x) - y * x + mpmath.loggamma(y + 1))
    outputs = (0.01, 0.3, 0.999) if name == "ce" else (0.01, 0.3, 2.0, 5.5)
    for x, y in itertools.product(outputs, (0.0, 1.0, 0.25, 4.0)):
        true = derivatives(g, x, y)
        check(loss.python(x, y), true)
        check(run_loss(loss.address, x, y), true)


@pytest.mark.parametrize(
    "name",
    ["softplus", "softsign", "gauss", "cloglog", "logistic_custom", "ratio", "imported", "tanh_by_hand",
     "tanh_by_squares", "sech", "tanh_of_logistic", "root", "mish", "gelu", "expit", "logcosh", "logaddexp", "arctan", "elu", "relu", "sqrt"],
)  # fmt: skip
def test_large_arguments_give_finite_derivatives(name):
    f, g = ACTIVATIONS[name]
    activation = Activation(f)
    for z in LARGE:
        with mpmath.workdps(1000):  # 1 - exp(-2 * 800) needs 700 digits
            if name == "cloglog" and z > 100:
                true = [1, 0, 0]
            else:
                h = mpmath.mpf(10) ** -200
                true = [g(mpmath.mpf(z)), *(mpmath.diff(g, z, n, h=h) for n in (1, 2))]
        check(activation.python(z), true, size=1e-290, rtol=1e-11)
        check(run_activation(activation.address, z), true, size=1e-290, rtol=1e-11)


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n.startswith("relu") and n != "relu_smooth"])
def test_relu_is_flat_at_its_kink_as_in_r(name):
    assert Activation(ACTIVATIONS[name][0]).python(0.0) == (0.0, 0.0, 0.0)


def test_absolute_value_at_its_kink():
    activation = Activation(lambda x: abs(x))
    assert [activation.python(z) for z in (-2.0, 0.0, 2.0)] == [(2, -1, 0), (0, 0, 0), (2, 1, 0)]


def test_not_a_number_survives():
    for name in ("relu", "relu_max", "softplus", "logcosh", "sign", "clip"):
        activation = Activation(ACTIVATIONS[name][0])
        assert math.isnan(activation.python(math.nan)[0])
        assert math.isnan(run_activation(activation.address, math.nan)[0])


def test_division_by_zero_and_logarithm_of_zero_do_not_raise():
    activation = Activation(lambda x: 1 / x + log(x * x))
    for z in (0.0, -0.0):
        assert not math.isfinite(activation.python(z)[1])
        assert not math.isfinite(run_activation(activation.address, z)[1])


def test_cross_entropy_keeps_its_accuracy_near_one():
    loss = Loss(LOSSES["ce"][0])
    check(loss.python(1 - 1e-10, 1.0), derivatives(LOSSES["ce"][1], 1 - 1e-10, 1.0), size=1e-12, rtol=1e-14)


def test_loss_arguments_by_name_or_position():
    by_name = Loss(lambda y, x: (x - 2 * y) ** 2)
    assert by_name == Loss(lambda output, wanted: (output - 2 * wanted) ** 2)
    assert by_name.python(3.0, 1.0) == (1.0, 2.0, 2.0)


def test_slope_and_curvature_by_hand():
    surrogate = Activation(lambda x: x > 0, lambda x: 1 / (1 + x * x))
    assert surrogate.python(1.0) == (1.0, 0.5, -0.5)
    given = Loss(lambda x, y: x - y, lambda y, x: x * y, curvature=lambda x, y: y + 7)
    assert given.python(2.0, 3.0) == (-1.0, 6.0, 10.0)


def gamma_loop(x):
    total = 0.0
    for k in range(1, 4):
        total += math.gamma(abs(x) + k)
    return total


def test_function_that_cannot_be_traced_is_compiled_as_it_is():
    activation = Activation(gamma_loop, gamma_loop, curvature=lambda x: x)
    expected = (gamma_loop(1.5), gamma_loop(1.5), 1.5)
    assert activation.python(1.5) == pytest.approx(expected, rel=1e-14)
    assert run_activation(activation.address, 1.5) == pytest.approx(expected, rel=1e-14)
    with pytest.raises(ArgumentError, match="cannot be saved"):
        activation.to_json()
    with pytest.raises(ArgumentError, match=r"curvature=\.\.\."):
        Activation(gamma_loop, gamma_loop)


def endless(x):
    while x > 0:
        x = x - 1
    return x


def raising(x):
    if x < 0:
        raise KeyError("negative")
    return x


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (3, "must be a function of one number, not 3"),
        (lambda: 1, "must be a function of one number"),
        (lambda x, y: x, "must be a function of one number"),
        (lambda x: undefined_name(x), "undefined_name"),
        (lambda x: np.sum(x), "'sum' is not understood"),
        (lambda x: np.array([x, 1]).sum(), "cannot be differentiated"),
        (lambda x: x + np.ones(3), r"array of shape \(3,\)"),
        (lambda x: math.gamma(x), "math.gamma is not understood"),
        (lambda x: int(x), "into a float"),
        (lambda x: "text", "type str is not a number"),
        (lambda x: None, "type NoneType is not a number"),
        (lambda x: x[0], "not subscriptable"),
        (lambda x: x.real_part, "has no 'real_part'"),
        (lambda x: log(-2) * x, "constant nan"),
        (lambda x: np.inf * x, "constant inf"),
        (lambda x: list(x), "one number, not a sequence"),
        (lambda x: digamma(x), "derivative of trigamma"),
        (endless, "loop or recursion depends on the argument"),
        (raising, "KeyError: 'negative'"),
    ],
)
def test_messages(f, message):
    with pytest.raises(ArgumentError, match=message):
        Activation(f)


@pytest.mark.parametrize(
    "f", [lambda x: x, lambda y_true, y_pred: y_true, lambda y, p: y - p, lambda p, x: p]
)
def test_messages_of_loss(f):
    with pytest.raises(ArgumentError, match=r"x \(output\) and y \(response\)"):
        Loss(f)


def test_message_names_the_way_out():
    with pytest.raises(ArgumentError, match=r"ns\.Activation\(f, slope\)"):
        Activation(lambda x: np.linalg.norm(x))
    with pytest.raises(ArgumentError, match=r"ns\.Loss\(f, slope\)"):
        Loss(lambda x, y: np.linalg.norm(x))


def test_equal_functions_are_compiled_once():
    one, other = (
        Activation(lambda x: 1 / (1 + exp(-x))),
        Activation(lambda u: 1 / (1 + math.exp(-u)), name="mine"),
    )
    assert one == other and hash(one) == hash(other) and one.address == other.address
    assert one != Activation(np.tanh) and one != "logistic"
    assert (one.name, other.name, Activation(scaled).name) == ("custom", "mine", "scaled")


def test_objects_cannot_be_changed():
    activation = Activation(np.tanh)
    with pytest.raises(AttributeError):
        activation.name = "other"
    with pytest.raises(AttributeError):
        del activation.name


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LOSSES])
def test_json_and_pickle(name):
    table, kind = (ACTIVATIONS, Activation) if name in ACTIVATIONS else (LOSSES, Loss)
    custom = kind(table[name][0])
    again = kind.from_json(json.loads(json.dumps(custom.to_json())))
    assert again == custom and again.name == custom.name and again.source == custom.source
    assert pickle.loads(pickle.dumps(custom)) == custom


GOOD = {
    "kind": "Activation",
    "name": "f",
    "arguments": ["z"],
    "steps": [["t0", ["exp", "z"]]],
    "results": ["t0", 1, 0.5],
}


@pytest.mark.parametrize(
    "change",
    [
        {"results": ["t0", ["__import__", "z"], 0]},
        {"results": ["t0", ["user_f", "z"], 0]},
        {"results": ["t0", "t1", 0]},
        {"results": ["t0", "value", 0]},
        {"results": ["t0", 1]},
        {"results": ["t0", 1, True]},
        {"results": ["t0", 1, math.inf]},
        {"results": ["t0", 1, 10**400]},
        {"results": ["t0", 1, None]},
        {"results": ["t0", 1, []]},
        {"results": ["t0", 1, ["exp"]]},
        {"results": ["t0", 1, ["exp", 1, 2]]},
        {"results": ["t0", 1, ["+", 1]]},
        {"results": ["t0", 1, functools.reduce(lambda tree, _: ["exp", tree], range(300), "z")]},
        {"steps": [["t0; import os", "z"]]},
        {"steps": [["exp", "z"]]},
        {"steps": [["__name", "z"]]},
        {"steps": [["t0", "z"], ["t0", "z"]]},
        {"steps": [["t0", "t0"]]},
        {"steps": [["t0"]]},
        {"steps": "z"},
        {"steps": [["t0", ["+", *["z"] * 30_000]]]},
        {"arguments": ["x", "y"]},
        {"arguments": [["z"]]},
        {"kind": "Loss"},
        {"name": 3},
        {"surplus": 1},
    ],
)
def test_malformed_json_is_refused(change):
    assert Activation.from_json(GOOD).python(0.0) == (1.0, 1.0, 0.5)
    with pytest.raises(FileFormatError):
        Activation.from_json({**GOOD, **change})


def test_source_is_readable():
    assert Activation(lambda x: log(1 + exp(x)), name="soft").source == (
        "def soft(z):\n    value = softplus(z)\n    slope = expit(z)\n    curvature = logistic_density(z)\n"
        "    return value, slope, curvature\n"
    )


def test_compile_scalar():
    expression = trace(lambda x, y: (x - y) ** 2, ("x", "y"))
    address = compile_scalar((expression, *differentiate(expression, "x")), ("x", "y"))
    assert run_loss(address, 3.0, 1.0) == (4.0, 4.0, 2.0)


CACHED = """
import sys
import numba
from neuralstat.jit.call import call_activation, call_loss
from neuralstat.symbolic.custom import Activation, Loss

@numba.njit(nogil=True, cache=True)
def kernel(a, b, z):
    return call_activation(a, z)[1] + 10 * call_loss(b, z, 1.0)[0]

k = float(sys.argv[1])
spare = [Activation(lambda x, c=c: c * x).address for c in range(int(k))]
print(kernel(Activation(lambda x: k * x).address, Loss(lambda x, y: k * (x - y) ** 2).address, 3.0))
hits = getattr(kernel, "stats", None)
print(sum(hits.cache_hits.values()) if hits else "none")
"""


def test_cached_kernel_calls_other_functions_in_other_processes(tmp_path):
    script = tmp_path / "cached.py"
    script.write_text(CACHED)
    changed = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    changed.pop("NUMBA_DISABLE_JIT", None)
    runs = [
        subprocess.run(
            [sys.executable, str(script), str(k)], env=changed, capture_output=True, text=True, check=True
        ).stdout.split()
        for k in (2, 5)
    ]
    assert [float(run[0]) for run in runs] == [2 + 80.0, 5 + 200.0]
    assert [run[1] for run in runs] == ["0", "1"]


@pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="is the uncompiled run")
def test_uncompiled():
    """The tests of this file also pass without numba's JIT."""
    chosen = "test_activation or test_loss or compiled or large or slope or not_a_number or division"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, __file__],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-3000:]
    assert "passed" in result.stdout


def test_importing_custom_does_not_import_sympy():
    code = "import sys, neuralstat.symbolic.custom, neuralstat.jit.call; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Random expressions, kept where mpmath and float64 both have something to say.
LEAVES = st.sampled_from(["z", "z", "z", 1, 2, 0.5, 3.25, -1.5, 0.1])
UNARY = [
    "exp",
    "tanh",
    "sin",
    "cos",
    "arctan",
    "expit",
    "softplus",
    "logcosh",
    "absolute",
    "log1p_square",
    "square",
]
TREES = st.recursive(
    LEAVES,
    lambda t: (
        st.tuples(st.sampled_from(UNARY), t)
        | st.tuples(st.sampled_from(["+", "-", "*", "/", "maximum"]), t, t)
        | st.tuples(st.just("where"), t, t, t)
    ),
    max_leaves=8,
)
NUMPY = {
    "log1p_square": lambda u: np.log1p(u * u), "square": lambda u: u * u, "expit": lambda u: 1 / (1 + np.exp(-u)),
    "softplus": lambda u: np.log(1 + np.exp(u)), "logcosh": lambda u: np.log(np.cosh(u)),
    "+": lambda u, v: u + v, "-": lambda u, v: u - v, "*": lambda u, v: u * v, "/": lambda u, v: u / (1 + v * v),
    "where": lambda c, u, v: np.where(c > 0.25, u, v),
}  # fmt: skip
MP = {
    **{name: getattr(mpmath, name) for name in ("exp", "tanh", "sin", "cos")},
    "arctan": mpmath.atan, "absolute": abs, "maximum": max, "expit": lambda u: 1 / (1 + mpmath.exp(-u)),
    "softplus": lambda u: mpmath.log(1 + mpmath.exp(u)), "logcosh": lambda u: mpmath.log(mpmath.cosh(u)),
    "log1p_square": lambda u: mpmath.log(1 + u * u), "square": lambda u: u * u, "+": lambda u, v: u + v,
    "-": lambda u, v: u - v, "*": lambda u, v: u * v, "/": lambda u, v: u / (1 + v * v),
    "where": lambda c, u, v: u if c > 0.25 else v,
}  # fmt: skip


def evaluate(tree, z, table, number, seen=None):
    """Value of a random tree; `seen` collects the sizes of intermediate results and the distances from kinks."""
    if tree == "z":
        return z
    if not isinstance(tree, tuple):
        return number(tree)
    operands = [evaluate(t, z, table, number, seen) for t in tree[1:]]
    if seen is not None:
        seen += [abs(u) for u in operands]
        kink = {
            "absolute": lambda u: u,
            "where": lambda c, u, v: c - 0.25,
            "maximum": lambda u, v: u - v,
        }.get(tree[0])
        seen += [1 / (abs(kink(*operands)) + mpmath.mpf(10) ** -300)] if kink else []
    return (table[tree[0]] if tree[0] in table else getattr(np, tree[0]))(*operands)


@settings(max_examples=150, deadline=None)
@given(tree=TREES, z=st.sampled_from([-2.3, -0.7, 0.31, 1.1, 1.9]))
def test_random_expressions(tree, z):
    seen = []
    with mpmath.workdps(60):
        evaluate(tree, mpmath.mpf(z), MP, mpmath.mpf, seen)
    if max(seen, default=0) > 50:  # ill-conditioned, or at a kink
        return
    true = derivatives(lambda u: evaluate(tree, u, MP, mpmath.mpf) + 0 * u, z)
    activation = Activation(lambda x: evaluate(tree, x, NUMPY, lambda v: v))
    size = float(1 + max(map(abs, true)) + max(seen, default=0) ** 2)
    with mpmath.workdps(80):  # the algebra is exact but for constants, which are floats
        check(high_precision(activation.program, z), true, size=size, rtol=1e-13)
    check(activation.python(z), true, size=size)
    assert programs.python_function(activation.program)(z) == activation.python(z)
