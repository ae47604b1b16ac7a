"""Random effects of a fit: their predictions, and the variances that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, REP, arguments
from ..df import exact_fit
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of, kept
from ..formula.parse import top_level
from ..formula.structure import Special
from ..training.structured import leading, levels_of
from .term_parts import Dense, Part, curvature, parts

INTERCEPT = "(Intercept)"


def named(special: Special) -> tuple[str, list[str]]:
    """Grouping factor and effects' names of a random term: "Subject" and "(Intercept)", "Days" of ``(Days | Subject)``."""
    inner = special.label[1:-1]
    at = [k for k, token in top_level(inner) if token == "|"][-1]
    left, group = inner[:at].strip(), inner[at + 1 :].strip()
    cuts = [k for k, token in top_level(left) if token == "+"]
    words = [left[a:b].strip() for a, b in zip([0, *(k + 1 for k in cuts)], [*cuts, len(left)], strict=True)]
    slopes = [word for word in words if word not in ("0", "1")]
    return group, ([] if "0" in words else [INTERCEPT]) + slopes


@arguments(se=FLAG, rep=REP)
def ranef(fit: object, se: bool = False, rep: object = "best") -> dict[str, pd.DataFrame]:
    """Predicted random effects, conditional modes, in the units of the linear predictor and of their covariates.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    se : bool
        With columns of standard deviations, "se (Intercept)" and so on, given the data and the other weights: those of lme4's
        ``ranef(condVar=TRUE)``.
    rep : int or "best"

    Returns
    -------
    dict of str to DataFrame
        Per grouping factor a row per level, in the order of its levels, and a column per effect; of several outputs columns
        ``(output, effect)``.

    Raises
    ------
    ArgumentError
        Where the formula has no random term.
    """
    fitted = fitted_of(fit)
    b, count = fitted.which(rep), leading(fitted.network)
    made: dict[str, list[pd.DataFrame]] = {}
    for part in _random(fitted):
        assert part.special is not None
        group, names = named(part.special)
        turn, unit = exact_fit.rotation(fitted, part.special), exact_fit.units(fitted)[part.output]
        effects = fitted.fit.theta[b].astype(float)[part.index].reshape(-1, len(names)) @ turn.T * unit
        frame = pd.DataFrame(effects, pd.Index(levels_of(fitted.design, part.special.exprs[0]), name=group), names)
        if se:
            spread = _conditional(fitted, b)[part.term, part.output]
            sd = pd.DataFrame(np.sqrt(np.einsum("lrr->lr", spread)) * unit, frame.index, [f"se {name}" for name in names])
            frame = pd.concat([frame, sd], axis=1)
        if count > 1:
            output = fitted.network.output_names[part.output]
            frame.columns = pd.MultiIndex.from_product([[output], frame.columns], names=["output", "effect"])
        made.setdefault(group, []).append(frame)
    return {group: pd.concat(frames, axis=1) for group, frames in made.items()}


def variance_components(fit: object, rep: object = "best") -> pd.DataFrame:
    """Variances of random effects, in the units of the linear predictor and of their covariates.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    rep : int or "best"

    Returns
    -------
    DataFrame
        A row per effect, as lme4's ``VarCorr``: ``group``, ``name``, ``variance``, ``sd``, ``sd_se`` (standard error of sd,
        by the curvature of the restricted likelihood; NaN beside networks, and at a variance of 0) and, where effects of a
        level are correlated, ``corr`` with the first effect of the term (``corr2`` with the second, ...). The last row,
        "Residual", is the dispersion, where there is one. Of several outputs with the column ``output``.

    Raises
    ------
    ArgumentError
        Where the formula has no random term.
    """
    fitted = fitted_of(fit)
    b, count = fitted.which(rep), leading(fitted.network)
    unit, rows = exact_fit.units(fitted), []
    most = 1
    for part in _random(fitted):
        assert part.special is not None
        group, names = named(part.special)
        covariance, log_se = _covariance(fitted, b, part)
        covariance = covariance * unit[part.output] ** 2
        sd = np.sqrt(np.diag(covariance))
        most = max(most, len(names))
        with np.errstate(divide="ignore", invalid="ignore"):
            corr = covariance / np.outer(sd, sd)
        for r, name in enumerate(names):
            row: dict[str, Any] = {"group": group, "name": name, "variance": covariance[r, r], "sd": sd[r],
                                   "sd_se": sd[r] * log_se[r]}  # fmt: skip
            row.update({f"corr{c + 1 if c else ''}": corr[r, c] for c in range(r)})
            rows.append({**({"output": fitted.network.output_names[part.output]} if count > 1 else {}), **row})
    for k in range(count if fitted.dispersed and not fitted.network.objective.several else 0):
        phi = _phi(fitted, b) * unit[k] ** 2
        row = {"group": "Residual", "name": "", "variance": phi, "sd": np.sqrt(phi), "sd_se": np.nan}
        rows.append({**({"output": fitted.network.output_names[k]} if count > 1 else {}), **row})
    columns = [*(["output"] if count > 1 else []), "group", "name", "variance", "sd", "sd_se"]
    return pd.DataFrame(rows, columns=[*columns, *(f"corr{c if c > 1 else ''}" for c in range(1, most))])


def _random(fitted: Fitted) -> list[Part]:
    found = [part for part in parts(fitted) if part.kind == "random"]
    if not found:
        raise ArgumentError("the formula has no random term: write (1 | g) or (x | g).")
    return found


def _phi(fitted: Fitted, b: int) -> float:
    """Dispersion that strengths are relative to, internal units."""
    if exact_fit.exactly(fitted):
        return float(exact_fit.exact_solution(fitted, b).scale)
    return 1.0 if fitted.fit.dispersion is None or not fitted.dispersed else float(fitted.fit.dispersion[b])


def _covariance(fitted: Fitted, b: int, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """(R, R) covariance of a level's effects, internal units of the response, and standard errors (R,) of log sd."""
    if exact_fit.exactly(fitted):
        solution = exact_fit.exact_solution(fitted, b)
        k = [term.name for term in solution.prepared.problem.randoms].index(part.term)
        return solution.covariances[k], solution.log_sd_se[k]
    assert part.special is not None and fitted.fit.strengths is not None
    turn = exact_fit.rotation(fitted, part.special)
    own = [g for g, group in enumerate(fitted.procedure.groups) if np.isin(group.index, part.index).all()]
    variances = _phi(fitted, b) / fitted.fit.strengths[b][own]
    return turn @ np.diag(variances) @ turn.T, np.full(len(turn), np.nan)


@kept
def _conditional(fitted: Fitted, b: int) -> dict[tuple[str, int], np.ndarray]:
    """By term and output the (levels, R, R) covariance of each level's effects given the other weights, internal units."""
    found = _random(fitted)
    if exact_fit.exactly(fitted):
        solution = exact_fit.exact_solution(fitted, b)
        names = [term.name for term in solution.prepared.problem.randoms]
        return {(part.term, 0): solution.conditional_variances[names.index(part.term)] for part in found}
    known = curvature(fitted, b)
    assert isinstance(known, Dense)
    at = known.at(np.concatenate([part.index for part in found]))
    inverse = known.phi * np.linalg.inv(known.matrix[np.ix_(at, at)] + np.diag(known.penalty[at]))
    out, first = {}, 0
    for part in found:
        assert part.special is not None
        turn = exact_fit.rotation(fitted, part.special)
        size = part.index.size
        block = inverse[first : first + size, first : first + size].reshape(size // len(turn), len(turn), -1, len(turn))
        each = np.stack([block[level, :, level] for level in range(len(block))])
        out[part.term, part.output] = turn @ each @ turn.T
        first += size
    return out
