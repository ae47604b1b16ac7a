"""Figures of simulation studies: risk against size, estimate against truth, fits with bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks import check_items, position, shown
from neuralstat.checks.arguments import SHARE, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = ("truth", "noise", "n")
POINTS = 400  # most points of a panel


def choose_cell(result: Any, **wanted: Any) -> tuple[Any, ...]:
    """The first cell (truth, noise, n) that fits what is given.

    Raises
    ------
    ArgumentError
        Where there is none.
    """
    frame = result.frame
    for name in CELL:
        value = wanted.get(name)
        if value is not None:
            known = frame[name].unique().tolist()
            at = position(value, known)
            if at is None:
                raise ArgumentError(f"plot: {name} must be one of {', '.join(map(repr, known))}; got {shown(value)}.")
            frame = frame[frame[name] == known[at]]
    if frame.empty:
        raise ArgumentError("plot: the study has no such cell.")
    return tuple(frame.iloc[0][name] for name in CELL)


def _asked(names: Any, argument: str) -> list[Any]:
    """The names that are asked for, one or several."""
    words = "a name, or several in a list"
    given = [names] if isinstance(names, str) else check_items(names, argument, words)
    if not given:
        raise ArgumentError(f"plot: {argument} must be {words}; got none.")
    return given


def _select(result: Any, cell: tuple[Any, ...]) -> Any:
    frame = result.frame
    return frame[(frame["truth"] == cell[0]) & (frame["noise"] == cell[1]) & (frame["n"] == cell[2])]


def _title(cell: tuple[Any, ...]) -> str:
    noise = cell[1] if isinstance(cell[1], str) else style.number(cell[1])
    return f"{cell[0]}, noise {noise}, n = {cell[2]}"


def _finite(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def plot_risk(
    result: Any, *, truth: Any = None, noise: Any = None, n: Any = None, estimators: Any = None, ax: Any = None
) -> Axes:
    """Prediction risk against the size of the models, with the mean of each estimate of it.

    Parameters
    ----------
    result : StudyResult
    truth, noise, n : optional
        The cell; the first one that fits where not given.
    estimators : sequence of str, optional
        Which to draw; all that estimate the prediction risk where not given.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        One line per kind of model that comes in several sizes, with quartiles over replicates as a band; other models
        are horizontal lines. Dashed: medians of the estimates.
    """
    cell = choose_cell(result, truth=truth, noise=noise, n=n)
    frame = _select(result, cell)
    drawn = list(dict.fromkeys(frame.loc[frame["target"] == "prediction_risk", "estimator"]))
    if estimators is not None:
        wanted = _asked(estimators, "estimators")
        lacking = [name for name in wanted if position(name, drawn) is None]
        if lacking:
            raise ArgumentError(f"plot: {shown(lacking[0])} estimates no prediction risk here; there are {', '.join(drawn)}.")
        drawn = wanted
    ax = style.target_axes(ax, (7.4, 4.6))
    one = frame[frame["estimator"] == frame["estimator"].iloc[0]]
    families = _families(one)
    for colour, (label, members) in zip(style.SERIES, families, strict=False):
        sizes = [size for size, _ in members]
        risks = [_finite(one.loc[one["model"] == name, "prediction_risk"]) for _, name in members]
        low, mid, high = (np.array([np.quantile(r, q) if r.size else np.nan for r in risks]) for q in (0.25, 0.5, 0.75))
        if len(members) == 1:
            ax.axhline(mid[0], color=colour, linewidth=1.6, label=style.entry(label))
            continue
        ax.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(sizes, mid, color=colour, linewidth=2.2, marker="o", markersize=4, label=style.entry(f"{label}: risk"))
        for dashes, name in zip(_DASHES, drawn, strict=False):
            rows = frame[frame["estimator"] == name]
            value = [np.median(v) if (v := _finite(rows.loc[rows["model"] == m, "estimate"])).size else np.nan
                     for _, m in members]  # fmt: skip
            ax.plot(sizes, value, color=colour, linewidth=1.3, linestyle=dashes, label=style.entry(f"{label}: {name}"))
    floor = float(np.nanmean(one["prediction_risk"] - one["risk"]))
    said = "noise variance" if isinstance(cell[1], int | float | np.number) else "risk of the truth"
    ax.axhline(floor, color=style.GREY, linewidth=1, linestyle=(0, (1, 2)), label=said)
    ax.set_xlabel("size (hidden units, basis functions)")
    ax.set_ylabel("prediction risk (median over replicates)")
    ax.set_title(_title(cell), loc="left", color=style.INK, fontsize=11, parse_math=False)
    _zoom(ax, one, floor)
    style.tidy(ax)
    style.legend(ax, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return ax


_DASHES = ((0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)), (0, (1, 1)), (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)))


def _families(one: Any) -> list[tuple[str, list[tuple[int, str]]]]:
    """(label, [(size, model)]) of models that differ in size only, and of the others one by one."""
    models = one.drop_duplicates("model")
    groups: dict[str, list[tuple[int, str]]] = {}
    for row in models.itertuples():
        words = [w for w in str(row.model).split(" ") if w != str(row.size)] if row.size else [str(row.model)]
        label = " ".join(words) if row.size else str(row.model)
        groups.setdefault(label or row.kind, []).append((int(row.size), row.model))
    return [(label, sorted(members)) for label, members in groups.items()]


def _zoom(ax: Axes, one: Any, floor: float) -> None:
    """Leave out what a few exploding fits would stretch the axis to."""
    values = _finite(one.groupby("model")["prediction_risk"].quantile(0.75))
    if values.size and floor > 0:
        top = max(values.max(), floor)
        if top > 50 * floor:
            ax.set_yscale("log")
        else:
            ax.set_ylim(0, 1.25 * top)


def plot_estimate(
    result: Any, *, truth: Any = None, noise: Any = None, n: Any = None, estimators: Any = None
) -> np.ndarray:
    """Each estimate against what it estimates, a point per replicate and model.

    Parameters
    ----------
    result : StudyResult
    truth, noise, n : optional
        The cell; the first one that fits where not given.
    estimators : sequence of str, optional
        All that estimate something where not given.

    Returns
    -------
    array of matplotlib Axes
        A panel per estimator, with the line of equality; bias and root mean squared error (medians of the errors where
        an estimate is infinite) in the corner.
    """
    cell = choose_cell(result, truth=truth, noise=noise, n=n)
    frame = _select(result, cell)
    frame = frame[frame["target"] != ""]
    known = list(dict.fromkeys(frame["estimator"]))
    names = known if estimators is None else _asked(estimators, "estimators")
    lacking = [name for name in names if position(name, known) is None]
    if lacking or not names:
        raise ArgumentError(f"plot: no estimator {shown(lacking[0])} that estimates something." if lacking else
                            "plot: no estimator of the study estimates something.")  # fmt: skip
    columns = 2 if len(names) == 4 else min(3, len(names))
    lines = -(-len(names) // columns)
    panels = style.target_grid(None, lines, columns, (3.5 * columns + 1.6, 3.2 * lines))
    models = list(dict.fromkeys(frame["model"]))
    for ax, name in zip(panels.flat, names, strict=False):
        rows = frame[frame["estimator"] == name]
        target = rows["target"].iloc[0]
        where = {"same_x": ", same x", "new_x": ", new x"}.get(str(rows["covariates"].iloc[0]), "")
        good = np.isfinite(rows["estimate"]) & np.isfinite(rows["error"])
        rows = rows[good]
        for k, model in enumerate(models):
            part = rows[rows["model"] == model].iloc[:POINTS]
            ax.scatter(part["estimate"] - part["error"], part["estimate"], s=9, alpha=0.5, linewidth=0,
                       color=_colour(k, len(models)), label=style.entry(model))  # fmt: skip
        _equality(ax, rows)
        ax.set_title(name, loc="left", fontsize=10, color=style.INK, parse_math=False)
        ax.set_xlabel(target.replace("_", " ").replace("deviance", "expected deviance") + where, fontsize=9)
        ax.set_ylabel("estimate", fontsize=9)
        ax.tick_params(labelsize=8)
        style.tidy(ax)
        if len(rows):
            rmse = float(np.sqrt(np.mean(rows["error"] ** 2)))
            style.note(ax, f"bias {style.number(rows['error'].mean(), 2)}, rmse {style.number(rmse, 2)}")
    panels = _used(panels, len(names))
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure = panels.flat[0].figure
    style.legend(figure, handles[:24], labels[:24], frameon=False, fontsize=8, loc="outside right upper", markerscale=2)
    figure.suptitle(_title(cell), x=0.01, ha="left", fontsize=11, color=style.INK,
                                    parse_math=False)  # fmt: skip
    return panels


def _equality(ax: Axes, rows: Any) -> None:
    """Limits that hold nearly all points, and the line of equality."""
    if not len(rows):
        return
    x, y = rows["estimate"] - rows["error"], rows["estimate"]
    for values, put in ((x, ax.set_xlim), (y, ax.set_ylim)):
        low, high = np.quantile(values, [0.005, 0.98])
        gap = 0.08 * max(high - low, 1e-12 * abs(high), np.finfo(float).tiny)
        put(low - gap, high + 3 * gap)
    ax.axline((float(x.iloc[0]), float(x.iloc[0])), slope=1, color=style.INK, linewidth=1, zorder=1)


@arguments(level=SHARE)
def plot_fits(
    result: Any, *, truth: Any = None, noise: Any = None, n: Any = None, models: Any = None, level: float = 0.9
) -> np.ndarray:
    """The truth, the mean of the fits over replicates, and bands that hold a share of them at each point.

    Parameters
    ----------
    result : StudyResult
    truth, noise, n : optional
        The cell; the first one that fits where not given.
    models : sequence of str, optional
        The first six where not given.
    level : float
        Share of the fits that the (pointwise) band holds.

    Returns
    -------
    array of matplotlib Axes
        A panel per model, against the first covariate, or, where there are several, against the truth.
    """
    cell = choose_cell(result, truth=truth, noise=noise, n=n)
    known = [key[3] for key in result.fits if key[:3] == cell]
    if not known:
        raise ArgumentError("plot: the study kept no fits; run it with keep_fits=True.")
    names = known[:6] if models is None else _asked(models, "models")
    for name in names:
        if position(name, known) is None:
            raise ArgumentError(f"plot: there is no model {shown(name)}; there are {', '.join(map(repr, known))}.")
    x, f = result.designs[cell]
    if f.ndim == 2:
        raise ArgumentError("plot: fits of replicates on different designs (target='new_x') cannot be drawn together.")
    single = x.shape[1] == 1
    across = x[:, 0] if single else f
    order = np.argsort(across, kind="stable")
    columns = 2 if len(names) == 4 else min(3, len(names))
    lines = -(-len(names) // columns)
    panels = style.target_grid(None, lines, columns, (3.6 * columns, 2.8 * lines))
    for ax, name in zip(panels.flat, names, strict=False):
        fits = result.fits[(*cell, name)]
        fits = fits[np.isfinite(fits).all(axis=1)][:, order]
        if fits.shape[0]:
            low, high = np.quantile(fits, [(1 - level) / 2, (1 + level) / 2], axis=0)
            ax.fill_between(across[order], low, high, color=style.BLUE, alpha=0.2, linewidth=0,
                            label=f"{level:.0%} of fits")  # fmt: skip
            ax.plot(across[order], np.mean(fits, axis=0), color=style.BLUE, linewidth=1.8, label="mean fit")
        ax.plot(across[order], f[order], color=style.ORANGE, linewidth=1.2, linestyle=(0, (4, 2)), label="truth")
        ax.set_title(name, loc="left", fontsize=10, color=style.INK, parse_math=False)
        ax.set_xlabel("x" if single else "truth", fontsize=9)
        ax.tick_params(labelsize=8)
        spread = np.ptp(f) + (0.0 if isinstance(cell[1], str) else 4 * cell[1])
        ax.set_ylim(f.min() - 0.35 * spread, f.max() + 0.35 * spread)
        style.tidy(ax)
    panels = _used(panels, len(names))
    style.legend(panels.flat[0], frameon=False, fontsize=8)
    panels.flat[0].figure.suptitle(_title(cell), x=0.01, ha="left", fontsize=11, color=style.INK,
                                    parse_math=False)  # fmt: skip
    return panels


def _used(panels: np.ndarray, count: int) -> np.ndarray:
    """The first panels, as a flat array; the others are removed."""
    for ax in panels.flat[count:]:
        ax.remove()
    return panels.flat[:count]


def _colour(k: int, count: int) -> Any:
    if count <= len(style.SERIES):
        return style.SERIES[k]
    from matplotlib import colormaps

    return colormaps["viridis"](k / max(count - 1, 1))
