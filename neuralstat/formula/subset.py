"""A design on some of its rows, with everything that depends on data found again from these rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataWarning
from . import Design
from .arrays import with_arrays
from .scaling import fit_scaling
from .spec import Spec
from .structure import unscaled
from .tensors import pooled_groups


@dataclass(frozen=True)
class Part:
    """A training part.

    Attributes
    ----------
    design : Design
        The training rows.
    x, offset : (D, n) array, (K, n) array or None
        All rows in the internal units of the training part.
    empty : (D,) bool array
        Columns that are zero in all training rows, as of a level that does not occur there.
    held : int array or None
        Rows that were set aside for validation.
    """

    design: Design
    x: np.ndarray
    offset: np.ndarray | None
    empty: np.ndarray
    held: np.ndarray | None = None


def plain(design: Design) -> bool:
    """Whether the columns of a row do not depend on other rows: no scaling, no stateful transforms."""
    return design.scaling is None and not any(design.spec.matrix.transforms.values())


def subset(design: Design, rows: np.ndarray) -> Part:
    """The design on `rows` (repeated where a row was drawn twice).

    Means and standard deviations of ``standardize=True`` and states of transforms (inner knots, centres, polynomials) come
    from these rows; levels of factors, words of texts and boundary knots of splines are those of all rows.
    """
    x, scaling, spec = design.x, design.scaling, design.spec
    y = design.y if scaling is None else scaling.y_original(design.y)
    offset = design.offset
    if offset is not None and scaling is not None:
        offset = offset * scaling.y_sd[: len(offset), np.newaxis]
    weights, frequencies = (None if v is None else v[rows] for v in (design.weights, design.frequencies))
    if not plain(design):
        x, spec = _columns(design, rows)
    if scaling is not None:
        scaled = (scaling.y_sd != 1) | (scaling.y_mean != 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # constant columns: see `empty`
            scaling = fit_scaling(x[:, rows], y[:, rows], weights, design.x_names, design.y_names, scaled,
                                 _groups(design), frequencies)  # fmt: skip
        spec = replace(spec, scaling=scaling)
        x, y = scaling.x_internal(x), scaling.y_internal(y)
        offset = None if offset is None else offset / scaling.y_sd[: len(offset), np.newaxis]
    part = replace(
        design, x=np.ascontiguousarray(x[:, rows]), y=np.ascontiguousarray(y[:, rows]), weights=weights,
        offset=None if offset is None else np.ascontiguousarray(offset[:, rows]), index=design.index[rows],
        full_index=design.index[rows], kept=np.ones(rows.size, dtype=bool), scaling=scaling, spec=spec,
        frame=design.frame.iloc[rows], frequencies=frequencies, groups=None if design.groups is None else design.groups[rows],
    )  # fmt: skip
    empty = np.all(part.x == 0, axis=1) & np.any(x != 0, axis=1)
    return Part(part, x, offset, empty)


def _groups(design: Design) -> np.ndarray:
    """Which inputs share a centre and scale; array terms that the design left as they are stay so."""
    tensors, scaling = design.spec.tensors, design.scaling
    groups = pooled_groups(tensors, len(design.x))
    first = sum(t.size for t in tensors)
    if scaling is not None and not (np.any(scaling.x_mean[:first] != 0) or np.any(scaling.x_sd[:first] != 1)):
        groups[:first] = -1
    groups[unscaled(design.spec.specials, design.terms)] = -1
    return groups


def _columns(design: Design, rows: np.ndarray) -> tuple[np.ndarray, Spec]:
    """All rows of the model matrix, original units, with transforms found from `rows`."""
    from .matrix import apply_matrix, refit_matrix

    spec = design.spec
    if not any(spec.matrix.transforms.values()):
        scaling = design.scaling
        return design.x * scaling.x_sd[:, np.newaxis] + scaling.x_mean[:, np.newaxis], spec  # type: ignore[union-attr]
    clean = spec._conform(design.frame[[*spec.covariates]], spec.columns)
    _, matrix = refit_matrix(spec.matrix, clean.iloc[rows].reset_index(drop=True), spec.scope())
    x = apply_matrix(matrix, clean, spec.scope())
    if spec.tensors:
        x = with_arrays(spec.tensors, clean, x)
    return x, replace(spec, matrix=matrix)
