"""Where the parts of a structured network's diagram go; all lengths are in inches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuralstat.plots import style
from neuralstat.plots.diagram_edges import PlacedEdges
from neuralstat.plots.diagram_labels import place_labels
from neuralstat.plots.diagram_layout import PAD, ROW, shorten, shown_units, text_size
from neuralstat.plots.lanes import Lane, Lanes, Source

RADIUS, STUB, BEND = 0.13, 0.3, 0.25
SPACING, NARROW, WIDE = 0.42, 0.3, 0.62  # between units; many of them; with numbers along the edges
MANY = 8
GAP = 0.2  # between lanes
TITLE, STRIP = 0.3, 0.34  # above a network; for its bias nodes
LINE = 0.19  # of text in a box
NAME, SMALL = 10.0, 8.5  # points
LONGEST, LONGEST_LINE = 2.2, 2.6  # names; lines in boxes
BLOCK, BLOCKS = 0.95, 1.95  # width of a layer; height of a lane of layers


@dataclass
class Edge:
    """A line from place to place, its weight (NaN: of a whole term) and what its width shows."""

    path: list[tuple[float, float]]
    value: float
    size: float
    held: bool


class Picture:
    """Where everything is, in inches."""

    def __init__(self, lanes: Lanes, most: int, bias: bool, labelled: bool, line: str, legend: bool | None) -> None:
        self.lanes, self.most, self.bias, self.labelled, self.line = lanes, most, bias, labelled, line
        largest = max((min(w.shape[1], most) for lane in lanes.lanes for w in lane.weights), default=1)
        self.spacing = WIDE if labelled else SPACING if largest <= MANY else NARROW
        self.units: list[tuple[float, float]] = []
        self.biases: list[tuple[float, float]] = []
        self.dots: list[tuple[float, float]] = []
        self.boxes: list[tuple[float, float, float, float, tuple[str, ...]]] = []
        self.panels: list[tuple[float, float, float, float]] = []
        self.texts: list[tuple[float, float, str, str, float, str]] = []
        self.blocks: list[tuple[float, float, float, Lane]] = []
        self.edges: list[Edge] = []
        self.stubs: list[tuple[float, float, float]] = []  # arrows into inputs: from, to, height
        self.explain = (not labelled or self._any_held()) if legend is None else legend
        names = [source.name for lane in lanes.lanes for source in lane.sources]
        widest = max((min(text_size(name, NAME)[0], LONGEST) for name in names), default=0.2)
        self.left = 1.5 * PAD + widest + STUB + RADIUS
        self.inner = max([self._body(lane) for lane in lanes.lanes], default=1.2)
        self.last = self.left + self.inner
        self.bend = self.last + BEND
        self.fan = 2.4 if labelled else 1.9
        self.right = self.bend + self.fan
        outer = max(min(text_size(name, NAME)[0], LONGEST) for name in lanes.outputs)
        self.width = self.right + RADIUS + STUB + outer + 2 * PAD
        self.base = 1.8 * PAD + ROW * (int(self.explain) + int(bool(line)))
        heights = [self._height(lane) for lane in lanes.lanes]
        top = 0.55 if bias else 0.1
        body = max(sum(heights) + GAP * (len(heights) - 1), 0.6 * len(lanes.outputs), 1.0)
        self.height = self.base + body + top + PAD
        y = self.base + body - max(body - sum(heights) - GAP * (len(heights) - 1), 0.0) / 2
        self.ends = [(self.right, v) for v in self._column(self.base + body / 2, len(lanes.outputs), 0.7)]
        for lane, height in zip(lanes.lanes, heights, strict=True):
            self._place(lane, y, y - height)
            y -= height + GAP
        self.units += self.ends
        if bias:
            self._constant()

    def _any_held(self) -> bool:
        return any(lane.held[np.isfinite(lane.out)].any() for lane in self.lanes.lanes)

    # sizes ------------------------------------------------------------------------------------------------

    def _step(self) -> float:
        return 1.75 if self.labelled else 1.35

    def _body(self, lane: Lane) -> float:
        """Width of a lane from its inputs to its last units."""
        if lane.kind == "dense":
            return max(0.0, *(self._source_width(s) - 0.2 for s in lane.sources)) + self._step() * len(lane.weights)
        if lane.kind == "box":
            return self._text_width(lane.text) + 0.75
        if lane.kind == "blocks":
            assert lane.table is not None
            return 0.55 + BLOCK * (len(lane.table) + 1)
        return 1.2

    @staticmethod
    def _text_width(lines: tuple[str, ...]) -> float:
        return max(min(text_size(line, SMALL)[0], LONGEST_LINE) for line in lines) + 0.24

    def _source_width(self, source: Source) -> float:
        return self._text_width(tuple(source.note.split("\n"))) if source.note else RADIUS

    def _height(self, lane: Lane) -> float:
        if lane.kind == "direct":
            return 0.28
        if lane.kind == "box":
            return max(LINE * len(lane.text) + 0.16, 0.34 * len(lane.sources), 0.34)
        if lane.kind == "blocks":
            return TITLE + BLOCKS
        slots = [sum(0.62 / self.spacing if s.note else 1.0 for s in lane.sources)]
        slots += [len(shown_units(w.shape[1], self.most)) + (w.shape[1] > self.most) for w in lane.weights]
        return TITLE + (STRIP if self.bias else 0.0) + self.spacing * max(slots) + 0.1

    @staticmethod
    def _column(middle: float, count: int, step: float) -> np.ndarray:
        return middle + step * ((count - 1) / 2 - np.arange(count))

    # places -----------------------------------------------------------------------------------------------

    def _name(self, source: Source, x: float, y: float) -> None:
        self.texts.append((x - STUB - 0.05, y, shorten(source.name, NAME, LONGEST), "right", NAME, "name"))
        self.stubs.append((x - STUB, x, y))

    def _out(self, lane: Lane, row: int, x: float, y: float) -> None:
        """Edges from a node, at its right end, to the outputs, past all that stands between."""
        for k, (ex, ey) in enumerate(self.ends):
            value, held = float(lane.out[row, k]), bool(lane.held[row, k])
            if (np.isnan(value) and lane.kind in ("direct", "dense")) or (held and lane.kind in ("box", "blocks")):
                continue
            path = [(x, y), (self.bend, y), (ex, ey)] if self.bend - x > 0.3 else [(x, y), (ex, ey)]
            self.edges.append(Edge(path, value, float(lane.out_sizes[row, k]), held))

    def _place(self, lane: Lane, top: float, low: float) -> None:
        middle = (top + low) / 2
        if lane.kind == "direct":
            self._name(lane.sources[0], self.left - RADIUS, middle)
            self.units.append((self.left, middle))
            self._out(lane, 0, self.left, middle)
        elif lane.kind == "box":
            width, height = self._text_width(lane.text), LINE * len(lane.text) + 0.16
            x = self.last + RADIUS - width
            self.boxes.append((x, middle - height / 2, width, height, lane.text))
            for source, y in zip(lane.sources, self._column(middle, len(lane.sources), 0.34), strict=True):
                self._name(source, self.left - RADIUS, y)
                self.units.append((self.left, y))
                self.edges.append(Edge([(self.left, y), (x, middle + 0.5 * (y - middle))], np.nan, np.nan, False))
            self._out(lane, 0, x + width, middle)
        elif lane.kind == "blocks":
            self._place_blocks(lane, top, low)
        else:
            self._place_dense(lane, top, low)

    def _panel(self, lane: Lane, top: float, low: float) -> None:
        x = self.left - RADIUS - 0.12
        self.panels.append((x, low - 0.02, self.last + RADIUS + 0.12 - x, top - low + 0.06))
        title = shorten(lane.title, NAME, max(self.last - self.left, 1.0))
        self.texts.append(((self.left + self.last) / 2, top - 0.13, title, "center", NAME, "tower"))

    def _place_blocks(self, lane: Lane, top: float, low: float) -> None:
        self._panel(lane, top, low)
        y = low + 1.2
        for source, at in zip(lane.sources, self._column(y, len(lane.sources), 0.34), strict=True):
            self._name(source, self.left - RADIUS, at)
            self.units.append((self.left, at))
            self.edges.append(Edge([(self.left, at), (self.left + 0.45, y)], np.nan, np.nan, False))
        self.blocks.append((self.left + 0.45, self.last, y, lane))
        self._out(lane, 0, self.last + RADIUS, y)

    def _place_dense(self, lane: Lane, top: float, low: float) -> None:
        self._panel(lane, top, low)
        strip = top - TITLE - STRIP / 2
        ceiling = top - TITLE - (STRIP if self.bias else 0.0)
        middle = (ceiling + low + 0.05) / 2
        noted = max((self._source_width(s) for s in lane.sources if s.note), default=0.0)
        start = self.left + max(noted - 0.2, 0.0)
        columns = np.linspace(start, self.last, len(lane.weights) + 1)
        slots = np.array([0.62 / self.spacing if s.note else 1.0 for s in lane.sources])
        y = middle + self.spacing * (slots.sum() / 2 - np.cumsum(slots) + slots / 2)
        spots: list[tuple[float, float] | None] = []
        groups: list[list[int]] = []
        at = 0
        for source, height in zip(lane.sources, y, strict=True):
            self._name(source, self.left - RADIUS, height)
            width = self._source_width(source)
            if source.note:
                self.boxes.append((self.left - RADIUS, height - 0.26, width, 0.52, tuple(source.note.split("\n"))))
                spots.append((self.left - RADIUS + width, height))
            else:
                self.units.append((self.left, height))
                spots.append((self.left, height))
            groups.append(list(range(1 + at, 1 + at + source.units)))
            at += source.units
        notes = [bool(source.note) for source in lane.sources]
        for k, (weights, sizes) in enumerate(zip(lane.weights, lane.sizes, strict=True)):
            shown = shown_units(weights.shape[1], self.most)
            cut = len(shown) < weights.shape[1]
            heights = self._column(middle, len(shown) + cut, self.spacing)
            if cut:
                self.dots.append((columns[k + 1], heights[len(shown) // 2]))
                heights = np.delete(heights, len(shown) // 2)
            for j, unit in enumerate(shown):
                end = (columns[k + 1], heights[j])
                for spot, rows, whole in zip(spots, groups, notes, strict=True):
                    if spot is not None:
                        value = np.nan if whole else float(weights[rows[0], unit])
                        size = float(np.sqrt(np.sum(sizes[rows, unit] ** 2)))
                        self.edges.append(Edge([spot, end], value, size, False))
                if self.bias:
                    self.edges.append(Edge([(columns[k], strip), end], float(weights[0, unit]), float(sizes[0, unit]), False))
            if self.bias:
                self.biases.append((columns[k], strip))
            place = dict(zip(shown.tolist(), heights, strict=True))
            spots = [(columns[k + 1], place[u]) if u in place else None for u in range(weights.shape[1])]
            self.units += [spot for spot in spots if spot is not None]
            groups = [[1 + u] for u in range(weights.shape[1])]
            notes = [False] * weights.shape[1]
        for u, spot in enumerate(spots):
            if spot is not None:
                self._out(lane, u, *spot)

    def _constant(self) -> None:
        place = (self.bend, self.height - PAD - RADIUS)
        shown = False
        for k, end in enumerate(self.ends):
            value, held = float(self.lanes.constant[k]), bool(self.lanes.constant_held[k])
            if not (held and value == 0):
                shown = True
                self.edges.append(Edge([place, end], value, float(self.lanes.constant_sizes[k]), held))
        if shown:
            self.biases.append(place)

    # numbers ----------------------------------------------------------------------------------------------

    def labels(self) -> tuple[np.ndarray, float] | None:
        """Places of the numbers along edges with a weight, and their size; None where they would lie on one another."""
        edges = [edge for edge in self.edges if np.isfinite(edge.value)]
        start = np.array([edge.path[-2] for edge in edges])
        end = np.array([edge.path[-1] for edge in edges])
        corners = [(x + i * w, y + j * h) for x, y, w, h, _ in self.boxes for i in (0, 0.5, 1) for j in (0, 0.5, 1)]
        nodes = np.array([*self.units, *self.biases, *corners])
        for size in (8.0, 7.0):
            widths = np.array([text_size(style.number(edge.value, 3), size)[0] for edge in edges])
            centres, clashes = place_labels(start, end, widths, 1.5 * text_size("0", size)[1], nodes, RADIUS)
            if not clashes:
                return centres, size
        return None

    def placed(self, known: bool) -> PlacedEdges:
        """Edges as the legend takes them."""
        edges = [edge for edge in self.edges if np.isfinite(edge.value) or (not known and np.isfinite(edge.size))]
        columns = list(zip(*((e.value, e.held, e.size, e.path[-2], e.path[-1]) for e in edges), strict=True))
        value, held, size, start, end = (np.array(c) for c in columns) if columns else (np.zeros(0),) * 5
        none = np.zeros(len(edges), int)
        return PlacedEdges(none, none, none, value, held.astype(bool), size, start, end)
