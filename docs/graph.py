"""Draw the rooms of the package and the imports between them: ``python docs/graph.py [file]``.

Rooms stand by rank, those that know least at the bottom; the width of an arrow goes with the number of imports. Dark are
the arrows that no longer way stands for (the transitive reduction), pale all others. Nearly all rooms import the three at
the bottom: these arrows are left out. Without an argument the file is ``docs/images/rooms.svg``.
"""

from __future__ import annotations

import sys
from math import log2
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import rooms  # noqa: E402

TARGET = ROOT / "docs" / "images" / "rooms.svg"
WIDTH, HEIGHT = 1.7, 0.56  # of a box
ACROSS, UP = 2.4, 1.0  # from box to box
BENDS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4)
STEPS = 60  # points of a curve that are looked at
DARK, PALE, BOX = "#31506e", "#9db4c9", "#eef3f8"
EVERYWHERE = ("errors", "checks", "seeds")  # imported by nearly all: no arrows

# Where rooms stand to the left (negative) and right of the middle.
COLUMN = {
    "seeds": 1, "checks": 1, "functions": -1, "layers": -1, "schedules": 1, "optimizers": 1, "symbolic": 1, "datasets": 2,
    "weights": -2, "augment": -1, "likelihood": -1, "assessment": 1, "effects": 1, "insight": -1, "plots": 1, "summary": -1,
    "applications": -2, "sklearn": -1, "study": 1, "survival": 3, "cli": 2, "__main__": 2,
}  # fmt: skip

Point = tuple[float, float]
Edges = dict[tuple[str, str], int]


def reduction(edges: Edges) -> list[tuple[str, str]]:
    """Edges that no longer way stands for."""
    below: dict[str, set[str]] = {}
    for source, target in edges:
        below.setdefault(source, set()).add(target)
        below.setdefault(target, set())
    reached = {room: rooms.closure(below, room) - {room} for room in below}
    return [(a, b) for a, b in sorted(edges) if not any(b in reached[c] for c in below[a] - {b})]


def positions() -> dict[str, Point]:
    """Room -> middle of its box."""
    return {room: (COLUMN.get(room, 0) * ACROSS, rank * UP) for rank, named in enumerate(rooms.RANKS) for room in named}


def hits(start: Point, end: Point, bend: float, boxes: list[Point]) -> int:
    """Boxes that a curve with this bend runs through."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)  # as matplotlib's arc3 has it
    found = set()
    for k in range(1, STEPS):
        t = k / STEPS
        x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * middle[0] + t**2 * x1
        y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * middle[1] + t**2 * y1
        found |= {box for box in boxes if abs(x - box[0]) < 0.55 * WIDTH and abs(y - box[1]) < 0.6 * HEIGHT}
    return len(found)


def draw_arrow(ax: Axes, start: Point, end: Point, boxes: list[Point], count: int, dark: bool) -> None:
    """An arrow from the lower edge of a box to the upper edge of another, round the boxes between."""
    others = [box for box in boxes if box not in (start, end)]
    a, b = (start[0], start[1] - HEIGHT / 2), (end[0], end[1] + HEIGHT / 2)
    bend = min(BENDS, key=lambda bend: (hits(a, b, bend, others), abs(bend)))
    ax.add_patch(FancyArrowPatch(
        a, b, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=10 if dark else 6, shrinkA=0, shrinkB=0,
        lw=(0.8 if dark else 0.4) * (1 + log2(count) / 2), color=DARK if dark else PALE, alpha=1 if dark else 0.5,
        zorder=3 if dark else 1,
    ))  # fmt: skip


def draw(edges: Edges) -> Figure:
    """The picture."""
    kept, at = reduction(edges), positions()
    figure = Figure(figsize=(11, 13))
    ax = figure.add_axes((0, 0, 1, 1))
    for pair, count in sorted(edges.items()):
        if pair[1] not in EVERYWHERE:
            draw_arrow(ax, at[pair[0]], at[pair[1]], list(at.values()), count, pair in kept)
    for room, (x, y) in at.items():
        ax.add_patch(FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.12", fc=BOX, ec=DARK,
            zorder=4,
        ))  # fmt: skip
        ax.text(x, y, room, ha="center", va="center", fontsize=12, zorder=5)
    across = max(abs(x) for x, _ in at.values()) + 0.8 * WIDTH
    ax.set(xlim=(-across, across), ylim=(-0.6 * UP, (len(rooms.RANKS) - 0.4) * UP))
    ax.axis("off")
    return figure


def main() -> None:
    """Write the picture."""
    matplotlib.rcParams["svg.hashsalt"] = "rooms"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    metadata = {"Date": None} if target.suffix == ".svg" else {}
    draw(rooms.between_rooms()).savefig(target, metadata=metadata, dpi=90, facecolor="white")


if __name__ == "__main__":
    main()
