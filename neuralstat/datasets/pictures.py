"""Pictures in files, read when their rows are asked for."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.files import open_regular
from ..errors import ArgumentError, FileFormatError
from .files import naming

THREADS = 8  # most pictures that are read at once
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")


class Pictures:
    """Pictures as an array (n, rows, columns, channels) that lies in files; `image_folder` makes it with ``lazy=True``.

    `neuralnet` takes it as it takes arrays: ``{"label": ..., "pixels": pictures}``. Fits by epochs read the pictures of the
    next batches, by several threads, while they work on the one before, and hold no others. So it is with predictions.

    Parameters
    ----------
    files : sequence of Path
    shape : (rows, columns, channels)
        Pictures are resized to it.
    scale : bool
        True divides by 255 (float32); False gives whole numbers 0 to 255.

    Attributes
    ----------
    shape : tuple of int
        (n, rows, columns, channels).
    dtype : dtype
    """

    def __init__(self, files: Sequence[Path], shape: tuple[int, int, int], scale: bool) -> None:
        self.files, self.scale = tuple(files), scale
        self.shape = (len(self.files), *shape)
        self.dtype = np.dtype(np.float32 if scale else np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Pictures: {' x '.join(map(str, self.shape))} of {self.dtype}>"

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Pictures by number, slice, or array of numbers."""
        at = np.arange(len(self))[rows]
        return self.read(np.atleast_1d(at)).reshape(*at.shape, *self.shape[1:])

    def read(self, rows: Any) -> np.ndarray:
        """Pictures by number, (m, rows, columns, channels).

        Parameters
        ----------
        rows : (m,) int array

        Raises
        ------
        FileFormatError
            Naming the file, where a picture cannot be read or has too many pixels.
        ArgumentError
            Where Pillow is not installed.
        """
        library, out = pillow(), np.empty((len(rows), *self.shape[1:]), np.uint8)

        def one(k: int) -> None:
            file = self.files[int(rows[k])]
            with naming(file):
                out[k] = picture(library, file, self.shape[1:3], self.shape[3])

        workers = min(THREADS, len(rows), os.cpu_count() or 1)
        if workers <= 1:
            for k in range(len(rows)):
                one(k)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(one, range(len(rows))))
        return out.astype(np.float32) / 255 if self.scale else out


def pillow() -> Any:
    """The library that reads pictures.

    Raises
    ------
    ArgumentError
        Where it is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ArgumentError('image_folder needs Pillow: pip install "neuralstat[images]".') from None
    return Image


def picture(library: Any, file: Path, shape: tuple[int, int], channels: int) -> np.ndarray:
    """One picture (rows, columns, channels) of bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", library.DecompressionBombWarning)
            with open_regular(file) as source, library.open(source, formats=_FORMATS) as image:
                small = image.convert("L" if channels == 1 else "RGB").resize(shape[::-1], library.Resampling.BILINEAR)
    except (library.DecompressionBombWarning, library.DecompressionBombError):
        raise FileFormatError("the picture claims too many pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, PermissionError | FileFormatError | FileNotFoundError):
            raise
        raise FileFormatError(f"it is no picture that can be read, or damaged ({str(error)[:80]})") from None
    return np.asarray(small).reshape(*shape, channels)
