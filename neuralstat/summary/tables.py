"""Headers and tables of a summary as text, HTML and LaTeX."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 80  # characters of a line of text

_TABLE = '<table style="border-collapse:collapse;margin-bottom:1em">'
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Labels with values, set in two columns.

    Attributes
    ----------
    items : sequence of (label, value)
        The first half is the left column.
    """

    items: Sequence[tuple[str, str]]

    def _rows(self) -> list[tuple[str, str, str, str]]:
        half = (len(self.items) + 1) // 2
        right = [*self.items[half:], ("", "")]
        return [(*left, *right[i]) for i, left in enumerate(self.items[:half])]

    def text(self, width: int = WIDTH) -> str:
        """Lines of text; a pair too long for its column has lines of its own below the others."""
        column = (width - 2) // 2
        short, long = _by_length(self.items, column)
        lines = []
        for label, value, other, also in Pairs(short)._rows():
            left = f"{label}:{value:>{column - len(label) - 1}}"
            right = f"{other}:{also:>{column - len(other) - 1}}" if other else ""
            lines.append(f"{left}  {right}".rstrip())
        for label, value in long:
            lines += textwrap.wrap(
                f"{label}: {value}", width, subsequent_indent="    ", break_on_hyphens=False
            )
        return "\n".join(lines)

    def html(self) -> str:
        """An HTML table of four columns."""
        body = "".join(
            "<tr>" + "".join(_cell(t + ":" if t and tag == "th" else t, tag, "left") for t, tag in
                             zip(row, ("th", "td", "th", "td"), strict=True)) + "</tr>"
            for row in self._rows()
        )  # fmt: skip
        return f"{_TABLE}{body}</table>"

    def latex(self) -> str:
        """A tabular of two columns, so that long values can be broken."""
        rows = [rf"{escape(label)}: & {escape(value)} \\" for label, value in self.items]
        return "\n".join(
            [r"\begin{tabular}{lp{0.65\linewidth}}", r"\toprule", *rows, r"\bottomrule", r"\end{tabular}"]
        )


@dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes
    ----------
    title : str
    columns : sequence of str
    rows : sequence of sequence of str
    left : int
        How many of the first columns are set flush left; the others are numbers, flush right.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 0

    def text(self, width: int = WIDTH) -> str:
        """Lines of text, the columns spread over the width."""
        sizes = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        room = max(width - sum(sizes), 0) // max(len(sizes) - 1, 1)
        gap = " " * min(max(room, 2), 6)

        def line(cells: Sequence[str]) -> str:
            return gap.join(
                c.ljust(s) if k < self.left else c.rjust(s)
                for k, (c, s) in enumerate(zip(cells, sizes, strict=True))
            ).rstrip()

        head = [line(self.columns)] if any(self.columns) else []
        return "\n".join([self.title, *head, *map(line, self.rows)])

    def html(self) -> str:
        """An HTML table with the title as its caption."""
        sides = ["left" if k < self.left else "right" for k in range(len(self.columns))]
        head = "".join(_cell(c, "th", s) for c, s in zip(self.columns, sides, strict=True))
        head = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        body = "".join(
            "<tr>" + "".join(_cell(c, "td", s) for c, s in zip(row, sides, strict=True)) + "</tr>"
            for row in self.rows
        )
        style = "caption-side:top;text-align:left;white-space:nowrap;padding:0.4em"
        caption = f'<caption style="{style}"><b>{html.escape(self.title)}</b></caption>'
        return f"{_TABLE}{caption}{head}<tbody>{body}</tbody></table>"

    def latex(self) -> str:
        """A tabular (package booktabs) under its title."""
        spec = "l" * self.left + "r" * (len(self.columns) - self.left)
        head = [_latex_row(self.columns), r"\midrule"] if any(self.columns) else []
        rows = [_latex_row(row) for row in self.rows]
        body = [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", *head, *rows, r"\bottomrule", r"\end{tabular}"]
        return "\n".join([rf"\textbf{{{escape(self.title)}}}\par\smallskip", *body])


def layers_table(table: pd.DataFrame, title: str) -> Table:
    """Keras' table, a row per layer and the sums, of a `layer_table`."""
    rows = [
        (f"{name} ({row.kind})", str(row.output_shape), f"{row.params:,}", f"{row.trained:,}")
        for name, row in zip(table.index, table.itertuples(), strict=True)
    ]
    rows.append(("all layers", "", f"{table['params'].sum():,}", f"{table['trained'].sum():,}"))
    return Table(title, ("layer", "output shape", "parameters", "trained"), rows, left=2)


def escape(text: str) -> str:
    """`text` with LaTeX's special characters escaped."""
    return "".join(_LATEX.get(c, c) for c in text)


def wrap(text: str, width: int = WIDTH) -> str:
    """A paragraph of lines."""
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False))


def _by_length(
    items: Sequence[tuple[str, str]], column: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs that fit a column, and the others."""
    long = [pair for pair in items if len(pair[0]) + len(pair[1]) + 2 > column]
    return [pair for pair in items if pair not in long], long


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"


def _cell(text: str, tag: str, side: str) -> str:
    return f'<{tag} style="text-align:{side};padding:2px 1.2em 2px 0.4em">{html.escape(text)}</{tag}>'
