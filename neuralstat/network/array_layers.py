"""Layers as operations on arrays whose first axis is observations; see `passes`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..functions.activation_calls import activation_values
from ..functions.activations import ACTIVATIONS, IDENTITY, LOG_SOFTMAX, RELU, SOFTMAX
from ..layers import codes

PATCHES = 2**20  # numbers in the patches of a piece
PIECE = 2**21  # weights in a piece of a dense layer
UNITS = 512  # at least so many units in one: numbers of a row of the kernel that lie together
NEAR = 2**16  # units in a piece of a depthwise convolution
CAPPED = ACTIVATIONS["relu6"].code


def threads() -> int:
    """Threads that pieces are spread over."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def same(z: np.ndarray) -> np.ndarray:
    """No activation."""
    return z


def activated(row: np.ndarray, constant: float, z: np.ndarray) -> np.ndarray:
    """The activation of a layer, in place; softmax over all units, or those of the last axis."""
    code = int(row[codes.ACT])
    if code == RELU:
        return np.maximum(z, 0, out=z)
    if code == CAPPED:
        return np.clip(z, 0, z.dtype.type(constant), out=z)
    if code == IDENTITY:
        return z
    if code in (SOFTMAX, LOG_SOFTMAX):
        groups = _groups(row, z)
        groups -= groups.max(axis=-1, keepdims=True)
        total = np.exp(groups).sum(axis=-1, keepdims=True)
        if code == LOG_SOFTMAX:
            groups -= np.log(total)
        else:
            np.divide(np.exp(groups), total, out=groups)
        return z
    flat = z.reshape(1, -1)  # a view: sums lie one after the other
    activation_values(code, constant, int(row[codes.ADDRESS]), flat, np.empty_like(flat))
    return z


def _groups(row: np.ndarray, z: np.ndarray) -> np.ndarray:
    """A view of units, those that softmax sees together in the last axis."""
    return z.reshape(-1, int(row[codes.FILTERS]) or z.shape[-1])


def coupled_back(row: np.ndarray, value: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """d / d sums of softmax, or of its logarithm, from d / d units (m, units)."""
    a, d = _groups(row, value), _groups(row, np.ascontiguousarray(delta))
    if row[codes.ACT] == LOG_SOFTMAX:
        back = d - np.exp(a) * d.sum(axis=-1, keepdims=True)
    else:
        back = a * (d - (a * d).sum(axis=-1, keepdims=True))
    return back.reshape(delta.shape)


def dense(value: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, then: Any, pool: Any) -> np.ndarray:
    """Sums of a dense layer, some units at a time."""
    length, units = kernel.shape
    value = np.ascontiguousarray(value, kernel.dtype)
    out = np.empty((len(value), units), kernel.dtype)
    step = max(UNITS, PIECE // max(length, 1))

    def piece(first: int) -> None:
        part = slice(first, first + step)
        out[:, part] = value @ kernel[:, part]
        if bias is not None:
            out[:, part] += bias[part]

    list(pool.map(piece, range(0, units, step)))
    return then(out)


def convolution(
    row: np.ndarray, value: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, then: Any, pool: Any
) -> np.ndarray:
    """Units (m, rows, columns, filters) of a convolution, some rows of an image or some images at a time."""
    filters, high, wide = kernel.shape[1], int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS])
    image = _padded(row, value.reshape(len(value), *_image(row)), kernel.dtype)
    out = np.empty((len(value), high, wide, filters), kernel.dtype)

    def piece(at: tuple[int, int, int, int]) -> None:
        i, j, first, last = at
        view = _patches(row, image[i:j], first, last)
        z = view.reshape(-1, kernel.shape[0]) @ kernel
        if bias is not None:
            z += bias
        out[i:j, first:last] = then(z).reshape(j - i, last - first, wide, filters)

    list(pool.map(piece, _pieces(len(value), high, wide, kernel.shape[0])))
    return out


def depthwise(
    row: np.ndarray, value: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, then: Any, pool: Any
) -> np.ndarray:
    """Units (m, rows, columns, filters) of a depthwise convolution, whose kernel is (elements, channels, filters of each)."""
    high, wide, (_, channels, each) = int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS]), kernel.shape
    image = _padded(row, value.reshape(len(value), *_image(row)), kernel.dtype)
    out = np.empty((len(value), high, wide, channels * each), kernel.dtype)
    start = 0 if bias is None else bias.reshape(channels, each)

    def piece(at: tuple[int, int, int]) -> None:
        i, first, last = at
        z = np.empty((last - first, wide, channels, each), kernel.dtype)
        z[...] = start
        for taken, weights in zip(_taps(row, image[i], first, last), kernel, strict=True):
            z += taken[..., np.newaxis] * weights
        out[i, first:last] = then(z.reshape(1, -1)).reshape(last - first, wide, -1)

    step = max(1, NEAR // (wide * channels * each))
    list(pool.map(piece, ((i, first, min(first + step, high)) for i in range(len(value)) for first in range(0, high, step))))
    return out


def depthwise_back(row: np.ndarray, delta: np.ndarray, kernel: np.ndarray, pool: Any) -> np.ndarray:
    """d / d inputs (m, rows, columns, channels) of a depthwise convolution, from d / d sums (m, units)."""
    m, high, (_, channels, each) = len(delta), int(row[codes.OUT_ROWS]), kernel.shape
    delta = delta.reshape(m, high, int(row[codes.OUT_COLS]), channels, each)
    rows, cols, _ = _image(row)
    up, left = int(row[codes.PAD_ROWS]), int(row[codes.PAD_COLS])
    tall, broad = _reach(row)
    back = np.zeros((m, max(tall, up + rows), max(broad, left + cols), channels), kernel.dtype)

    def piece(i: int) -> None:
        for taken, weights in zip(_taps(row, back[i], 0, high), kernel, strict=True):
            taken += delta[i, ..., 0] * weights[:, 0] if each == 1 else (delta[i] * weights).sum(axis=-1)

    list(pool.map(piece, range(m)))
    return back[:, up : up + rows, left : left + cols]


def convolution_back(row: np.ndarray, delta: np.ndarray, kernel: np.ndarray, pool: Any) -> np.ndarray:
    """d / d inputs (m, rows, columns, channels) of a convolution that reads few channels, from d / d sums (m, units).

    What the sums say to each element of their windows is one product, with as many numbers as there are channels, where
    patches of deltas (see `stuffed`) have as many as there are filters; these are added up where they belong.
    """
    m, high, wide = len(delta), int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS])
    (rows, cols, channels), filters = _image(row), kernel.shape[1]
    up, left = int(row[codes.PAD_ROWS]), int(row[codes.PAD_COLS])
    tall, broad = _reach(row)
    delta, back = delta.reshape(m, high * wide, filters), np.empty((m, rows, cols, channels), kernel.dtype)

    def piece(i: int) -> None:
        said = (kernel @ delta[i].T).reshape(-1, channels, high, wide)
        planes = np.zeros((channels, max(tall, up + rows), max(broad, left + cols)), kernel.dtype)
        for taken, own in zip(_taps(row, planes.transpose(1, 2, 0), 0, high), said, strict=True):
            taken += own.transpose(1, 2, 0)
        back[i] = planes[:, up : up + rows, left : left + cols].transpose(1, 2, 0)

    list(pool.map(piece, range(m)))
    return back


def _taps(row: np.ndarray, image: np.ndarray, first: int, last: int) -> Iterator[np.ndarray]:
    """For each element of a kernel a view (rows, columns, channels) of what it sees below output rows first .. last."""
    down, across, wide = (int(row[c]) for c in (codes.STRIDE_ROWS, codes.STRIDE_COLS, codes.OUT_COLS))
    for a in range(row[codes.KERNEL_ROWS]):
        y = first * down + a * int(row[codes.DILATION_ROWS])
        for b in range(row[codes.KERNEL_COLS]):
            x = b * int(row[codes.DILATION_COLS])
            yield image[y : y + (last - first - 1) * down + 1 : down, x : x + (wide - 1) * across + 1 : across]


def _pieces(m: int, high: int, wide: int, length: int) -> Iterator[tuple[int, int, int, int]]:
    """Images i .. j and rows first .. last of each piece of a convolution's output."""
    rows = min(max(1, PATCHES // (wide * length)), max(1, -(-high // 2)))
    images = max(1, PATCHES // (high * wide * length))
    if images > 1:
        rows = high
    for i in range(0, m, images):
        for first in range(0, high, rows):
            yield i, min(i + images, m), first, min(first + rows, high)


def _image(row: np.ndarray) -> tuple[int, int, int]:
    return int(row[codes.ROWS]), int(row[codes.COLS]), int(row[codes.CHANNELS])


def _reach(row: np.ndarray) -> tuple[int, int]:
    """Rows and columns, zeros included, that the windows of a convolution reach over."""
    high = (row[codes.OUT_ROWS] - 1) * row[codes.STRIDE_ROWS] + (row[codes.KERNEL_ROWS] - 1) * row[codes.DILATION_ROWS] + 1
    wide = (row[codes.OUT_COLS] - 1) * row[codes.STRIDE_COLS] + (row[codes.KERNEL_COLS] - 1) * row[codes.DILATION_COLS] + 1
    return int(high), int(wide)


def _padded(row: np.ndarray, image: np.ndarray, dtype: Any) -> np.ndarray:
    """Images with the zeros that windows reach into."""
    high, wide = _reach(row)
    up, left = int(row[codes.PAD_ROWS]), int(row[codes.PAD_COLS])
    if not up and not left and high <= image.shape[1] and wide <= image.shape[2]:
        return np.ascontiguousarray(image, dtype)
    out = np.zeros((len(image), max(high, up + image.shape[1]), max(wide, left + image.shape[2]), image.shape[3]), dtype)
    out[:, up : up + image.shape[1], left : left + image.shape[2]] = image
    return out


def _patches(row: np.ndarray, image: np.ndarray, first: int, last: int) -> np.ndarray:
    """A view (images, rows, columns, kernel rows, kernel columns, channels) of what lies below output rows first .. last."""
    s = image.strides
    shape = (len(image), last - first, row[codes.OUT_COLS], row[codes.KERNEL_ROWS], row[codes.KERNEL_COLS], image.shape[3])
    strides = (s[0], row[codes.STRIDE_ROWS] * s[1], row[codes.STRIDE_COLS] * s[2], row[codes.DILATION_ROWS] * s[1],
               row[codes.DILATION_COLS] * s[2], s[3])  # fmt: skip
    start = image[:, first * row[codes.STRIDE_ROWS] :]
    return np.lib.stride_tricks.as_strided(start, shape, strides, writeable=False)


def stuffed(row: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Deltas (m, units) of a convolution with the zeros between them that strides passed over."""
    down, across = int(row[codes.STRIDE_ROWS]), int(row[codes.STRIDE_COLS])
    high, wide, filters = (int(row[c]) for c in (codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS))
    image = delta.reshape(len(delta), high, wide, filters)
    if down == across == 1:
        return image
    out = np.zeros((len(delta), (high - 1) * down + 1, (wide - 1) * across + 1, filters), delta.dtype)
    out[:, ::down, ::across] = image
    return out


def turned_geometry(row: np.ndarray) -> np.ndarray:
    """The row of the convolution that takes stuffed deltas back to the inputs."""
    out = row.copy()
    for stride, size, n_out, kernel, dilation, pad in (
        (codes.STRIDE_ROWS, codes.ROWS, codes.OUT_ROWS, codes.KERNEL_ROWS, codes.DILATION_ROWS, codes.PAD_ROWS),
        (codes.STRIDE_COLS, codes.COLS, codes.OUT_COLS, codes.KERNEL_COLS, codes.DILATION_COLS, codes.PAD_COLS),
    ):
        out[size], out[n_out] = (row[n_out] - 1) * row[stride] + 1, row[size]
        out[stride], out[pad] = 1, (row[kernel] - 1) * row[dilation] - row[pad]
    out[codes.CHANNELS], out[codes.FILTERS] = row[codes.FILTERS], row[codes.CHANNELS]
    return out


def _windows(row: np.ndarray, image: np.ndarray) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """For each place in a window: of which outputs it lies in the image, and where, as indexes of (m, rows, columns, ...)."""
    for a in range(row[codes.KERNEL_ROWS]):
        for b in range(row[codes.KERNEL_COLS]):
            pairs = []
            for at, n_out, stride, pad, size in (
                (a, row[codes.OUT_ROWS], row[codes.STRIDE_ROWS], row[codes.PAD_ROWS], image.shape[1]),
                (b, row[codes.OUT_COLS], row[codes.STRIDE_COLS], row[codes.PAD_COLS], image.shape[2]),
            ):
                first = int(max(0, -(-(pad - at) // stride)))
                count = max(0, int(min(n_out, (size - 1 + pad - at) // stride + 1)) - first)
                start, stride = int(first * stride + at - pad), int(stride)
                pairs.append((slice(first, first + count), slice(start, start + count * stride, stride)))
            yield (slice(None), pairs[0][0], pairs[1][0]), (slice(None), pairs[0][1], pairs[1][1])


def _global(row: np.ndarray) -> bool:
    """Whether a pooling layer has one window, all of the image."""
    one = row[codes.OUT_ROWS] == row[codes.OUT_COLS] == 1 and row[codes.PAD_ROWS] == row[codes.PAD_COLS] == 0
    return bool(one and row[codes.KERNEL_ROWS] >= row[codes.ROWS] and row[codes.KERNEL_COLS] >= row[codes.COLS])


def pooled(row: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Largest values or means of windows (m, rows, columns, channels)."""
    image = value.reshape(len(value), *_image(row))
    shape = len(value), int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS]), image.shape[3]
    if _global(row):
        largest = row[codes.KIND] == codes.MAXIMUM
        return (image.max(axis=(1, 2)) if largest else image.mean(axis=(1, 2))).reshape(shape)
    if row[codes.KIND] == codes.MAXIMUM:
        whole = row[codes.PAD_ROWS] == row[codes.PAD_COLS] == 0  # each window has its first element
        windows = list(_windows(row, image))
        out = image[windows[0][1]].copy() if whole else np.full(shape, -np.inf, value.dtype)
        for there, here in windows[1 if whole else 0 :]:
            np.maximum(out[there], image[here], out=out[there])
        return out
    out, count = np.zeros(shape, value.dtype), np.zeros((1, *shape[1:3], 1), value.dtype)
    for there, here in _windows(row, image):
        out[there] += image[here]
        count[there] += 1
    return out / count


def pooled_back(row: np.ndarray, source: np.ndarray | None, value: np.ndarray | None, delta: np.ndarray) -> np.ndarray:
    """d / d inputs of pooling (m, rows, columns, channels); of several largest values the first has it.

    Units of both ends, (m, units), are needed for largest values only.
    """
    size = len(delta), *_image(row)
    shape = len(delta), int(row[codes.OUT_ROWS]), int(row[codes.OUT_COLS]), size[3]
    delta = delta.reshape(shape)
    if _global(row) and source is None:
        return np.broadcast_to(delta / (size[1] * size[2]), size)
    back = np.zeros(size, delta.dtype)
    if source is None or value is None:
        count = np.zeros((1, *shape[1:3], 1), delta.dtype)
        for there, _ in _windows(row, back):
            count[there] += 1
        for there, here in _windows(row, back):
            back[here] += delta[there] / count[there]
        return back
    image, value, left = source.reshape(size), value.reshape(shape), np.array(delta)
    if _global(row):
        at = image.reshape(len(image), -1, size[3]).argmax(axis=1)[:, np.newaxis]
        np.put_along_axis(back.reshape(len(image), -1, size[3]), at, delta[:, 0], axis=1)
        return back
    for there, here in _windows(row, image):
        own = (image[here] == value[there]) * left[there]
        back[here] += own
        left[there] -= own
    return back
