"""Images as networks want them, and names of the classes that networks tell apart."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import as_array, check_size
from ..checks.arguments import PATH, Choice, Numbers, Whole, arguments
from ..checks.files import named, open_regular, parse_json
from ..errors import ArgumentError, DataWarning, FileFormatError, caller

MEANS = (103.939, 116.779, 123.68)  # blue, green, red, of ImageNet's training images
_INDEX_LIMIT = 10_000_000
OF_MEANS, OF_RANGE = ("vgg16", "vgg19", "resnet50"), ("mobilenet_v2",)


@arguments(model=Choice(*OF_MEANS, *OF_RANGE))
def preprocess_input(images: Any, model: str = "vgg16") -> np.ndarray:
    """Images as a network was trained on them.

    Parameters
    ----------
    images : array, shape (..., 3)
        Red, green, blue from 0 to 255.
    model : {"vgg16", "vgg19", "resnet50", "mobilenet_v2"}
        For the first three channels become blue, green, red, less their means over ImageNet; for "mobilenet_v2" values
        become numbers from -1 to 1.

    Returns
    -------
    array of the same shape
        float32 for float32, else float64.

    Raises
    ------
    ArgumentError
        Where there are no three channels, or the model is unknown.

    Warns
    -----
    DataWarning
        Where no value is above 1, as in images that were divided by 255.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> white = np.full((1, 2, 2, 3), 255.0)
    >>> ns.applications.preprocess_input(white)[0, 0, 0].round(2)  # blue, green, red, less their means
    array([151.06, 138.22, 131.32])
    >>> ns.applications.preprocess_input(white, "mobilenet_v2")[0, 0, 0]  # from -1 to 1
    array([1., 1., 1.])
    """
    images = as_array(images, "images", "numbers with three channels in the last axis")
    if images.ndim < 1 or images.shape[-1] != 3 or images.dtype.kind not in "buif":
        raise ArgumentError(f"images must have three channels in the last axis, got the shape {images.shape}.")
    if images.size and 0 < images.max() <= 1:
        warnings.warn("preprocess_input wants values from 0 to 255, but none is above 1; multiply scaled images by 255.",
                      DataWarning, stacklevel=caller())  # fmt: skip
    check_size(images.size, "images as numbers")
    kind = np.float32 if images.dtype == np.float32 else np.float64
    if model in OF_RANGE:
        return images.astype(kind) / kind(127.5) - kind(1)
    return images[..., ::-1].astype(kind) - np.array(MEANS, kind)


@arguments(predictions=Numbers(2), class_index=PATH, top=Whole(1))
def decode_predictions(
    predictions: Any, class_index: str | os.PathLike[str], top: int = 5
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each image by name.

    Parameters
    ----------
    predictions : array, shape (n, classes)
    class_index : path
        Keras' ``imagenet_class_index.json``: ``{"0": ["n01440764", "tench"], ...}``.
    top : int
        How many.

    Returns
    -------
    list of lists of (id, name, probability)

    Raises
    ------
    FileFormatError
        Where the file does not name the classes.
    ArgumentError
        Where `predictions` has another number of classes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import neuralstat as ns
    >>> index = '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "classes.json")
    ...     n = path.write_text(index)
    ...     ns.applications.decode_predictions([[0.2, 0.8]], path, top=1)
    [[('n01443537', 'goldfish', 0.8)]]
    """
    names = _class_names(Path(class_index))
    if predictions.shape[1] != len(names):
        raise ArgumentError(f"predictions must have the shape (n, {len(names)}), got {predictions.shape}.")
    order = np.argsort(-predictions, axis=1, kind="stable")[:, :top]
    return [[(*names[k], float(row[k])) for k in best] for row, best in zip(predictions, order, strict=True)]


def _class_names(path: Path) -> list[tuple[str, str]]:
    try:
        with named(path), open_regular(path) as file:
            given = parse_json(file.read(_INDEX_LIMIT), f"{path}: it is no index of classes")
        names = [tuple(given[str(k)]) for k in range(len(given))]
        if not names or not all(len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in names):
            raise ValueError("an entry is no pair of texts")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path}: it is no index of classes ({type(error).__name__}: {error!s:.80})") from None
    return names
