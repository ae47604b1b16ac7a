"""Activations and inverse links as nodes of an ONNX graph: functions of its writer, a value's name, and a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..functions.activations import SELU_ALPHA, SELU_SCALE


def _below(g: Any, z: str) -> str:
    """exp(min(z, 0)) - 1."""
    return g.node("Sub", g.node("Exp", g.node("Min", z, g.constant(0.0))), g.constant(1.0))


def _elu(g: Any, z: str, p: float) -> str:
    return g.node("Add", g.node("Relu", z), g.node("Mul", _below(g, z), g.constant(p)))


def _softplus(g: Any, z: str, p: float) -> str:
    small = g.node("Exp", g.node("Neg", g.node("Abs", z)))
    return g.node("Add", g.node("Relu", z), g.node("Log", g.node("Add", small, g.constant(1.0))))


def _cdf(g: Any, z: str) -> str:
    """The normal distribution function."""
    erf = g.node("Erf", g.node("Mul", z, g.constant(math.sqrt(0.5))))
    return g.node("Mul", g.node("Add", erf, g.constant(1.0)), g.constant(0.5))


def _cloglog(g: Any, eta: str, p: float = 0.0) -> str:
    """1 - exp(-exp(eta))."""
    return g.node("Sub", g.constant(1.0), g.node("Exp", g.node("Neg", g.node("Exp", eta))))


def _leaky(g: Any, z: str, p: float) -> str:
    return g.node("Add", g.node("Relu", z), g.node("Mul", g.node("Min", z, g.constant(0.0)), g.constant(p)))


def _clip(g: Any, z: str, least: float, most: float) -> str:
    return g.node("Min", g.node("Max", z, g.constant(least)), g.constant(most))


def _hard(g: Any, z: str, p: float) -> str:
    return _clip(g, g.node("Add", g.node("Mul", z, g.constant(1 / 6)), g.constant(0.5)), 0.0, 1.0)


def _sparse(g: Any, z: str, p: float) -> str:
    return _clip(g, g.node("Mul", g.node("Add", z, g.constant(1.0)), g.constant(0.5)), 0.0, 1.0)


def _sparse_plus(g: Any, z: str, p: float) -> str:
    half = _sparse(g, z, p)
    return g.node("Add", g.node("Mul", half, half), g.node("Relu", g.node("Sub", z, g.constant(1.0))))


def _celu(g: Any, z: str, p: float) -> str:
    below = g.node("Min", z, g.constant(0.0))
    curve = g.node("Sub", g.node("Exp", g.node("Mul", below, g.constant(1 / p))), g.constant(1.0))
    return g.node("Add", g.node("Relu", z), g.node("Mul", curve, g.constant(p)))


def _squareplus(g: Any, z: str, p: float) -> str:
    root = g.node("Sqrt", g.node("Add", g.node("Mul", z, z), g.constant(p)))
    return g.node("Mul", g.node("Add", z, root), g.constant(0.5))


ACTIVATIONS: dict[str, Callable[[Any, str, float], str]] = {
    "logistic": lambda g, z, p: g.node("Sigmoid", z), "tanh": lambda g, z, p: g.node("Tanh", z),
    "relu": lambda g, z, p: g.node("Relu", z), "leaky_relu": _leaky, "elu": _elu,
    "selu": lambda g, z, p: g.node("Mul", _elu(g, z, SELU_ALPHA), g.constant(SELU_SCALE)), "softplus": _softplus,
    "gelu": lambda g, z, p: g.node("Mul", z, _cdf(g, z)),
    "swish": lambda g, z, p: g.node("Mul", z, g.node("Sigmoid", z)),
    "relu6": lambda g, z, p: _clip(g, z, 0.0, p), "hard_sigmoid": _hard, "celu": _celu, "squareplus": _squareplus,
    "hard_swish": lambda g, z, p: g.node("Mul", z, _hard(g, z, p)), "hard_tanh": lambda g, z, p: _clip(g, z, -1.0, 1.0),
    "softsign": lambda g, z, p: g.node("Div", z, g.node("Add", g.node("Abs", z), g.constant(1.0))),
    "mish": lambda g, z, p: g.node("Mul", z, g.node("Tanh", _softplus(g, z, p))),
    "exponential": lambda g, z, p: g.node("Exp", z), "tanh_shrink": lambda g, z, p: g.node("Sub", z, g.node("Tanh", z)),
    "soft_shrink": lambda g, z, p: g.node("Sub", z, _clip(g, z, -p, p)),
    "hard_shrink": lambda g, z, p: g.node(
        "Where", g.node("Greater", g.node("Abs", z), g.constant(p)), z, g.constant(0.0)),
    "log_sigmoid": lambda g, z, p: g.node("Neg", _softplus(g, g.node("Neg", z), p)), "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse,
}  # fmt: skip


def _power(g: Any, eta: str, p: float) -> str:
    return g.node("Pow", eta, g.constant(1 / p))


def _nbinom(g: Any, eta: str, p: float) -> str:
    below = g.node("Sub", g.node("Exp", g.node("Neg", eta)), g.constant(1.0))
    return g.node("Reciprocal", g.node("Mul", below, g.constant(p)))


LINKS: dict[str, Callable[[Any, str, float], str]] = {
    "log": lambda g, eta, p: g.node("Exp", eta), "logit": lambda g, eta, p: g.node("Sigmoid", eta),
    "probit": lambda g, eta, p: _cdf(g, eta), "cloglog": _cloglog,
    "loglog": lambda g, eta, p: g.node("Exp", g.node("Neg", g.node("Exp", g.node("Neg", eta)))),
    "cauchy": lambda g, eta, p: g.node(
        "Add", g.node("Mul", g.node("Atan", eta), g.constant(1 / math.pi)), g.constant(0.5)),
    "logc": lambda g, eta, p: g.node("Sub", g.constant(1.0), g.node("Exp", eta)),
    "inverse_power": _power, "inverse_squared": _power, "sqrt": _power, "power": _power, "nbinom": _nbinom,
}  # fmt: skip
