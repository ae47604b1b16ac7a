"""The result of a study: one tidy table, summaries, figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import Choice, arguments
from ..plots import study as figures
from .estimators import DEVIANCE, ESTIMATION, NEW, PREDICTION, SAME
from .plan import Chunk, Plan, empty
from .store import Store

LONGEST = 1_000_000  # replicates of a file
CELL = ["truth", "noise", "n"]
COLUMNS = (*CELL, "model", "kind", "size", "replicate", "estimator", "estimate", "target", "covariates", "error", "risk",
           "prediction_risk", "risk_same_x", "risk_new_x", "prediction_risk_same_x", "prediction_risk_new_x",
           "training_error", "optimism", "df", "covariance", "seconds", "status")  # fmt: skip


class Collected:
    """Arrays of all chunks of a study, by cell and model.

    Parameters
    ----------
    plan : Plan
    replicates : int
    keep_fits : bool
    """

    def __init__(self, plan: Plan, replicates: int, keep_fits: bool) -> None:
        self.plan, self.replicates, self.keep_fits = plan, replicates, keep_fits
        self.parts: dict[tuple[int, int], dict[str, np.ndarray]] = {}
        self.done: dict[tuple[int, int], np.ndarray] = {}
        self._drawn: dict[int, dict[int, np.ndarray]] = {}  # noise by cell and replicate
        for cell in range(len(plan.cells)):
            for model in range(len(plan.models)):
                self.done[cell, model] = np.zeros(replicates, bool)

    def add(self, chunk: Chunk, arrays: dict[str, np.ndarray]) -> None:
        """Take over the replicates of a chunk."""
        cell, model, first, last = chunk
        last = min(last, self.replicates)
        if first >= last:
            return
        if (cell, model) not in self.parts:
            blank = empty(self.replicates, self.plan.cells[cell].n if self.keep_fits else 0, len(self.plan.estimators), "")
            blank["status"] = np.full(self.replicates, "", object)
            self.parts[cell, model] = blank
        for name, values in self.parts[cell, model].items():
            if name != "fitted" or self.keep_fits:
                values[first:last] = arrays[name][: last - first]
        self.done[cell, model][first:last] = True

    def restore(self, store: Store) -> list[Chunk]:
        """Take over what a checkpoint holds; what is missing."""
        for chunk in store.chunks():
            cell, model, first, last = chunk
            known = (cell, model) in self.done and first < self.replicates
            if not known or self.done[cell, model][first : min(last, self.replicates)].all():
                continue
            if not first < last <= first + LONGEST:
                continue
            like = empty(last - first, self.plan.cells[cell].n, len(self.plan.estimators), "")
            arrays = store.read(chunk, like)
            if arrays is not None:
                self.add(chunk, arrays)
        return self.missing()

    def missing(self) -> list[Chunk]:
        """Ranges of replicates that are not there."""
        out = []
        for (cell, model), done in self.done.items():
            edges = np.flatnonzero(np.diff(np.concatenate([[0], (~done).astype(np.int8), [0]])))
            out += [(cell, model, int(a), int(b)) for a, b in edges.reshape(-1, 2)]
        return out

    def fraction(self) -> float:
        """Share that is done."""
        return float(np.mean([done.mean() for done in self.done.values()]))

    def result(self, seconds: float, complete: bool) -> StudyResult:
        """The table of what is there."""
        frames = [self._frame(cell, model) for cell, model in sorted(self.parts)]
        frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
        for name in ("truth", "model", "kind", "estimator", "target", "covariates", "status"):
            frame[name] = frame[name].astype(str).astype(object)
        fits: dict[tuple[Any, ...], np.ndarray] = {}
        designs: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray]] = {}
        true_df: dict[tuple[Any, ...], tuple[float, float]] = {}
        for (cell, model), part in self.parts.items():
            where = self.plan.cells[cell]
            at = where.key
            if not where.anew:
                points = self.plan.points(cell)
                designs[at] = points.x, points.f
            elif at not in designs:
                drawn = [self.plan.points(cell, int(r)) for r in np.flatnonzero(self.done[cell, model])]
                designs[at] = np.stack([p.x for p in drawn]), np.stack([p.f for p in drawn])
            if self.keep_fits:
                fit = (*at, self.plan.models[model].name)
                fits[fit] = part["fitted"][self.done[cell, model]]
                if not where.anew:
                    true_df[fit] = self._true_df(cell, np.flatnonzero(self.done[cell, model]), fits[fit])
        networks = round(sum(float(np.nansum(p["networks"])) for p in self.parts.values()))
        return StudyResult(frame, fits, designs, complete, seconds, networks, true_df)

    def _true_df(self, cell: int, replicates: np.ndarray, fits: np.ndarray) -> tuple[float, float]:
        """Sum of the covariances of natural parameter and response over the dispersion, and its error, from replicates."""
        where, points = self.plan.cells[cell], self.plan.points(cell)
        good = np.isfinite(fits).all(axis=1)
        t = int(good.sum())
        if t < 2:
            return np.nan, np.nan
        if cell not in self._drawn:
            self._drawn[cell] = {}
        drawn = self._drawn[cell]
        for r in replicates[good]:
            if r not in drawn:
                drawn[r] = where.response(points.f, int(r), points.x) - points.f
        eps, reply = np.stack([drawn[r] for r in replicates[good]]), where.noise.natural(fits[good])
        scale = self.plan.dispersion(cell, points) * (t - 1) / t
        terms = np.sum((reply - reply.mean(axis=0)) * eps, axis=1) / scale
        return float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(t))

    def _frame(self, cell: int, model: int) -> pd.DataFrame:
        plan, part, done = self.plan, self.parts[cell, model], self.done[cell, model]
        where, spec, at = plan.cells[cell], plan.models[model], np.flatnonzero(done)
        e, training = len(plan.estimators), part["training_error"][at]
        risks = {SAME: part["risk"][at], NEW: part["risk_new"][at]}
        predictions = {SAME: risks[SAME] + part["level"][at], NEW: risks[NEW] + part["level_new"][at]}
        risk, prediction = risks[plan.target], predictions[plan.target]
        with np.errstate(divide="ignore", invalid="ignore"):
            family = where.n * predictions[SAME]  # of families: expected deviance
            normal = where.n * np.log(2 * np.pi * training) + family / training
        deviance = normal if where.noise.additive else family
        nothing = np.full(at.size, np.nan)
        against = [est.covariates or plan.target for est in plan.estimators]
        aims = {PREDICTION: predictions, ESTIMATION: risks, DEVIANCE: {SAME: deviance, NEW: nothing}}
        empty_aim = {SAME: nothing, NEW: nothing}
        aim = np.column_stack([
            aims.get(est.target, empty_aim)[c] for est, c in zip(plan.estimators, against, strict=True)
        ])  # fmt: skip
        estimate = part["estimates"][at]

        def repeat(values: np.ndarray) -> np.ndarray:
            return np.repeat(values, e)

        noise = where.noise.value
        return pd.DataFrame({
            "truth": where.problem.name, "noise": noise, "n": where.n, "model": spec.name, "kind": spec.kind,
            "size": spec.size, "replicate": repeat(at), "estimator": [est.name for est in plan.estimators] * at.size,
            "estimate": estimate.ravel(), "target": [est.target for est in plan.estimators] * at.size,
            "covariates": [c if est.target else "" for est, c in zip(plan.estimators, against, strict=True)] * at.size,
            "error": (estimate - aim).ravel(), "risk": repeat(risk), "prediction_risk": repeat(prediction),
            "risk_same_x": repeat(risks[SAME]), "risk_new_x": repeat(risks[NEW]),
            "prediction_risk_same_x": repeat(predictions[SAME]), "prediction_risk_new_x": repeat(predictions[NEW]),
            "training_error": repeat(training), "optimism": repeat(prediction - training),
            "df": repeat(part["df"][at]), "covariance": repeat(part["covariance"][at]),
            "seconds": repeat(part["seconds"][at]) + part["estimator_seconds"][at].ravel(),
            "status": repeat(part["status"][at]),
        }, columns=list(COLUMNS))  # fmt: skip


class StudyResult:
    """What `study` returns.

    Attributes
    ----------
    frame : DataFrame
        A row per truth, noise, n, model, replicate and estimator, with the columns

        ``kind``, ``size``
            "net", "bs", "cr", ...; hidden units or basis functions (0 where that has no meaning).
        ``estimate``, ``target``, ``covariates``, ``error``
            The estimate; what it estimates ("prediction_risk", "risk", "deviance", or nothing), at the covariates of the
            fit ("same_x") or at new ones ("new_x"), whatever the study's target is; their difference.
        ``risk``
            At the covariates of the study's `target`: expected loss of the fit beyond that of the truth, of squared
            error the mean squared distance to it.
        ``prediction_risk``
            Expected loss of a new response there; of squared error the risk plus the noise's variance.
        ``risk_same_x``, ``risk_new_x``, ``prediction_risk_same_x``, ``prediction_risk_new_x``
            The same at the covariates of the fit, and at new covariates of their law.
        ``training_error``, ``optimism``
            Mean loss of the responses; prediction risk less training error.
        ``df``, ``covariance``
            Analytic degrees of freedom of the fit; (fit - truth)'(response - truth) / sigma^2 (of families, fit and truth
            on the scale of the natural parameter), whose mean over replicates is the true degrees of freedom.
        ``seconds``
            Of the fit and the estimator.
        ``status``
            "ok", "not converged" (the numbers are those of what was reached), "not finite", "failed: ..." (the model
            raised), "worker died: ...", "<estimator> failed: ..."; "not saved: ..." where the checkpoint could not be
            written (the numbers are good).
    fits : dict
        (truth, noise, n, model) -> fitted values (replicates, n).
    designs : dict
        (truth, noise, n) -> covariates (n, D) and means (n,); with a replicate's design in front where each has its own.
    true_df : dict
        (truth, noise, n, model) -> true degrees of freedom (sum of the covariances of fit and response over sigma^2) and
        their standard error, where fits were kept and replicates share a design.
    complete : bool
        False after Ctrl-C.
    seconds : float
    networks : int
        Networks trained, refits included, those of a checkpoint too.

    Examples
    --------
    >>> import neuralstat as ns
    >>> done = ns.study([ns.study.bs(4)], "sine", 0.3, 60, replicates=10, random_state=1, n_jobs=1)
    >>> done.complete, len(done.frame)  # three estimators of ten replicates
    (True, 30)
    >>> done.frame.columns[:4].tolist()
    ['truth', 'noise', 'n', 'model']
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        fits: dict[tuple[Any, ...], np.ndarray],
        designs: dict[tuple[Any, ...], tuple[np.ndarray, np.ndarray]],
        complete: bool = True,
        seconds: float = 0.0,
        networks: int = 0,
        true_df: dict[tuple[Any, ...], tuple[float, float]] | None = None,
    ) -> None:
        self.frame, self.fits, self.designs = frame, fits, designs
        self.complete, self.seconds, self.networks = complete, seconds, networks
        self.true_df = {} if true_df is None else true_df

    def summary(self) -> pd.DataFrame:
        """Means over replicates, by truth, noise, n, model and estimator.

        Returns
        -------
        DataFrame
            ``replicates`` (with a finite estimate), ``estimate``, ``target_mean`` (mean of what is estimated), ``bias``
            and its Monte-Carlo standard error ``bias_se``, ``sd`` and ``rmse`` of the error, ``risk``,
            ``training_error``, ``df``, ``true_df`` and its standard error ``true_df_se`` (from the fits; where they
            were not kept from the column ``covariance``, which is less precise for biased fits), ``failed`` (rows
            without an estimate).
        """
        keys = [*CELL, "model", "estimator"]
        table = self.frame.replace([np.inf, -np.inf], np.nan)
        table = table.assign(aim=table["estimate"] - table["error"], square=table["error"] ** 2)
        groups = table.groupby(keys, sort=False)
        count = groups["error"].count().clip(lower=1)
        draws = groups["covariance"].count().clip(lower=1)
        out = pd.DataFrame({
            "replicates": groups["estimate"].count(), "estimate": groups["estimate"].mean(),
            "target_mean": groups["aim"].mean(), "bias": groups["error"].mean(),
            "bias_se": groups["error"].std() / np.sqrt(count), "sd": groups["error"].std(),
            "rmse": np.sqrt(groups["square"].mean()), "risk": groups["risk"].mean(),
            "training_error": groups["training_error"].mean(), "df": groups["df"].mean(),
            "true_df": groups["covariance"].mean(), "true_df_se": groups["covariance"].std() / np.sqrt(draws),
            "failed": groups["estimate"].size() - groups["estimate"].count(),
        })  # fmt: skip
        if self.true_df:
            known = [self.true_df.get(key[:4], (np.nan, np.nan)) for key in out.index]
            out["true_df"], out["true_df_se"] = [k[0] for k in known], [k[1] for k in known]
        return out

    def selected(self) -> pd.DataFrame:
        """What choosing the model of least estimate costs, by truth, noise, n and estimator.

        Returns
        -------
        DataFrame
            ``risk`` of the chosen models (mean over replicates), ``oracle`` (the least risk among the models in each
            replicate), ``ratio`` of the two, ``model`` (the one chosen most often).
        """
        table = self.frame[np.isfinite(self.frame["risk"])]
        keys = [*CELL, "replicate"]
        oracle = table.groupby(keys)["risk"].min().rename("oracle")
        table = table[np.isfinite(table["estimate"])]
        best = table.loc[table.groupby([*keys, "estimator"], sort=False)["estimate"].idxmin()].join(oracle, on=keys)
        groups = best.groupby([*CELL, "estimator"], sort=False)
        out = groups[["risk", "oracle"]].mean()
        out["ratio"] = out["risk"] / out["oracle"]
        out["model"] = groups["model"].agg(lambda m: m.value_counts().index[0])
        return out

    @arguments(kind=Choice("risk", "estimate", "fits"))
    def plot(self, kind: str = "risk", **options: Any) -> Any:
        """A figure of the study.

        Parameters
        ----------
        kind : {"risk", "estimate", "fits"}
            "risk": risk against the models' size, with the estimates' means; "estimate": estimate against what it
            estimates, a point per replicate; "fits": data's truth, mean fit and bands of the fits over replicates.
        **options
            Of `neuralstat.plots.study.plot_risk`, `plot_estimate`, `plot_fits`: `truth`, `noise`, `n` choose
            the cell (the first where not given).

        Returns
        -------
        matplotlib Axes or array of Axes
        """
        known: dict[str, Any] = {"risk": figures.plot_risk, "estimate": figures.plot_estimate, "fits": figures.plot_fits}
        return known[kind](self, **options)

    def __repr__(self) -> str:
        frame = self.frame
        what = ", ".join(f"{frame[c].nunique()} {c}" for c in ("truth", "noise", "n", "model", "estimator", "replicate"))
        bad = int((frame.loc[:, "status"] != "ok").sum())
        end = "" if self.complete else " Interrupted."
        return (
            f"<StudyResult: {what}; {len(frame)} rows, {bad} with a status that is not ok; {self.networks} networks, "
            f"{self.seconds:.1f} s.{end}>"
        )

    def _repr_html_(self) -> str:
        return self.summary().to_html()
