"""A formula and a Dask DataFrame -> `ClusterDesign`, whose rows are encoded and kept by the workers that have them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, DataWarning
from ..formula import rows as checks
from ..formula.look import Look, options_of
from ..formula.parts import Design, Scaling
from . import sums
from .away import Away
from .passes import Columns
from .rows import Rows, placed

if TYPE_CHECKING:
    from ..formula.request import Options
    from ..network.network import Network


def _none() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class ClusterDesign(Design):
    """A design whose rows are on workers: arrays of n columns are `Away`, and sums over rows are asked for.

    Attributes
    ----------
    rows : Rows
    seen : float
        Observations: rows of positive weight, each as often as its frequency says.
    often : float
        Rows, each as often as its frequency says.
    limits : (D, 2) array
        Least and largest value of every column, internal units.
    of_responses : (K, 2) array
        Least and largest value of every response, internal units.
    means : (K,) array
        Weighted means of the responses, internal units.
    known : (K,) array
        Mean of the offset, internal units.
    total_weight : float
    """

    rows: Rows | None = None
    seen: float = 0.0
    often: float = 0.0
    limits: np.ndarray = field(default_factory=_none)
    of_responses: np.ndarray = field(default_factory=_none)
    means: np.ndarray = field(default_factory=_none)
    known: np.ndarray = field(default_factory=_none)
    total_weight: float = 0.0

    @property
    def away(self) -> bool:
        """True: the rows are not on this machine."""
        return True

    @property
    def observations(self) -> float:
        """Observations that the rows stand for; as in R, a row of weight 0 is none."""
        return self.seen

    @property
    def counted(self) -> float:
        """Rows that means of errors are over, each as often as its frequency says; those of weight 0 are among them."""
        return self.often

    @property
    def held(self) -> Rows:
        """The rows, on workers."""
        assert self.rows is not None
        return self.rows

    def spread(self, network: Network, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Least, largest and mean (B, K) of linear predictors without the offset, over all rows, of a stack (B, P)."""
        found = self.held.gathered(sums.outputs, network, theta)
        limits = np.stack([low_high for low_high, _ in found])
        total = sum(part for _, part in found)
        return limits[..., 0].min(axis=0), limits[..., 1].max(axis=0), np.asarray(total) / self.y.shape[1]

    def sum_of_responses(self, function: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
        """Sum over the rows of ``function(y, w, *arguments)`` of responses (K, m) and case weights (m,), internal units."""
        return self.held.total(sums.of_responses, function, arguments)[0]


def cluster_design(
    formula: str, data: Any, client: Any, *, context: Mapping[str, Any] | None = None, **given: Any
) -> ClusterDesign:
    """Evaluate a formula on a Dask DataFrame, on the workers.

    Three passes over the partitions: levels of factors and numbers of rows; columns, with their means; standard deviations.
    Transforms with a state are found before the columns, by passes over what they are of (`formula.learned`).

    Parameters
    ----------
    formula : str
    data : Dask DataFrame
    client : distributed.Client
    context : mapping, optional
    **given
        As in `neuralstat.formula.design`; `weights` and `offset` must be column names.

    Returns
    -------
    ClusterDesign

    Raises
    ------
    ArgumentError
        For what needs all rows at once, and for `groups`.
    DataError
        Where the data do not fit.
    """
    options = options_of(given)
    if options.groups is not None:
        raise ArgumentError("groups: fits on a Dask cluster have no clusters of rows; give ns.chunks(data), which is read to "
                            "this machine.")  # fmt: skip
    delayed = data.to_delayed()
    places = placed(client, delayed)
    tables = [client.compute(part, workers=[worker], allow_other_workers=True)
              for part, worker in zip(delayed, places, strict=True)]  # fmt: skip
    raw = Rows(client, tables, places)
    look = _looked(raw, formula, options, context)
    made = look.spec(Columns(raw))
    spec = made.spec
    parts = Rows(client, raw.mapped(sums.encode, raw.made(_same, spec), raw.made(_same, options), options.err_needs), places)
    del tables, raw  # the workers' copies of the tables; what made them is known to the scheduler
    counts, x_sum, y_sum, known = parts.total(sums.moments)
    n, used, seen, weight, often = (float(v) for v in counts)
    _say_dropped(look, options, int(n))
    found = parts.gathered(sums.ranges)
    filled = [k for k, (_, _, _, size) in enumerate(found) if size]
    found, parts = [found[k] for k in filled], Rows(client, [parts.parts[k] for k in filled], [places[k] for k in filled])
    _check_weights(options, max(largest for _, _, largest, _ in found), weight)
    within, over = (np.stack([f[k] for f in found]) for k in (0, 1))
    scaling = _scaling(parts, made, options, within, x_sum / weight, y_sum / weight, used if "freq_weights" not in
                       options.per_row else seen) if options.standardize else None  # fmt: skip
    scaled = Rows(client, parts.mapped(sums.scaled, scaling), parts.places)
    scaled.moved = parts.moved
    scaled.checks = scaled.gathered(sums.check_of)
    both = np.stack([over[..., 0].min(axis=0), over[..., 1].max(axis=0)], axis=1)
    limits, of_responses = both[: len(spec.x_names)], both[len(spec.x_names) :]
    means, known = y_sum / weight, known / n
    if scaling is not None:
        limits = (limits - scaling.x_mean[:, np.newaxis]) / scaling.x_sd[:, np.newaxis]
        of_responses = scaling.y_internal(of_responses)
        means, known = (means - scaling.y_mean) / scaling.y_sd, known / scaling.y_sd
    d, k, m = len(spec.x_names), len(spec.y_names), int(n)
    return ClusterDesign(
        **{**{name: getattr(made, name) for name in ("x_names", "y_names", "terms", "classes", "response")},
           "x": Away((d, m)), "y": Away((k, m)), "weights": Away((m,)) if weighted(options) else None,
           "offset": Away((k, m)) if spec.has_offset else None, "index": pd.RangeIndex(m),
           "full_index": pd.RangeIndex(look.total), "kept": Away((look.total,), bool), "scaling": scaling,
           "spec": replace(spec, scaling=scaling), "frame": Away((m, len(made.frame.columns))),
           "frequencies": Away((m,)) if "freq_weights" in options.per_row else None, "reads": made.reads},
        rows=scaled, seen=seen, often=often, limits=limits, of_responses=of_responses, means=means, known=known,
        total_weight=weight,
    )  # fmt: skip


def part_design(design: ClusterDesign, part: sums.Part) -> Design:
    """The design of the rows of one part, where these are."""
    n = part.y.shape[1]
    own: dict[str, Any] = {name: getattr(design, name) for name in ("x_names", "y_names", "terms", "classes", "response",
                                                                    "scaling", "spec", "reads")}  # fmt: skip
    return Design(
        x=part.x, y=part.y, weights=part.weight, offset=part.offset, frequencies=part.frequency, index=pd.RangeIndex(n),
        full_index=pd.RangeIndex(n), kept=np.ones(n, bool), frame=pd.DataFrame(index=pd.RangeIndex(n)), **own,
    )  # fmt: skip


def weighted(options: Options) -> bool:
    """Whether rows have case weights."""
    return any(name in options.per_row for name in checks.WEIGHTS)


def _same(thing: Any) -> Any:
    return thing


def _looked(raw: Rows, formula: str, options: Options, context: Mapping[str, Any] | None) -> Look:
    """What all partitions show together."""
    whole = Look(formula, options, context)
    found = raw.gathered(sums.look, formula, options, context)
    for pieces, _, _, _ in found:
        for piece in pieces:
            whole.update(piece)
    whole.counts = {}
    for _, counts, _, _ in found:
        for name, count in counts.items():
            whole.counts[name] = whole.counts.get(name, 0) + count
    whole.total, whole.used = sum(total for _, _, total, _ in found), sum(used for *_, used in found)
    return whole


def _say_dropped(look: Look, options: Options, n: int) -> None:
    """Rows that are no numbers; rows with missing values are counted in the summary, as in every fit."""
    if n < look.used:
        text = f"an expression is not a number in {look.used - n} row(s) without missing values, as log(-1) would be"
        if options.missing == "raise" or n == 0:
            raise DataError(f"{text}.")
        warnings.warn(f"{text}; these rows are dropped.", DataWarning, stacklevel=5)


def _check_weights(options: Options, largest: float, total: float) -> None:
    if weighted(options):
        checks.check_weights(np.array([largest]))
        if not math.isfinite(total):
            raise DataError("weights: their sum is not finite.")


def _scaling(
    parts: Rows, made: Design, options: Options, within: np.ndarray, x_mean: np.ndarray, y_mean: np.ndarray, used: float
) -> Scaling:
    """Centres and scales as `formula.scaling.fit_scaling` finds them."""
    spec = made.spec
    x_ss, y_ss = parts.total(sums.squares, x_mean, y_mean)
    weight = float(parts.total(sums.moments)[0][3])
    low, high = within[..., 0].min(axis=0), within[..., 1].max(axis=0)
    constant = high == low
    d = len(spec.x_names)
    names = (*spec.x_names, *spec.y_names)
    sd = np.sqrt(np.concatenate([x_ss, y_ss]) / weight * used / (used - 1 if used > 1 else 1))
    sd = np.where(constant, 1.0, sd)
    of_y = np.array([kind == "numeric" and options.scale_response for kind in spec.y_kinds])
    chosen = np.concatenate([np.ones(d, bool), of_y])
    if (flat := [name for name, c, s in zip(names, constant, chosen, strict=True) if c and s]):
        warnings.warn(f"constant column(s), centred but not scaled: {', '.join(map(repr, flat))}.", DataWarning, stacklevel=6)
    return Scaling(x_mean, sd[:d], np.where(of_y, y_mean, 0.0), np.where(of_y, sd[d:], 1.0))
