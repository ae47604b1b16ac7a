"""Summary of a fit: text for the terminal, HTML for a notebook, LaTeX for a paper."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError, DfError
from . import tables
from .tables import Pairs, Table

if TYPE_CHECKING:
    import pandas as pd

    from ..results import NeuralNetResults

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


def summary(results: NeuralNetResults) -> Summary:
    """Summarise a fit.

    Parameters
    ----------
    results : NeuralNetResults

    Returns
    -------
    Summary
    """
    name = (
        f"{results.design.response} by {results.network.topology}"
        if results.formula is None
        else results.formula
    )
    criteria = _criteria(results)
    parts = [_repetitions(results), _goodness(results)]
    if results.settings.layers is not None:
        parts.insert(0, _layers(results))
    if criteria:
        parts.append(Table("Information criteria of the best repetition", ("", ""), criteria, left=1))
    return Summary(f"Neural network: {name}", results.call, Pairs(_header(results)), parts, _notes(results))


def _header(results: NeuralNetResults) -> list[tuple[str, str]]:
    design, settings, network = results.design, results.settings, results.network
    response = (
        design.response if design.classes is None else f"{design.response} ({len(design.classes)} classes)"
    )
    held = network.n_params - results.k_params
    return [
        ("Response", response),
        ("Topology", network.topology),
        ("Activation", _activations(results)),
        ("Output", network.objective.output.name),
        ("Error", _error_name(results)),
        ("Penalty", "none" if settings.penalty is None else str(settings.penalty)),
        ("Standardized", "yes" if design.scaling is not None else "no"),
        ("Observations", f"{results.nobs:,}"),
        ("Rows dropped", f"{design.kept.size - results.nobs:,}"),
        ("Weights trained", f"{results.k_params:,}"),
        ("Weights held out", f"{held:,}"),
        ("Algorithm", results.algorithm),
        ("Threshold", "none" if settings.threshold is None else f"{settings.threshold:g}"),
        ("Repetitions", f"{results.nrep} ({int(results.fit.converged.sum())} converged)"),
    ]


def _activations(results: NeuralNetResults) -> str:
    """Hidden activations, once where all layers have the same."""
    from ..network.objective import resolve_activation

    names = [resolve_activation(layer.activation).name for layer in results.network.layers[:-1]
             if hasattr(layer, "activation")]  # fmt: skip
    return ", ".join(names if len(set(names)) > 1 else names[:1]) or "none (no hidden layer)"


def _layers(results: NeuralNetResults) -> Table:
    """Keras' table of a fit's layers."""
    inputs = "x".join(map(str, results.network.input_shape))
    beside = f" and {results.network.beside} beside" if results.network.beside else ""
    return layers_table(results.layer_table, f"Layers (input {inputs}{beside})")


def layers_table(table: pd.DataFrame, title: str) -> Table:
    """Keras' table, a row per layer and the sums, of a `layer_table`."""
    rows = [
        (f"{name} ({row.kind})", str(row.output_shape), f"{row.params:,}", f"{row.trained:,}")
        for name, row in zip(table.index, table.itertuples(), strict=True)
    ]
    rows.append(("all layers", "", f"{table['params'].sum():,}", f"{table['trained'].sum():,}"))
    return Table(title, ("layer", "output shape", "parameters", "trained"), rows, left=2)


def _error_name(results: NeuralNetResults) -> str:
    settings, goal = results.settings, results.network.objective
    if settings.family is not None:
        return f"half deviance ({settings.family})"
    known = {"sse": "sse", "ce": "ce", "ce_r": "ce (R's shortcut)", "ce_logit": "ce"}
    return known.get(goal.name, goal.name)


def _repetitions(results: NeuralNetResults) -> Table:
    """The repetitions, the best first."""
    reps = results.reps
    order = reps.assign(last=~reps["converged"]).sort_values(["last", "error"], kind="stable").index[:SHOWN]
    rows = [
        (f"{r}", f"{reps.at[r, 'error']:.6g}", f"{reps.at[r, 'reached_threshold']:.4g}",
         f"{reps.at[r, 'steps']:,}", "yes" if reps.at[r, "converged"] else "no", f"{reps.at[r, 'optimum']}")
        for r in order
    ]  # fmt: skip
    title = "Repetitions" if results.nrep <= SHOWN else f"Repetitions: the best {SHOWN} of {results.nrep}"
    error = "error" if results.settings.penalty is None else "error + penalty"
    return Table(title, ("repetition", error, "max |gradient|", "steps", "converged", "optimum"), rows)


def _averaged(results: NeuralNetResults) -> tuple[np.ndarray, int]:
    """Mean (n, K) of the outputs over the converged repetitions (all where none is), and their number."""
    done = results.fit.converged
    numbers = np.flatnonzero(done) if done.any() else np.arange(results.nrep)
    return np.mean([results.net_result[b].to_numpy() for b in numbers], axis=0), numbers.size


def _goodness(results: NeuralNetResults) -> Table:
    """How close the averaged fit is to the data."""
    design = results.design
    mean, number = _averaged(results)
    y = design.y.T if design.scaling is None else design.scaling.y_original(design.y).T
    w = np.ones(y.shape[0]) if design.weights is None else design.weights
    what = f"mean of {number} repetitions" if number > 1 else "one repetition"
    if results.nrep > number or (number > 1 and results.converged):
        what = what.replace("repetition", "converged repetition")
    title = f"Fit to the data ({what})"
    if design.classes is not None:
        return Table(title, ("", ""), _class_rows(y, mean, w), left=1)
    if results.network.objective.name in _CROSS_ENTROPY and np.isin(y, (0.0, 1.0)).all():
        columns = ("response", "wrong", "misclassification rate")
        return Table(title, columns, _binary_rows(design.y_names, y, mean, w), left=1)
    rows = [(name, *_numeric_row(y[:, k], mean[:, k], w)) for k, name in enumerate(design.y_names)]
    return Table(title, ("response", "RSS", "root mean square", "R-squared"), rows, left=1)


def _class_rows(y: np.ndarray, mean: np.ndarray, w: np.ndarray) -> list[tuple[str, str]]:
    if not np.isfinite(mean).all():
        return [("Misclassification rate", "fit not finite")]
    observed, fitted = (
        (y[:, 0] > 0.5, mean[:, 0] > 0.5) if y.shape[1] == 1 else (y.argmax(axis=1), mean.argmax(axis=1))
    )
    wrong = observed != fitted
    rate = np.average(wrong, weights=w)
    return [("Misclassification rate", f"{rate:.4f} ({int(wrong.sum())} of {wrong.size} wrong)")]


def _binary_rows(
    names: Sequence[str], y: np.ndarray, mean: np.ndarray, w: np.ndarray
) -> list[tuple[str, str, str]]:
    wrong = (y > 0.5) != (mean > 0.5)
    return [
        (name, f"{int(wrong[:, k].sum())} of {wrong.shape[0]}", f"{np.average(wrong[:, k], weights=w):.4f}")
        if np.isfinite(mean[:, k]).all() else (name, "", "fit not finite")
        for k, name in enumerate(names)
    ]  # fmt: skip


def _numeric_row(y: np.ndarray, mean: np.ndarray, w: np.ndarray) -> tuple[str, str, str]:
    """RSS, root of the mean squared residual and R^2, weighted as the fit was."""
    if not np.isfinite(mean).all():
        return "fit not finite", "", ""
    rss = float(np.sum(w * (y - mean) ** 2))
    total = float(np.sum(w * (y - np.average(y, weights=w)) ** 2))
    share = f"{1 - rss / total:.4f}" if total > 0 else "constant response"
    return f"{rss:.6g}", f"{np.sqrt(rss / w.sum()):.6g}", share


def _criteria(results: NeuralNetResults) -> list[tuple[str, str]]:
    """Rows (name with its degrees of freedom, value) of information criteria, and what R's neuralnet would say."""
    rows = []
    costly = _costly(results)
    if costly:
        rows.append(("AIC", costly))
    elif results.settings.compat is None:
        try:
            df = results._df("jacobian")
            for name in ("aic", "aicc", "bic"):
                value = results.info_criteria(name)
                label = {"aic": "AIC", "aicc": "AICc", "bic": "BIC"}[name]
                rows.append((f"{label} (df = {float(df):.4g}, {df.method})", f"{value:.6g}"))
        except (DfError, ArgumentError) as error:  # the reason stands in the place of the number
            rows.append(("AIC", f"not defined: {error}"))
    b = results.best - 1
    p = int(results._df("weights", b + 1))
    rows.append((f"R's aic (2 error + 2 p, p = {p:,} weights)", f"{results.r_criterion(2.0)[b]:.6g}"))
    if results.settings.likelihood:
        bic = results.r_criterion(np.log(results.nobs))[b]
        rows.append((f"R's bic (2 error + log(n) p, p = {p:,} weights)", f"{bic:.6g}"))
    return rows


def _costly(results: NeuralNetResults) -> str:
    """What stands in the place of criteria whose degrees of freedom would take minutes; nothing where they do not."""
    from ..df.local import active, jacobian_work

    used = int(active(results, results.best - 1).sum())
    if results.settings.compat is not None or jacobian_work(results, used)[1] <= MOST_WORK:
        return ""
    return f"not computed: degrees of freedom of {used:,} weights take long (fit.df('jacobian'), fit.aic)"


def _df_notes(results: NeuralNetResults) -> list[str]:
    """Where the degrees of freedom shown mean little."""
    from ..df import limits

    if results.settings.compat is not None or _costly(results):
        return []
    try:
        df = results._df("jacobian")
    except DfError:
        return []
    notes = [f"{note[0].upper()}{note[1:]}. AIC and BIC are derived for regular models." for note in df.notes]
    text = limits(results, "best")
    return notes if text is None else [*notes, text]


def _notes(results: NeuralNetResults) -> list[str]:
    """Sentences on convergence, optima and how to repeat the fit."""
    reps, notes = results.reps, []
    lost = reps[~reps["converged"]]
    for status, group in lost.groupby("status", sort=True):
        who = ", ".join(map(str, group.index[:SHOWN])) + (", ..." if len(group) > SHOWN else "")
        notes.append(
            f"WARNING: {len(group)} of {len(reps)} repetition(s) did not converge ({status}): {who}. The "
            f"largest partial derivative is {group['reached_threshold'].max():.4g}, at "
            f"{group['largest_gradient'][group['reached_threshold'].fillna(np.inf).idxmax()]}."
        )
    done = reps[reps["converged"]]
    if len(done) > 1 and not results.settings.minibatch:  # epochs end where they end, not at optima
        best = done["optimum"].min()
        seen = int((done["optimum"] == best).sum())
        if seen == 1:
            notes.append(
                f"WARNING: The best optimum was seen once in {len(reps)} repetitions: more repetitions may "
                f"find a better one.{_near(np.sort(done['error']))}"
            )
        else:
            notes.append(
                f"The best optimum was seen {seen} times in {len(reps)} repetitions; "
                f"{done['optimum'].nunique()} distinct optima were found."
            )
    notes += _df_notes(results)
    if results.settings.random_state is None and results.settings.startweights is None:
        notes.append(f"To repeat this fit: random_state={results.seeds.entropy}.")
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
