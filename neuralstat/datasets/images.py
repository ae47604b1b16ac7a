"""Sets of images in files that the user has: MNIST, Fashion-MNIST, CIFAR-10, folders of pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import arguments as kinds
from neuralstat.checks import check_size, shown
from neuralstat.checks.arguments import FLAG, NONE, PATH, arguments
from neuralstat.checks.files import named, open_regular
from neuralstat.datasets.files import as_path, find, naming, npz, read_idx
from neuralstat.datasets.pictures import Pictures, picture, pillow
from neuralstat.datasets.unpickle import read_pickle
from neuralstat.errors import ArgumentError, FileFormatError

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHARED = {"folder": PATH, "subset": kinds.Choice("train", "test"), "n": NONE | kinds.Whole(1), "scale": FLAG}
_SIDE = kinds.Whole(1, 2**16)
BATCH = 100_000  # pictures of a file, ten times as many as there are
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


def _pixels(images: np.ndarray, scale: bool) -> np.ndarray:
    return images.astype(np.float32) / np.float32(255) if scale else images


def _idx_pair(folder: Path, subset: str, n: int | None, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) and labels (n,), from IDX files in a folder or from Keras' npz file."""
    if folder.suffix == ".npz":
        arrays = npz(folder)
        try:
            images, labels = arrays[f"x_{subset}"][:n], arrays[f"y_{subset}"][:n]
        except KeyError as error:
            raise FileFormatError(f"{folder}: it has no array {error}") from None
        source = folder
    else:
        where = as_path(folder, "folder", True)
        stem = "train" if subset == "train" else "t10k"
        paths = [
            find(where, [f"{stem}-{kind}{join}idx{axes}-ubyte{end}" for join in "-." for end in ("", ".gz")], what)
            for kind, axes in (("images", 3), ("labels", 1))
        ]
        images, labels = read_idx(paths[0], 3, n), read_idx(paths[1], 1, n)
        source = paths[1]
    if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise FileFormatError(f"{source}: {images.shape} images and {labels.shape} labels do not belong together")
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise FileFormatError(f"{source}: a label is not among 0 to 9")
    return images[..., np.newaxis], labels.astype(np.int64)


@arguments(**SHARED)
def mnist(
    folder: str | os.PathLike[str], subset: str = "train", *, n: int | None = None, scale: bool = True
) -> dict[str, Any]:
    """Read MNIST, handwritten digits, from files that you have.

    Parameters
    ----------
    folder : str or Path
        Folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...``, plain or ``.gz``; or Keras'
        ``mnist.npz``.
    subset : "train" or "test"
    n : int, optional
        The first n images only.
    scale : bool
        True divides by 255 (float32); False gives whole numbers 0 to 255.

    Returns
    -------
    dict
        ``digit``, a Categorical of 0 to 9; ``pixels``, shape (n, 28, 28, 1). It is data for
        ``neuralnet("digit ~ pixels", data, layers=..., family="multinomial")``.

    Raises
    ------
    FileFormatError
        Naming the file, where it is damaged. FileNotFoundError where there is none.

    References
    ----------
    LeCun, Y., Bottou, L., Bengio, Y. & Haffner, P. (1998). Gradient-based learning applied to document recognition.
    Proceedings of the IEEE 86, 2278-2324.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> two = {"x_train": np.zeros((2, 28, 28), "uint8"), "y_train": [3, 7]}
    >>> np.savez("mnist.npz", **two, x_test=two["x_train"], y_test=[3, 7])
    >>> digits = ns.datasets.mnist("mnist.npz")
    >>> digits["digit"].tolist(), digits["pixels"].shape
    ([3, 7], (2, 28, 28, 1))
    """
    images, labels = _idx_pair(Path(folder), subset, n, "mnist")
    return {"digit": pd.Categorical.from_codes(labels, list(range(10))), "pixels": _pixels(images, scale)}


@arguments(**SHARED)
def fashion_mnist(
    folder: str | os.PathLike[str], subset: str = "train", *, n: int | None = None, scale: bool = True
) -> dict[str, Any]:
    """Read Fashion-MNIST, pictures of clothes, from files that you have; as `mnist`.

    Returns
    -------
    dict
        ``article``, a Categorical of ten names; ``pixels``, shape (n, 28, 28, 1).

    References
    ----------
    Xiao, H., Rasul, K. & Vollgraf, R. (2017). Fashion-MNIST. arXiv:1708.07747.

    Examples
    --------
    >>> from pathlib import Path
    >>> import struct
    >>> import neuralstat as ns
    >>> head = struct.pack(">4i", 2051, 1, 28, 28)
    >>> n = Path("train-images-idx3-ubyte").write_bytes(head + bytes(784))
    >>> n = Path("train-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, 1) + bytes([9]))
    >>> clothes = ns.datasets.fashion_mnist(".")
    >>> clothes["article"].tolist(), clothes["pixels"].shape
    (['Ankle boot'], (1, 28, 28, 1))
    """
    images, labels = _idx_pair(Path(folder), subset, n, "fashion_mnist")
    return {"article": pd.Categorical.from_codes(labels, list(FASHION)), "pixels": _pixels(images, scale)}


@arguments(**SHARED)
def cifar10(
    folder: str | os.PathLike[str], subset: str = "train", *, n: int | None = None, scale: bool = True
) -> dict[str, Any]:
    """Read CIFAR-10, small colour pictures of ten kinds, from files that you have.

    Parameters
    ----------
    folder : str or Path
        Folder with ``data_batch_1.bin``, ..., ``test_batch.bin`` (binary version) or ``data_batch_1``, ... (Python
        version, pickles, of which only arrays and texts are read; nothing is executed).
    subset : "train" or "test"
    n : int, optional
        The first n images only.
    scale : bool
        True divides by 255 (float32); False gives whole numbers 0 to 255.

    Returns
    -------
    dict
        ``label``, a Categorical of ten names; ``pixels``, shape (n, 32, 32, 3), channels red, green, blue.

    Raises
    ------
    FileFormatError
        Naming the file, where it is damaged or holds anything else. FileNotFoundError where there is none.

    References
    ----------
    Krizhevsky, A. (2009). Learning multiple layers of features from tiny images. University of Toronto.

    Examples
    --------
    >>> from pathlib import Path
    >>> import neuralstat as ns
    >>> n = Path("test_batch.bin").write_bytes(bytes([3]) + bytes(32 * 32 * 3))  # class 3, all black
    >>> pictures = ns.datasets.cifar10(".", "test")
    >>> pictures["label"].tolist(), pictures["pixels"].shape
    (['cat'], (1, 32, 32, 3))
    """
    where = as_path(folder, "folder", True)
    stems = [f"data_batch_{k}" for k in range(1, 6)] if subset == "train" else ["test_batch"]
    rows, labels, seen = [], [], 0
    for stem in stems:
        path = find(where, (f"{stem}.bin", stem), "cifar10")
        with naming(path):
            some, own = _cifar_binary(path) if path.suffix == ".bin" else _cifar_pickle(path)
        rows.append(some if n is None else some[: n - seen])
        labels.append(own if n is None else own[: n - seen])
        seen += len(rows[-1])
        if seen == n:
            break
    images = np.concatenate(rows).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    codes = np.concatenate(labels).astype(np.int64)
    return {"label": pd.Categorical.from_codes(codes, list(CIFAR10)), "pixels": _pixels(np.ascontiguousarray(images), scale)}


def _cifar_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    size = path.stat().st_size
    if size == 0 or size % 3073 or size > BATCH * 3073:
        raise FileFormatError(f"it has {size} bytes, no multiple of 3073: it is cut off, or not of CIFAR-10")
    raw = np.fromfile(path, np.uint8)
    if raw.size != size:
        raise FileFormatError("it was changed while it was read")
    raw = raw.reshape(-1, 3073)
    if raw[:, 0].max() > 9:
        raise FileFormatError("a label is not among 0 to 9")
    return raw[:, 1:], raw[:, 0]


def _cifar_pickle(path: Path) -> tuple[np.ndarray, np.ndarray]:
    size = path.stat().st_size
    if size > 4 * BATCH * 3073:  # a pickle of Python 2, as text, takes more than the bytes themselves
        raise FileFormatError(f"it has {size} bytes, more than a batch of CIFAR-10")
    with named(path), open_regular(path) as file:
        found = read_pickle(file.read(size), 64 * 2**20 + 2 * size)
    if not isinstance(found, dict):
        raise FileFormatError("it is no batch of CIFAR-10")
    found = {key.decode("latin1") if isinstance(key, bytes) else key: value for key, value in found.items()}
    rows, labels = found.get("data"), found.get("labels")
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 3072:
        raise FileFormatError("it is no batch of CIFAR-10: 'data' is no array of rows of 3072 bytes")
    if not isinstance(labels, list) or len(labels) != len(rows) or not all(type(k) is int and 0 <= k < 10 for k in labels):
        raise FileFormatError(f"it is no batch of CIFAR-10: 'labels' are no {len(rows)} numbers from 0 to 9")
    return rows, np.array(labels)


@arguments(
    path=PATH, size=_SIDE | kinds.Several(_SIDE, 2, 2), channels=kinds.Whole(1, 3), classes=NONE | kinds.Several(kinds.TEXT),
    n=NONE | kinds.Whole(1), scale=FLAG, lazy=FLAG,
)  # fmt: skip
def image_folder(
    path: str | os.PathLike[str], size: int | tuple[int, int], *, channels: int = 3, classes: Sequence[str] | None = None,
    n: int | None = None, scale: bool = True, lazy: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Read pictures in folders, one folder per class.

    Needs Pillow, as ``pip install "neuralstat[images]"`` brings it.

    Parameters
    ----------
    path : str or Path
        Folder of folders, whose names are the classes (``cats/1.jpg``, ``dogs/1.jpg``). Hidden files, and files whose
        suffix is not that of a picture, are passed over.
    size : int or (rows, columns)
        Pictures are resized to it (bilinear), without regard to their aspect.
    channels : 1 or 3
        Grey, or red, green, blue.
    classes : sequence of str, optional
        Folders to read, in the order of the classes; all of them, sorted, unless given.
    n : int, optional
        The first n pictures of every class only.
    scale : bool
        True divides by 255 (float32); False gives whole numbers 0 to 255.
    lazy : bool
        True leaves the pictures in their files: ``pixels`` is `Pictures`, which fits by epochs and predictions read batch
        by batch, so that there may be more of them than memory holds.

    Returns
    -------
    dict
        ``label``, a Categorical; ``pixels``, shape (n, rows, columns, channels); ``file``, paths relative to `path`.

    Raises
    ------
    FileFormatError
        Naming the file, where a picture cannot be read or has too many pixels.
    ArgumentError
        Where Pillow is not installed, or an argument is not usable.

    Examples
    --------
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> import neuralstat as ns
    >>> for name, colour in (("cats", "white"), ("dogs", "black")):
    ...     Path(name).mkdir()
    ...     Image.new("RGB", (32, 24), colour).save(f"{name}/1.png")
    >>> pictures = ns.datasets.image_folder(".", (8, 8))
    >>> pictures["label"].tolist(), pictures["pixels"].shape
    (['cats', 'dogs'], (2, 8, 8, 3))
    """
    library = pillow()
    where = as_path(path, "path", True)
    shape = size if isinstance(size, tuple) else (size, size)
    if channels not in (1, 3):
        raise ArgumentError(f"channels must be 1 or 3, got {channels!r}.")
    names = sorted(p.name for p in where.iterdir() if p.is_dir() and not p.name.startswith("."))
    names = names if classes is None else list(classes)
    if len(set(names)) < len(names):
        raise ArgumentError(f"classes: a name occurs twice in {shown(names)}.")
    files: list[Path] = []
    codes: list[int] = []
    for k, name in enumerate(names):
        if not (where / name).is_dir():
            raise FileNotFoundError(f"classes: there is no folder {where / name}")
        own = sorted(p for p in (where / name).iterdir() if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))[:n]
        files += own
        codes += [k] * len(own)
    if not files:
        raise FileNotFoundError(f"there are no pictures in the folders of {where}")
    told = {
        "label": pd.Categorical.from_codes(codes, names),
        "file": np.array([str(f.relative_to(where)) for f in files], dtype=object),
    }  # fmt: skip
    if lazy:
        return told | {"pixels": Pictures(files, (*shape, channels), scale)}
    check_size(len(files) * shape[0] * shape[1] * channels * 5, f"size={size!r}, {len(files)} pictures", 1)
    out = np.empty((len(files), *shape, channels), np.uint8)
    for k, file in enumerate(files):
        with naming(file):
            out[k] = picture(library, file, shape, channels)
    return told | {"pixels": _pixels(out, scale)}
