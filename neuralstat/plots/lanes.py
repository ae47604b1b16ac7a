"""The terms of a structured fit as lanes of a diagram: plain data, from inputs to what the output layer reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import NeuralStatError
from neuralstat.fitted import Fitted
from neuralstat.formula import expressions
from neuralstat.formula.structure import Special
from neuralstat.inference import orthogonal
from neuralstat.inference.term_parts import curvature, parts
from neuralstat.insight.layers import layer_table
from neuralstat.layers import codes
from neuralstat.network import derivatives
from neuralstat.network.table import Tower
from neuralstat.training.structured import direct_rows, direct_terms, levels_of, rows_of, tower_rows

MOST_COLUMNS = 8  # of a linear term that are drawn one by one


@dataclass(frozen=True, eq=False)
class Source:
    """What stands at the left of a lane: a covariate, or a factor with its coordinates."""

    name: str
    note: str = ""
    units: int = 1


@dataclass(frozen=True, eq=False)
class Lane:
    """A term, from its inputs to the outputs.

    Attributes
    ----------
    kind : {"direct", "box", "dense", "blocks"}
        A covariate that goes straight to the output; one node for all weights of a term; a network unit by unit, or layer by
        layer.
    title : str
        Above a network.
    sources : list of Source
    text : tuple of str
        Lines in a box.
    weights, sizes : list of (1 + inputs, units) arrays
        Of the layers of a dense network, bias first, as they are and as widths show them; NaN: not drawn.
    out, out_sizes : (units, K) arrays
        Weights of its last units into the outputs. Of a box, and of blocks, one row: weights NaN, sizes those of the whole
        term.
    held : (units, K) bool array
        Weights `out` that are not fitted.
    table : DataFrame or None
        Layers of blocks, as `layer_table`.
    shape : tuple of int
        Of one observation that blocks read.
    """

    kind: str
    sources: list[Source]
    out: np.ndarray
    out_sizes: np.ndarray
    held: np.ndarray
    title: str = ""
    text: tuple[str, ...] = ()
    weights: list[np.ndarray] = field(default_factory=list)
    sizes: list[np.ndarray] = field(default_factory=list)
    table: pd.DataFrame | None = None
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Lanes:
    """All lanes, and the outputs where they meet: names, weights (K,) of the constant, as they are and as widths."""

    lanes: list[Lane]
    outputs: tuple[str, ...]
    constant: np.ndarray
    constant_sizes: np.ndarray
    constant_held: np.ndarray


class _Reader:
    """What lanes are made of: weights, values of all units, the place of each in the output layer."""

    def __init__(self, fitted: Fitted, b: int, standardized: bool) -> None:
        self.fitted, self.network, self.design = fitted, fitted.network, fitted.design
        network, design = self.network, self.design
        self.inner = orthogonal.moved(fitted, b)[0]
        self.outer = orthogonal.reported(fitted, b)
        self.seen = fitted.case_weights > 0
        self.standardized = standardized
        self.inputs = len(design.x_names)
        self.values = np.zeros((network.width, 0))  # a fit that was saved without its covariates is drawn by weights
        if standardized:
            self.values = derivatives.units(network, design.x, self.inner, design.offset)[:, self.seen]
        self.known = _degrees(fitted, b)
        self.count = network.n_outputs
        self.first = self.inputs - (network.direct if network.towers else len(direct_rows(design)))
        spread = np.ones(self.count)
        if network.objective.output.name == "identity" and not network.objective.several:
            spread = design.y[:, self.seen].std(axis=1)
        self.spread = np.where(spread > 0, spread, 1.0)
        last = network.slices[-1]
        per, units = network.shapes[-1]
        self.at = np.arange(last.start, last.stop).reshape(units, per)
        self.free = fitted.fit.free[0]

    def matrix(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights of row k of the table, a dense layer that is not the last, and their sizes."""
        network = self.network
        per, units = network.shapes[k]
        own = self.outer[network.slices[k]].reshape(units, per).T
        if not self.standardized:
            return own, np.abs(own)
        scaled = self.inner[network.slices[k]].reshape(units, per).T
        source = int(network.table[k, codes.SOURCE])
        values = self.values[source : source + per - 1]
        size = np.vstack([scaled[:1] + values.mean(axis=1) @ scaled[1:], scaled[1:] * values.std(axis=1)[:, np.newaxis]])
        return own, np.abs(size)

    def into(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (units, K) of columns of the output layer, which read rows of the buffers, sizes, whether they are held."""
        at = self.at[:, columns].T
        own = self.outer[at].copy()
        held = ~self.free[at]
        own[held & (own == 0)] = np.nan  # outputs that do not have the term
        size = np.abs(own)
        if self.standardized:
            size = np.abs(self.inner[at]) * self.values[rows].std(axis=1)[:, np.newaxis] / self.spread
        return own, size, held

    def whole(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of a term as one: NaN, and the standard deviation of what it adds to each output."""
        at = self.at[:, columns]
        absent = (~self.free[at] & (self.outer[at] == 0)).all(axis=1)
        size = np.full(self.count, np.nan)
        if self.standardized:
            size = np.where(absent, 0.0, (self.inner[at] @ self.values[rows]).std(axis=1) / self.spread)
        return np.full((1, self.count), np.nan), size[np.newaxis], absent[np.newaxis]

    def direct(self, rows: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the output layer of rows of x, and these rows."""
        at = np.asarray(rows)
        return 1 + at - self.first, at

    def edf(self, label: str) -> str:
        """Degrees of freedom of a term as text; empty where they are not known."""
        return f"edf {self.known[label]:.1f}" if label in self.known else ""


def _degrees(fitted: Fitted, b: int) -> dict[str, float]:
    """Degrees of freedom by term, where data and penalties determine the weights."""
    try:
        known = curvature(fitted, b)
    except NeuralStatError:
        return {}
    out: dict[str, float] = {}
    for part in parts(fitted):
        label = part.term if part.special is None else part.special.label
        out[label] = out.get(label, 0.0) + float(known.edf[part.index].sum())
    return {label: value for label, value in out.items() if np.isfinite(value)}


def lanes_of(fitted: Fitted, b: int, *, standardized: bool, max_units: int) -> Lanes:
    """The lanes of repetition b (from 0): linear terms, then the others as the formula has them.

    Parameters
    ----------
    fitted : Fitted
        Of a formula with special terms.
    b : int
    standardized : bool
        Whether sizes are those of weights between standardized inputs, units and responses; else of the weights as they are.
        Terms that are one node then have the standard deviation of what they add to the linear predictor, per standard
        deviation of the response where the output is linear; else NaN.
    max_units : int
        More linear terms than these are put together.
    """
    read = _Reader(fitted, b, standardized)
    lanes = _linear(read, max_units)
    place = {tower.name: k for k, tower in enumerate(read.network.towers)}
    if "" in place:
        lanes.append(_network(read, place[""], None))
    for special in read.design.spec.specials:
        if special.kind == "network":
            lanes.append(_network(read, place[special.label], special))
        elif special.kind in ("smooth", "slopes"):
            columns, rows = read.direct(rows_of(read.design, special.exprs[0]))
            text = (special.label, _many(len(levels_of(read.design, special.exprs[0])), "level")
                    if special.kind == "slopes" else "", read.edf(special.label))  # fmt: skip
            lanes.append(_box(_raw(special), text, read.whole(columns, rows)))
        elif special.kind == "random":
            columns, rows = _last(read, place[special.label])
            text = (special.label, _many(len(levels_of(read.design, special.exprs[0])), "level"), read.edf(special.label))
            lanes.append(_box(_raw(special), text, read.whole(columns, rows)))
    constant = read.outer[read.at[:, 0]]
    size = np.abs(constant)
    if standardized:  # where all that the output layer reads is at its mean
        theta = fitted.fit.theta[b].astype(float)
        mean = theta[read.at[:, 1:]] @ read.values[_read_by_output(read)].mean(axis=1)
        objective = read.network.objective
        located = objective.output.name == "identity" and not objective.several
        level = read.design.y[:, read.seen].mean(axis=1) if located else 0.0
        size = np.abs((theta[read.at[:, 0]] + mean - level) / read.spread)
    return Lanes(lanes, read.network.output_names, constant, size, ~read.free[read.at[:, 0]])


def _read_by_output(read: _Reader) -> np.ndarray:
    """Rows of the buffers that the output layer reads."""
    source = int(read.network.table[-1, codes.SOURCE])
    return np.arange(source, source + read.at.shape[1] - 1)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _box(names: list[str], text: tuple[str, ...], out: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Lane:
    return Lane("box", [Source(name) for name in names], *out, text=tuple(line for line in text if line))


def _raw(special: Special) -> list[str]:
    """Columns of the data that a term reads, in order; groups of random slopes last."""
    found = [name for expr in special.exprs for name in sorted(expressions.names(expr), key=expr.find)]
    if special.kind == "slopes":
        groups = expressions.names(special.exprs[0].partition("]")[0].removeprefix("slopes(") + "]")
        found.sort(key=groups.__contains__)
    return list(dict.fromkeys(found))


def _linear(read: _Reader, max_units: int) -> list[Lane]:
    """A lane for each column of linear terms; one for a term of many, one for all terms beyond so many."""
    special = {row for s in read.design.spec.specials if s.kind in ("smooth", "slopes")
               for row in rows_of(read.design, s.exprs[0])}  # fmt: skip
    terms = {name: rows for name, rows in direct_terms(read.design).items() if not special & set(rows)}
    lanes: list[Lane] = []
    kept = [name for name in terms if len(lanes) < max_units]
    rest: list[int] = []
    for name, rows in terms.items():
        label = name.removeprefix("linear(").removesuffix(")") if name.startswith("linear(") else name
        columns, at = read.direct(rows)
        if len(lanes) + min(len(rows), MOST_COLUMNS) > max_units and len(kept) > 1:
            rest += rows
        elif len(rows) > MOST_COLUMNS:
            lanes.append(_box([label], (f"linear: {_many(len(rows), 'coefficient')}",), read.whole(columns, at)))
        else:
            for row, column in zip(rows, columns, strict=True):
                own = read.into(np.array([column]), np.array([row]))
                lanes.append(Lane("direct", [Source(read.network.input_names[row])], *own))
    if rest:
        columns, at = read.direct(tuple(rest))
        lanes.append(_box([], (f"linear: {_many(len(rest), 'more coefficient')}",), read.whole(columns, at)))
    return lanes


def _last(read: _Reader, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the output layer that read the last units of a tower, and these rows of the buffers."""
    units = read.network.tower_sizes
    before = sum(units[:number])
    columns = 1 + read.network.direct + np.arange(before, before + units[number])
    return columns, read.inputs + np.arange(before, before + units[number])


def _network(read: _Reader, number: int, special: Special | None) -> Lane:
    network = read.network
    tower = network.towers[number]
    rows = tower_rows(network)[number]
    chain = [k for k in dict.fromkeys(rows) if k >= 0 and network.table[k, codes.OP] not in (codes.EMBEDDING, codes.COPY)]
    own = network.layers[sum(t.count for t in network.towers[:number]) :][: tower.count]
    sources = _sources(read, tower, special, own)
    title = tower.name or "network"
    columns, at = _last(read, number)
    inner = all(network.table[k, codes.OP] == codes.DENSE for k in chain)
    if chain and inner and len(tower.shape) < 2:
        made = [read.matrix(k) for k in chain]
        return Lane("dense", sources, *read.into(columns, at), title=title, weights=[w for w, _ in made],
                    sizes=[s for _, s in made])  # fmt: skip
    table = layer_table(read.fitted)
    first = sum(t.count for t in network.towers[:number])
    skipped = len(tower.codes) + (bool(tower.codes) and tower.numbers > 0)
    table = table.iloc[first + skipped : first + tower.count]
    table.index = [str(name).removeprefix(f"{tower.name}/") for name in table.index]
    shape = tower.shape if not tower.codes else (sum(source.units for source in sources),)
    return Lane("blocks", sources, *read.whole(columns, at), title=title, table=table, shape=shape)


def _sources(read: _Reader, tower: Tower, special: Special | None, layers: tuple[Any, ...]) -> list[Source]:
    """Numbers that a tower reads, one for an array, then factors with their coordinates."""
    terms = read.design.terms
    arrays = [t.name for t in read.design.spec.tensors if tower.numbers and terms[t.name][0] == tower.first]
    if arrays:
        names = arrays if special is None else _raw(special)[:1]
    else:
        names = [_covariate(read.network.input_names[tower.first + j]) for j in range(tower.numbers)]
    found = [Source(name) for name in names]
    for layer, row in zip(layers, tower.codes, strict=False):
        name = read.network.input_names[row].removeprefix("codes(").removesuffix(")")
        note = f"{_many(layer.input_dim - 1, 'level')}\n{_many(layer.output_dim, 'coordinate')}"
        found.append(Source(name, note, layer.output_dim))
    return found


def _covariate(name: str) -> str:
    """The covariate that an input of a network is: ``x`` for ``nn(x, z)[x]``."""
    head, bracket, rest = name.partition(")[")
    return rest.removesuffix("]") if bracket and head.startswith("nn(") else name
