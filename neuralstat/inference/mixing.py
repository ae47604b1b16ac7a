"""Limits of new observations of distributions with several parameters, mixed over the error of their parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..df.local import active
from ..engine.data import make_data
from ..families.components import of_parameters
from ..fitted import Fitted
from ..network import derivatives
from .covariance import cov_type_of
from .sampling import joint_root

PAIRS = 24  # of normal draws of the linear predictors, each with its negative; always the same

Pair = tuple[np.ndarray, np.ndarray]


def fitted_limits(fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None) -> Callable[[float], Pair]:
    """alpha -> limits (1, m) of the fitted distribution, the parameters taken as known."""
    raw = fitted.raw(x, offset, numbers)
    return _limits(fitted, list(fitted.original_predictors(raw)))


def mixed_limits(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: str | None = None
) -> Callable[[float], Pair]:
    """alpha -> limits (1, m) of the mixture over normal errors of the linear predictors, by the delta method."""
    raw = fitted.raw(x, offset, numbers)
    z = np.random.default_rng(0).standard_normal((PAIRS, raw.shape[1]))
    z = np.concatenate([z, -z])
    parts = []
    for b, own in zip(numbers, raw, strict=True):
        root = _roots(fitted, b, x, offset, cov_type)
        moved = own + np.einsum("nkr,tr->tkn", root, z)
        parts += list(fitted.original_predictors(moved))
    return _limits(fitted, parts)


def _limits(fitted: Fitted, predictors: list[np.ndarray]) -> Callable[[float], Pair]:
    family, m = fitted.distribution, predictors[0].shape[1]
    found = of_parameters(family, [family.natural(eta) for eta in predictors])

    def limits(alpha: float) -> Pair:
        low, high = (found.quantiles(np.full(m, q)) for q in (alpha / 2, 1 - alpha / 2))
        return low[np.newaxis], high[np.newaxis]

    return limits


def _roots(fitted: Fitted, b: int, x: np.ndarray, offset: np.ndarray | None, cov_type: str | None) -> np.ndarray:
    """Roots (m, K, K) of the covariance of the linear predictors of repetition b, internal units."""
    theta = fitted.fit.theta[b].astype(float)
    data = make_data(np.ascontiguousarray(x), np.zeros((fitted.network.n_outputs, x.shape[1])), offset=offset)
    used = active(fitted, b)
    jacobian = derivatives.jacobian(fitted.network, data, theta)[:, :, used]
    root = joint_root(fitted, (b,), cov_type_of(fitted, cov_type))[0][used]
    half = np.einsum("knp,pr->nkr", jacobian, root, optimize=True)
    each = np.einsum("nkr,njr->nkj", half, half, optimize=True)
    values, vectors = np.linalg.eigh((each + each.transpose(0, 2, 1)) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis, :]
