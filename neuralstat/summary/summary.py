"""Summary of a fit: text for the terminal, HTML for a notebook, LaTeX for a paper."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..df import found, limits
from ..df.local import active, jacobian_work
from ..errors import ArgumentError, DfError
from ..families import Cox, Survival
from ..fitted import Fitted, fitted_of
from ..inference import clusters
from ..inference.diagnose import in_a_line
from ..inference.repetitions import reps as repetitions
from ..insight.layers import layer_table
from ..likelihood.criteria import criterion, r_criterion
from ..likelihood.several import UNLIKELY
from ..network.objective import resolve_activation
from . import row_sums, tables
from .call import call
from .coefficients import coefficient_tables, deviance_rows
from .strengths import strength_tables
from .tables import Pairs, Table, layers_table
from .terms import term_tables

SHOWN = 10  # repetitions listed
MOST_WORK = 3e11  # operations that a summary spends on degrees of freedom: some ten seconds
_CROSS_ENTROPY = ("ce", "ce_r", "ce_logit", "multinomial")


@dataclass(frozen=True)
class Summary:
    """A summary; printing it gives text, a notebook shows HTML.

    Attributes
    ----------
    title : str
    call : str
    header : Pairs
    tables : sequence of Table
    notes : sequence of str
        What the reader must know, a sentence or two each.

    Examples
    --------
    >>> import neuralstat as ns
    >>> summary = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0).summary()
    >>> summary.title
    'Neural network: accel ~ times'
    >>> summary.as_latex().count("tabular") > 0
    True
    """

    title: str
    call: str
    header: Pairs
    tables: Sequence[Table]
    notes: Sequence[str]

    def as_text(self) -> str:
        """Text of lines of 80 characters."""
        thick, thin = "=" * tables.WIDTH, "-" * tables.WIDTH
        parts = [
            tables.wrap(self.title.center(tables.WIDTH).rstrip())
            if len(self.title) > tables.WIDTH
            else self.title.center(tables.WIDTH).rstrip(),
            thick,
            self.header.text(),
        ]
        for table in self.tables:
            parts += [thin, table.text()]
        parts += [thick, *map(tables.wrap, self.notes), tables.wrap(f"Call: {self.call}")]
        return "\n".join(parts)

    def as_html(self) -> str:
        """A fragment of HTML."""
        parts = [f"<h4>{html.escape(self.title)}</h4>", self.header.html(), *(t.html() for t in self.tables)]
        parts += [f"<p>{html.escape(note)}</p>" for note in self.notes]
        parts.append(f"<p><code>{html.escape(self.call)}</code></p>")
        return f'<div class="neuralstat-summary">{"".join(parts)}</div>'

    def as_latex(self) -> str:
        """A fragment of LaTeX that needs the package booktabs."""
        parts = [
            rf"\textbf{{{tables.escape(self.title)}}}",
            self.header.latex(),
            *(t.latex() for t in self.tables),
        ]
        parts += [tables.escape(note) for note in self.notes]
        parts.append(rf"{{\raggedright\ttfamily {tables.escape(self.call)}\par}}")
        return "\n\n\\medskip\n\\noindent\n".join(parts) + "\n"

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.as_html()

    def _repr_latex_(self) -> str:
        return self.as_latex()


def summary(fit: Any) -> Summary:
    """Summarise a fit.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted

    Returns
    -------
    Summary
    """
    fitted = fitted_of(fit)
    name = (
        f"{fitted.design.response} by {fitted.network.topology}"
        if fitted.formula is None
        else fitted.formula
    )
    criteria = _criteria(fitted)
    coefficients, notes = coefficient_tables(fitted)
    of_terms, said = term_tables(fitted)
    notes = [*notes, *said]
    parts = [*(of_terms or [*coefficients, *strength_tables(fitted)]), _repetitions(fitted), _goodness(fitted)]
    if fitted.settings.layers is not None:
        parts.insert(0, _layers(fitted))
    deviances = deviance_rows(fitted, with_df=fitted.settings.compat is None and not _costly(fitted))
    if deviances:
        parts.append(Table("Deviance of the best repetition", ("", ""), deviances, left=1))
    if criteria:
        parts.append(Table("Information criteria of the best repetition", ("", ""), criteria, left=1))
    notes += [*clusters.said(fitted), *_notes(fitted)]
    return Summary(f"Neural network: {name}", call(fitted), Pairs(_header(fitted)), parts, notes)


def _header(fitted: Fitted) -> list[tuple[str, str]]:
    design, settings, network = fitted.design, fitted.settings, fitted.network
    response = (
        design.response if design.classes is None else f"{design.response} ({len(design.classes)} classes)"
    )
    held = network.n_params - fitted.k_params
    return [
        ("Response", response),
        ("Topology", network.topology),
        ("Activation", _activations(fitted)),
        ("Output", network.objective.output.name),
        ("Error", _error_name(fitted)),
        ("Penalty", _penalty(fitted)),
        ("Standardized", "yes" if design.scaling is not None else "no"),
        ("Observations", f"{fitted.nobs:,}"),
        *([("Rows used", f"{fitted.n_rows:,}")] if fitted.nobs != fitted.n_rows else []),
        ("Rows dropped", f"{design.kept.size - fitted.n_rows:,}"),
        *([("Clusters", _clusters(fitted))] if design.groups is not None else []),
        ("Weights trained", f"{fitted.k_params:,}"),
        ("Weights held out", f"{held:,}"),
        ("Algorithm", fitted.fit.algorithm or str(settings.algorithm)),
        ("Threshold", "none" if settings.threshold is None else f"{settings.threshold:g}"),
        ("Repetitions", f"{fitted.nrep} ({int(fitted.fit.converged.sum())} converged)"),
    ]


def _clusters(fitted: Fitted) -> str:
    """How many clusters, and of what."""
    name = fitted.settings.groups
    return f"{fitted.design.n_groups:,}{f' of {name}' if isinstance(name, str) else ''}"


def _activations(fitted: Fitted) -> str:
    """Hidden activations, once where all layers have the same."""
    names = [resolve_activation(layer.activation).name for layer in fitted.network.layers[:-1]
             if hasattr(layer, "activation")]  # fmt: skip
    return ", ".join(names if len(set(names)) > 1 else names[:1]) or "none (no hidden layer)"


def _layers(fitted: Fitted) -> Table:
    """Keras' table of a fit's layers."""
    inputs = "x".join(map(str, fitted.network.input_shape))
    beside = f" and {fitted.network.beside} beside" if fitted.network.beside else ""
    return layers_table(layer_table(fitted), f"Layers (input {inputs}{beside})")


def _error_name(fitted: Fitted) -> str:
    settings, objective = fitted.settings, fitted.network.objective
    if objective.several:
        kind = "loss" if isinstance(fitted.family, UNLIKELY) else "minus the log-likelihood"
        kind = "minus the log partial likelihood" if isinstance(fitted.family, Cox) else kind
        return f"{kind} ({objective.family})"
    if settings.family is not None:
        if fitted.likely.quasi:
            return f"half deviance ({fitted.likely})"
        return f"half deviance ({settings.family})"
    known = {"sse": "sse", "ce": "ce", "ce_r": "ce (R's shortcut)", "ce_logit": "ce"}
    return known.get(objective.name, objective.name)


def _repetitions(fitted: Fitted) -> Table:
    """The repetitions, the best first."""
    reps = repetitions(fitted)
    ranked = reps.assign(last=~reps["converged"], error=fitted.ranking)
    order = ranked.sort_values(["last", "error"], kind="stable").index[:SHOWN]
    estimated = ["log_evidence"] if "log_evidence" in reps else []
    rows = [
        (f"{r}", f"{reps.at[r, 'error']:.6g}", *(f"{reps.at[r, name]:.2f}" for name in estimated),
         f"{reps.at[r, 'reached_threshold']:.4g}", f"{reps.at[r, 'steps']:,}", "yes" if reps.at[r, "converged"] else "no",
         f"{reps.at[r, 'optimum']}")
        for r in order
    ]  # fmt: skip
    title = "Repetitions" if fitted.nrep <= SHOWN else f"Repetitions: the best {SHOWN} of {fitted.nrep}"
    error = "error + penalty" if fitted.penalised else "error"
    more = ["evidence" for _ in estimated]
    return Table(title, ("repetition", error, *more, "max |gradient|", "steps", "converged", "optimum"), rows)


def _averaged(fitted: Fitted) -> list[int]:
    """Repetitions whose mean is compared with the data: the converged ones, all where none is."""
    done = fitted.fit.finished
    return (np.flatnonzero(done) if done.any() else np.arange(fitted.nrep)).tolist()


def _goodness(fitted: Fitted) -> Table:
    """How close the averaged fit is to the data."""
    design, numbers = fitted.design, _averaged(fitted)
    number = len(numbers)
    what = f"mean of {number} repetitions" if number > 1 else "one repetition"
    if fitted.nrep > number or (number > 1 and fitted.converged):
        what = what.replace("repetition", "converged repetition")
    title = f"Fit to the data ({what})"
    if design.classes is not None:
        return Table(title, ("", ""), row_sums.classes(fitted, numbers), left=1)
    if fitted.network.objective.name in _CROSS_ENTROPY and row_sums.all_binary(fitted):
        columns = ("response", "wrong", "misclassification rate")
        return Table(title, columns, row_sums.binary(fitted, numbers), left=1)
    if isinstance(fitted.family, Survival):
        return _censoring(fitted)
    return Table(title, ("response", "RSS", "root mean square", "R-squared"), row_sums.numeric(fitted, numbers), left=1)


def _censoring(fitted: Fitted) -> Table:
    """How many times were observed, and how many censored how."""
    low, high = fitted.responses[:2]
    often = fitted.frequencies
    kinds = (("observed", low == high), ("right censored", high <= 0), ("left censored", (low <= 0) & (high > 0)),
             ("interval censored", (low > 0) & (high > low)))  # fmt: skip
    rows = [(name, f"{float(often[which].sum()):,.6g}") for name, which in kinds if which.any()]
    return Table("Times", ("", "number"), rows, left=1)


def _criteria(fitted: Fitted) -> list[tuple[str, str]]:
    """Rows (name with its degrees of freedom, value) of information criteria, and what R's neuralnet would say."""
    rows = []
    costly = _costly(fitted)
    if costly:
        rows.append(("AIC", costly))
    elif fitted.settings.compat is None:
        try:
            df = found(fitted, "auto")
            for name in ("aic", "aicc", "bic"):
                value = criterion(fitted, name, df, 0, None, "best", "statsmodels", None)
                label = {"aic": "AIC", "aicc": "AICc", "bic": "BIC"}[name]
                shown = "not defined: no degrees of freedom are left" if np.isnan(value) else f"{value:.6g}"
                error = "" if df.se is None else f", se {df.se:.2g}"
                rows.append((f"{label} (df = {float(df):.4g}{error}, {df.method})", shown))
        except (DfError, ArgumentError) as error:  # the reason stands in the place of the number
            rows.append(("AIC", f"not defined: {error}"))
    if not fitted.settings.likelihood and fitted.settings.compat != "R":
        return rows  # R's count of weights is no degrees of freedom
    b = fitted.best
    p = int(found(fitted, "weights", b + 1))
    rows.append((f"R's aic (2 error + 2 p, p = {p:,} weights)", f"{r_criterion(fitted, 2.0)[b]:.6g}"))
    if fitted.settings.likelihood:
        bic = r_criterion(fitted, np.log(fitted.nobs))[b]
        rows.append((f"R's bic (2 error + log(n) p, p = {p:,} weights)", f"{bic:.6g}"))
    return rows


def _costly(fitted: Fitted) -> str:
    """What stands in the place of criteria whose degrees of freedom would take minutes; nothing where they do not."""
    used = int(active(fitted, fitted.best).sum())
    if fitted.settings.compat is not None or jacobian_work(fitted, used)[1] <= MOST_WORK:
        return ""
    return f"not computed: degrees of freedom of {used:,} weights take long (fit.df('jacobian'), fit.aic)"


def _df_notes(fitted: Fitted) -> list[str]:
    """How the degrees of freedom shown were found, and where they mean little."""
    if fitted.settings.compat is not None or _costly(fitted) or isinstance(fitted.family, UNLIKELY):
        return []
    try:
        df = found(fitted, "auto")
    except DfError:
        return []
    plain = df.method == "jacobian" and len(df.notes) == 1 and len(fitted.network.layers) == 1
    first = [] if plain else [f"Degrees of freedom of AIC and BIC: {df.notes[0]}."]
    notes = [f"{note[0].upper()}{note[1:]}. AIC and BIC are derived for regular models." for note in df.notes[1:]]
    text = limits(fitted, "best") if df.method == "jacobian" else None
    return [*first, *notes] if text is None else [*first, *notes, text]


def _notes(fitted: Fitted) -> list[str]:
    """Sentences on convergence, optima and how to repeat the fit."""
    reps, notes = repetitions(fitted), []
    lost = reps[~fitted.fit.finished]
    for status, group in lost.groupby("status", sort=True):
        who = ", ".join(map(str, group.index[:SHOWN])) + (", ..." if len(group) > SHOWN else "")
        notes.append(
            f"WARNING: {len(group)} of {len(reps)} repetition(s) did not converge ({status}): {who}. The "
            f"largest partial derivative is {group['reached_threshold'].max():.4g}, at "
            f"{group['largest_gradient'][group['reached_threshold'].fillna(np.inf).idxmax()]}."
        )
    done = reps[reps["converged"]]
    if len(done) > 1 and not fitted.settings.minibatch:  # epochs end where they end, not at optima
        best = done["optimum"].min()
        seen = int((done["optimum"] == best).sum())
        if seen == 1:
            notes.append(
                f"WARNING: The best optimum was seen once in {len(reps)} repetitions: more repetitions may "
                f"find a better one.{_near(np.sort(fitted.ranking[reps['converged']]))}"
            )
        else:
            notes.append(
                f"The best optimum was seen {seen} times in {len(reps)} repetitions; "
                f"{done['optimum'].nunique()} distinct optima were found."
            )
    said = () if fitted.settings.minibatch else ("not converged", "single optimum")  # above
    diagnosis = in_a_line(fitted, said)
    notes += [] if diagnosis is None else [diagnosis]
    notes += _df_notes(fitted)
    drawn = fitted.settings.random_state is None and fitted.settings.startweights is None and not fitted.settings.exact
    if drawn:
        notes.append(f"To repeat this fit: random_state={fitted.seeds.entropy}.")
    return notes


def _near(errors: np.ndarray) -> str:
    """A hint where the second best error is so near that the stopping rule may be all that differs."""
    gap = (errors[1] - errors[0]) / abs(errors[0]) if errors[0] else np.inf
    if not gap < 0.01:
        return ""
    return (
        f" (The second best is {100 * gap:.2g}% above it: a smaller threshold tells "
        "whether it is another one.)"
    )


def _penalty(fitted: Fitted) -> str:
    """The penalty as it was given; "estimated" of terms of a structured formula."""
    given = fitted.settings.penalty
    if given is None:
        return "none" if fitted.fit.strengths is None else "estimated, by term"
    return str(given)
