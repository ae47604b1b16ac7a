"""Pictures side by side: filters, feature maps, images; and what each pixel does, over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks import check_items, shown
from neuralstat.checks.arguments import FLAG, NONE, Anything, Numbers, Whole, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 1  # pixels between pictures
_LEAST = 24  # pixels that a picture of a grid is enlarged to, so that gaps are narrow beside it


LABELS = Anything("a sequence of one label per picture", None)


@arguments(
    images=Numbers(None, finite=False), labels=LABELS, columns=NONE | Whole(1), signed=FLAG, together=FLAG, ax=style.AX,
)
def plot_images(
    images: Any, *, labels: Sequence[Any] | None = None, columns: int | None = None, signed: bool = False,
    together: bool = True, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Plot pictures in a grid.

    Parameters
    ----------
    images : array, shape (n, rows, columns), (n, rows, columns, 1) or (n, rows, columns, 3)
        As `insight.filters` and `insight.feature_maps` give them.
    labels : sequence, optional
        Written above each.
    columns : int, optional
        Of the grid; about square unless given.
    signed : bool
        True: white is 0, blue above, orange below (for weights and derivatives). Not with three channels.
    together : bool
        Whether all pictures share one scale from dark to light; else each has its own.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        Where shapes do not fit together.

    Examples
    --------
    >>> import neuralstat as ns
    >>> digits = ns.datasets.digits()
    >>> ax = ns.plots.plot_images(digits["pixels"][:6], labels=digits["digit"][:6], columns=3)
    """
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3) or 0 in images.shape:
        raise ArgumentError(f"images must have the shape (n, rows, columns[, 1 or 3]), got {images.shape}.")
    labels = _labels(labels, len(images))
    if signed and images.ndim == 4:
        raise ArgumentError("signed=True needs pictures of one channel.")
    larger = max(1, -(-_LEAST // min(images.shape[1:3])))
    images = images.repeat(larger, axis=1).repeat(larger, axis=2)
    n, high, wide = images.shape[:3]
    columns = int(np.ceil(np.sqrt(n * high / wide))) if columns is None else columns
    columns = max(1, min(columns, n))
    lines = -(-n // columns)
    head = 0 if labels is None else round(0.12 * high * max(1.0, columns / 3)) + 1
    gap = max(GAP, high // 16)
    stride = high + gap + head
    sheet = np.full((lines * stride - gap, columns * (wide + gap) - gap, *images.shape[3:]), np.nan)
    places = [(k // columns * stride + head, k % columns * (wide + gap)) for k in range(n)]
    for (top, left), picture in zip(places, _scaled(images, signed, together), strict=True):
        sheet[top : top + high, left : left + wide] = picture
    ratio = sheet.shape[0] / sheet.shape[1]
    ax = style.target_axes(ax, (6.4, float(np.clip(6.4 * ratio, 1.5, 12.0))))
    _show(ax, sheet, signed)
    if labels is not None:
        for (top, left), label in zip(places, labels, strict=True):
            ax.text(left + (wide - 1) / 2, top - 0.8, str(label), ha="center", va="bottom", fontsize=8, color=style.INK,
                    parse_math=False)  # fmt: skip
    return ax


def _labels(labels: Any, count: int) -> list[str] | None:
    """What is written above pictures."""
    if labels is None:
        return None
    try:
        words = [str(label) for label in check_items(labels, "labels", f"a sequence of {count} labels")]
    except ArgumentError:
        raise
    except Exception:  # of any object's own str
        raise ArgumentError(f"labels must be texts; got {shown(labels)}.") from None
    if len(words) != count:
        raise ArgumentError(f"labels: {len(words)} for {count} pictures.")
    return words


def _scaled(images: np.ndarray, signed: bool, together: bool) -> np.ndarray:
    """From 0 to 1, or from -1 to 1 where signed."""
    axes = None if together else tuple(range(1, images.ndim))
    if signed:
        most = np.nanmax(np.abs(images), axis=axes, keepdims=True)
        return images / np.where(most > 0, most, 1)
    low, high = np.nanmin(images, axis=axes, keepdims=True), np.nanmax(images, axis=axes, keepdims=True)
    return (images - low) / np.where(high > low, high - low, 1)


def _show(ax: Axes, sheet: np.ndarray, signed: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    if sheet.ndim == 3:
        sheet = np.where(np.isnan(sheet), 1.0, sheet)
        ax.imshow(sheet, interpolation="nearest")
    elif signed:
        colours = LinearSegmentedColormap.from_list("signed", [style.NEGATIVE, "white", style.POSITIVE])
        known = colours.with_extremes(bad="#e3e7ea")
        ax.imshow(np.ma.masked_invalid(sheet), cmap=known, vmin=-1, vmax=1, interpolation="nearest")
    else:
        ax.imshow(np.ma.masked_invalid(sheet), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


@arguments(images=Numbers(None, finite=False), saliency=Numbers(None, finite=False), labels=LABELS, ax=style.AX)
def plot_saliency(images: Any, saliency: Any, *, labels: Sequence[Any] | None = None, ax: Axes | None = None) -> Axes:
    """Plot images in a row and, below each, what its pixels do.

    Parameters
    ----------
    images : array, shape (n, rows, columns, channels)
    saliency : array of the same shape
        As `insight.saliency` gives it; summed over channels. Blue pixels raise the output, orange ones lower it.
    labels : sequence, optional
        Written above each image.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> images = ns.datasets.digits()["pixels"][:2]
    >>> ax = ns.plots.plot_saliency(images, np.sin(images))  # of a fit: what `insight.saliency` gives
    """
    if images.shape != saliency.shape or images.ndim != 4 or 0 in images.shape:
        raise ArgumentError(f"images {images.shape} and saliency {saliency.shape} must be one shape (n, rows, columns, "
                            "channels).")  # fmt: skip
    labels = _labels(labels, len(images))
    n, high, wide = images.shape[:3]
    grey = _scaled(images.mean(axis=3), False, False)
    signs = _scaled(saliency.sum(axis=3), True, False)
    light = np.repeat(grey[..., np.newaxis], 3, axis=3)
    blue, orange = (np.array([int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)]) for c in (style.POSITIVE, style.NEGATIVE))
    size = np.abs(signs)[..., np.newaxis]
    colour = 1 - size * (1 - np.where(signs[..., np.newaxis] > 0, blue, orange))
    sheet = np.ones((2 * high + GAP, n * (wide + GAP) - GAP, 3))
    ax = style.target_axes(ax, (min(1.3 * n + 0.4, 12.0), 3.0))
    for k in range(n):
        left = k * (wide + GAP)
        sheet[:high, left : left + wide] = light[k]
        sheet[high + GAP :, left : left + wide] = colour[k]
        if labels is not None:
            ax.text(left + (wide - 1) / 2, -0.8, str(labels[k]), ha="center", va="bottom", fontsize=8, color=style.INK,
                    parse_math=False)  # fmt: skip
    _show(ax, sheet, False)
    return ax
