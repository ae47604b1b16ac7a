"""What a summary says of the terms of a structured formula: coefficients, smooths, random effects, networks."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ..df import exact_fit
from ..errors import ArgumentError, DfError, SingularHessianWarning
from ..fitted import Fitted
from ..inference import coefficients, ranef
from ..inference.term_parts import parts
from ..inference.terms_table import terms
from ..likelihood import evidence, likelihood
from ..training.structured import has_towers, leading
from .coefficients import ALPHA, MOST_ROWS, figure
from .tables import Table

MANY = 0.15  # of the observed values, degrees of freedom of networks from which on their penalties matter to coefficients
KINDS = {"smooth": "Smooth terms", "network": "Networks", "random": "Random terms"}


def term_tables(fitted: Fitted) -> tuple[list[Table], list[str]]:
    """Tables of a structured fit, and what is to be noted; nothing of other fits."""
    if not has_towers(fitted.design) or not np.isfinite(fitted.theta[fitted.best]).all():
        return [], []
    notes: list[str] = []
    made: list[Table] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularHessianWarning)  # the terms say which are not determined
        try:
            made += _linear(fitted)
            table = terms(fitted)
        except (ArgumentError, DfError) as error:
            return made, [f"Terms: {error}"]
        for kind, title in KINDS.items():
            own = table[table["kind"] == kind]
            if len(own):
                made.append(_tests(own, title))
        if (table["kind"] == "random").any():
            made.append(_variances(fitted))
    notes += [f"{term}: no p value: {why}." for term, why in table.attrs["notes"].items()]
    made.append(_fit(fitted, table))
    taken = float(table.loc[table["kind"] == "network", "edf"].sum())
    if (table["kind"] == "linear").any() and taken > MANY * fitted.n_values:
        notes.append(f"Networks take {taken:.4g} degrees of freedom of {fitted.n_values:.6g} observed values: what their "
                     "penalties leave of them unsaid goes to the coefficients beside them where covariates are related, and "
                     "standard errors do not count it.")  # fmt: skip
    return made, notes


def _linear(fitted: Fitted) -> list[Table]:
    """Coefficients, of each output."""
    p, se = coefficients.pvalues(fitted), coefficients.standard_errors(fitted)
    limits = coefficients.conf_int(fitted, ALPHA).to_numpy().T
    columns = [coefficients.params(fitted), se, coefficients.zvalues(fitted), p, *limits]
    values = np.stack([np.asarray(c, dtype=float) for c in columns], axis=1)
    letter, free = "t" if str(p.name) == "P>|t|" else "z", fitted.fit.free[0]
    head = ("", "coef", "std err", letter, f"P>|{letter}|", f"[{ALPHA / 2:g}", f"{1 - ALPHA / 2:g}]")
    out, count = [], leading(fitted.network)
    for k in range(fitted.network.n_outputs):
        named = [("Intercept", int(exact_fit.output_block(fitted)[k, 0]))]
        for part in parts(fitted):
            if part.kind == "linear" and part.output == k:
                named += [(fitted.network.input_names[row], int(at)) for row, at in zip(part.rows, part.index, strict=True)]
        rows = [(name, figure(v[0], 4), figure(v[1]), figure(v[2]), _p(v[3]), figure(v[4]), figure(v[5]))
                for name, at in named if free[at] and (v := values[at]) is not None]  # fmt: skip
        title = "Linear terms" if fitted.network.n_outputs == 1 else f"Linear terms of {fitted.network.output_names[k]}"
        left = "" if len(rows) <= MOST_ROWS else f" (the first {MOST_ROWS} of {len(rows)})"
        if rows and (k < count or len(rows)):
            out.append(Table(title + left, head, rows[:MOST_ROWS], left=1))
    return out


def _p(value: float) -> str:
    return "" if np.isnan(value) else "<0.001" if value < 0.0005 else f"{value:.3f}"


def _tests(table: pd.DataFrame, title: str) -> Table:
    rows = [(str(term), f"{row.edf:.2f}", "" if np.isnan(row.ref_df) else f"{row.ref_df:.2f}", figure(row.statistic),
             _p(row.pvalue)) for term, row in zip(table.index, table.itertuples(), strict=True)]  # fmt: skip
    return Table(title, ("", "edf", "ref df", str(table["distribution"].iloc[0]), "p"), rows, left=1)


def _variances(fitted: Fitted) -> Table:
    found = ranef.variance_components(fitted)
    more = [name for name in found if name.startswith("corr")]
    outputs = ["output"] if "output" in found else []
    rows = []
    for k, row in found.iterrows():
        again = k > 0 and row["group"] == found.loc[k - 1, "group"]
        rows.append((*(row[name] for name in outputs), "" if again else row["group"], row["name"], f"{row['variance']:.5g}",
                     f"{row['sd']:.5g}", *("" if np.isnan(row[name]) else f"{row[name]:.3f}" for name in more)))  # fmt: skip
    groups = [f"{name} ({len(frame):,} levels)" for name, frame in ranef.ranef(fitted).items()]
    return Table(f"Random effects of {', '.join(groups)}", (*outputs, "group", "effect", "variance", "sd",
                 *("corr" for _ in more)), rows, left=2 + len(outputs))  # fmt: skip


def _fit(fitted: Fitted, table: pd.DataFrame) -> Table:
    """Scale, criterion and shares explained."""
    rows = []
    b, rest = fitted.best, float(table.attrs["df_resid"])
    if fitted.dispersed and not fitted.network.objective.several and fitted.network.n_outputs == 1:
        rows.append((f"Scale (residual df = {rest:.5g})", f"{float(likelihood.scale(fitted, b)):.6g}"))
    if exact_fit.exactly(fitted):
        solution = exact_fit.exact_solution(fitted, b)
        rows.append((f"Log-likelihood ({solution.criterion})", f"{evidence.log_evidence(fitted, b):.7g}"))
    if fitted.network.n_outputs == 1 and fitted.family is not None and not fitted.network.objective.several:
        null = likelihood.null_deviance(fitted)
        rows.append(("Deviance explained", f"{1 - likelihood.deviance(fitted, b) / null:.4f}" if null > 0 else ""))
        y, mean, w = fitted.observed[0], fitted.means(b)[0], fitted.case_weights
        free = fitted.n_values - (fitted.n_values - rest if np.isfinite(rest) else table["edf"].sum() + 1)
        total = float(np.sum(w * (y - np.average(y, weights=w)) ** 2)) / (fitted.n_values - 1)
        if total > 0 and free > 0:
            rows.append(("R-squared, adjusted", f"{1 - float(np.sum(w * (y - mean) ** 2)) / free / total:.4f}"))
    return Table("Terms together", ("", ""), rows, left=1)
