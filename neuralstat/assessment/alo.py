"""Approximate leave-one-out: one Newton step away from each observation, without a refit.

With g_i the gradient of the i-th observation's error at the weights w, H the Hessian of error and penalty and R_i the rows of
the Gauss-Newton factor (R_i' R_i stands for the observation's own part of H),

    w(-i) = w + (H - R_i' R_i)^-1 g_i,    (H - R_i' R_i)^-1 g_i = H^-1 g_i + H^-1 R_i' (I - R_i H^-1 R_i')^-1 R_i H^-1 g_i,

and the outputs move by their derivatives times that. Of least squares it is exact (PRESS); of generalised linear models and
of penalised networks at an optimum it is close as long as no leverage R_i H^-1 R_i' comes near 1. A network that would find
another optimum without the observation is not seen by it.

References
----------
Rad & Maleki (2020), JRSS B 82:965, arXiv:1801.10243. Beirami et al. (2017), NIPS 30.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..checks.arguments import REP_OR_MEAN, arguments
from ..df import local
from ..df.roots import DEFINITE, Roots
from ..errors import ArgumentError, DfError, DfWarning, caller
from ..fitted import Fitted
from ..network import blocks, derivatives
from .losses import pick
from .procedure import NetworkProcedure
from .registry import estimator
from .resampling import mean, standard_error
from .value import NEW_X, Risk

NEAR_ONE = 0.8  # leverage above which a step is not trusted
SHARE = 0.02  # of observations above it that are said
FAR = 0.5  # fall of the error to the optimum, in mean errors of an observation, that is said


@estimator("alo", NEW_X)
@arguments(rep=REP_OR_MEAN)
def alo(procedure: Any, loss: Any = None, *, rep: Any = None, random_state: Any = None) -> Risk:
    """Approximate leave-one-out error.

    Parameters
    ----------
    rep : {"mean", "best"} or int, optional
        Of the averaged fit, the best or one repetition; as `risk` was told where not given.

    Returns
    -------
    Risk
        ``details``: "per_observation", "leverage" (n,), the largest over repetitions.

    Raises
    ------
    ArgumentError
        For objects of others, and fits with groups.
    DfError
        Where the Hessian is not positive definite (the fit is at no regular optimum), or a leverage is 1 or more.

    Warns
    -----
    DfWarning
        Where leverages are near 1, or the fit is far from its optimum, and refits would come out otherwise.
    """
    del random_state  # there is nothing random
    if not isinstance(procedure, NetworkProcedure):
        raise ArgumentError("method='alo' needs a fit or model of neuralstat; 'cv' with k='loo' refits others.")
    if procedure.groups is not None:
        raise ArgumentError("method='alo' leaves out single rows, of which the others of their cluster tell: use 'loo', "
                            "which leaves out clusters.")  # fmt: skip
    fitted, rep = procedure.fitted, procedure.rep if rep is None else rep
    name, function = pick(loss, procedure.target)
    numbers = fitted.numbers(rep)
    parts = [left_out(fitted, b) for b in numbers]
    mu, h = np.mean([p[0] for p in parts], axis=0), np.max([p[1] for p in parts], axis=0)
    w = fitted.case_weights
    losses = function(fitted.responses, mu)
    notes = _limits(fitted, numbers, h[w > 0])
    if notes:
        warnings.warn(f"risk: {'; '.join(notes)}. method='cv', k='loo' refits.", DfWarning, stacklevel=caller())
    details = {"what": "approximate leave-one-out", "per_observation": losses, "leverage": h,
               "apparent": mean(function(fitted.responses, fitted.mean_of(numbers)), w)}  # fmt: skip
    return Risk(mean(losses, w), "alo", name, se=standard_error(losses, w), se_kind="naive", n=int(np.sum(w > 0)),
                details=details, notes=tuple(notes))  # fmt: skip


def left_out(fitted: Fitted, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Means (K, n) of each row without itself, units of the response, and leverages (n,) of repetition b."""
    used = local.active(fitted, b)
    values, vectors = np.linalg.eigh(local.hessian(fitted, b, used))
    keep = values > DEFINITE * values[-1]
    if keep.sum() < fitted.identified(used):
        raise DfError(
            f"risk: the Hessian of repetition {b + 1} is not positive definite (smallest eigenvalue {values[0]:.3g}): one "
            "Newton step says nothing of a refit; use method='cv' with k='loo', or train with a penalty."
        )
    theta = fitted.fit.theta[b].astype(float)
    half = vectors[:, keep] / np.sqrt(values[keep])  # H^-1 = half half'
    times = np.where(fitted.frequencies > 0, fitted.frequencies, 1.0)  # of m equal observations one is left out
    root, raw = Roots(fitted, b), fitted.fitted_raw([b])[0]
    leverage, moved = np.empty(fitted.n_rows), np.empty_like(raw)
    gradients = blocks.scores(fitted.network, fitted.data, theta, among=3)
    slopes = blocks.jacobians(fitted.network, fitted.data, theta, among=3)
    for (part, jacobian), (_, scores) in zip(slopes, gradients, strict=True):
        many = times[part, np.newaxis]
        r = (root.at(part)[:, :, used] @ half).transpose(1, 0, 2) / np.sqrt(many)[:, np.newaxis]  # (m, K, F)
        g = scores[:, used] @ half / many  # (m, F)
        inner = r @ r.transpose(0, 2, 1)  # R_i H^-1 R_i'
        leverage[part] = np.linalg.eigvalsh(inner)[:, -1]
        if (leverage[part] >= 1).any():
            continue
        gap = np.eye(r.shape[1]) - inner
        more = np.linalg.solve(gap, np.einsum("nkf,nf->nk", r, g)[:, :, np.newaxis])[:, :, 0]
        step = g + np.einsum("nkf,nk->nf", r, more)
        moved[:, part] = raw[:, part] + np.einsum("knf,nf->kn", jacobian[:, :, used] @ half, step)
    if (leverage >= 1).any():
        raise DfError(
            f"risk: {int(np.sum(leverage >= 1))} of {leverage.size} observations have leverages of 1 or more in repetition "
            f"{b + 1}: without them there is no fit nearby; use method='cv' with k='loo', or a stronger penalty."
        )
    return fitted.response(moved[np.newaxis])[0], leverage


def _limits(fitted: Fitted, numbers: list[int], leverage: np.ndarray) -> list[str]:
    """What speaks against the approximation, in words."""
    notes = []
    share = float(np.mean(leverage > NEAR_ONE))
    if share > SHARE:
        notes.append(f"{share:.0%} of the observations have leverages above {NEAR_ONE:g}: there the fit is their own")
    if any(_far(fitted, b) for b in numbers):
        notes.append("the fit was stopped before its optimum, from which the steps are taken")
    return notes


def _far(fitted: Fitted, b: int) -> bool:
    """Whether one Newton step to the optimum would lower the error by more than `FAR` observations' worth."""
    used = local.active(fitted, b)
    theta = fitted.fit.theta[b].astype(float)
    gradient = derivatives.gradient(fitted.network, fitted.data, theta, fitted.penalty_of(b))[used]
    decrease = float(gradient @ np.linalg.pinv(local.hessian(fitted, b, used), hermitian=True) @ gradient) / 2
    return decrease > FAR * abs(float(fitted.fit.loss[b])) / max(fitted.nobs, 1)
