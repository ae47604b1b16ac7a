"""Random changes of images that leave what they show: flips, shifts, rotations, zoom, shear, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .checks import as_array, check_size
from .checks.arguments import FLAG, NONE, NOT_NEGATIVE, POSITIVE, Anything, Choice, Number, Several, Whole, arguments
from .errors import ArgumentError

_FLIPS = {None: (False, False), False: (False, False), True: (False, True), "horizontal": (False, True),
          "vertical": (True, False), "both": (True, True)}  # fmt: skip
_FILLS = {"nearest": "nearest", "constant": "constant", "reflect": "reflect", "wrap": "grid-wrap"}


_SHARE = Number(0, 1)
_PAIR = Several(_SHARE, 2, 2)
_ZOOM = Several(POSITIVE, 2, 2)


@arguments(
    flip=NONE | FLAG | Choice("horizontal", "vertical", "both"), shift=_SHARE | _PAIR, rotate=Number(0, 180),
    zoom=Number(0, below=1) | _ZOOM, shear=Number(0, below=90), noise=NOT_NEGATIVE, fill=Choice(*_FILLS), value=Number(),
    random_state=NONE | Whole(0, 2**128 - 1),
)  # fmt: skip
@dataclass(frozen=True)
class ImageAugmenter:
    """Changes images at random: a batch of images in, a batch of the same shape out.

    How image i of epoch e is changed depends on `random_state`, e and i only: neither on the batch it stands in, nor on the
    order of calls, nor on threads. `neuralnet` takes one as ``augment=``; then every epoch sees its own version of the
    training images, and validation, predictions and the fit's error use the images as they are.

    Parameters
    ----------
    flip : bool, "horizontal", "vertical" or "both"
        Each with probability 1/2; True is "horizontal" (left and right).
    shift : float or (float, float)
        Largest shift, as a share of the rows (and columns), either way.
    rotate : float
        Largest angle, in degrees, either way.
    zoom : float or (low, high)
        Factor of size between ``1 - zoom`` and ``1 + zoom``, or between low and high; the same for rows and columns.
    shear : float
        Largest angle of shear, in degrees, either way.
    noise : float
        Standard deviation of Gaussian noise added to every element, in the units of the images.
    fill : "nearest", "constant", "reflect" or "wrap"
        What stands where an image had nothing.
    value : float
        For ``fill="constant"``.
    random_state : int or None
        None is 0. In a fit the repetition's own seeds come in as well: every repetition has its own changes, and the same
        `random_state` of the fit gives the same fit.

    Raises
    ------
    ArgumentError
        Where an argument is not usable.

    Notes
    -----
    Flip, shear, zoom, rotation about the centre, and shift make one map of places; each channel is then interpolated
    bilinearly, once (`scipy.ndimage.affine_transform`). Random numbers: Philox, whose key is made of the seed and whose
    counter of epoch and image.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> images = np.arange(12.0).reshape(1, 2, 3, 2)
    >>> ns.augment.ImageAugmenter(shift=0.5, random_state=1)(images, epoch=3).shape
    (1, 2, 3, 2)
    """

    flip: Any = False
    shift: Any = 0.0
    rotate: float = 0.0
    zoom: Any = 0.0
    shear: float = 0.0
    noise: float = 0.0
    fill: str = "nearest"
    value: float = 0.0
    random_state: int | None = None

    def __post_init__(self) -> None:
        self._zooms()

    def _zooms(self) -> tuple[float, float]:
        """Least and largest factor of size."""
        low, high = self.zoom if isinstance(self.zoom, tuple) else (1 - self.zoom, 1 + self.zoom)
        if low > high:
            raise ArgumentError(f"zoom must be below 1, or a pair 0 < low <= high, got {self.zoom!r}.")
        return low, high

    @arguments(
        images=Anything("images", np.zeros((1, 2, 2, 1))), epoch=Whole(), index=Anything("None or whole numbers", None),
        stream=Whole(0, 2**128 - 1),
    )  # fmt: skip
    def __call__(self, images: Any, epoch: int = 0, index: Any = None, stream: int = 0) -> np.ndarray:
        """Change a batch.

        Parameters
        ----------
        images : array, shape (n, rows, columns, channels) or (n, rows, columns)
        epoch : int
            The same number gives the same changes.
        index : (n,) int array, optional
            Numbers of the images; 0, ..., n - 1 unless given.
        stream : int
            Another number gives other changes; in a fit it belongs to the repetition.

        Returns
        -------
        array of the same shape
            float32 for float32, else float64.

        Raises
        ------
        ArgumentError
            Where `images` are no images, or index does not fit them.
        """
        images = as_array(images, "images", "numbers of the shape (n, rows, columns, channels)")
        if images.ndim not in (3, 4) or images.dtype.kind not in "buif":
            raise ArgumentError(f"images must have the shape (n, rows, columns, channels), got {images.shape}.")
        numbers = np.arange(len(images)) if index is None else as_array(index, "index", "whole numbers")
        if numbers.shape != (len(images),) or numbers.dtype.kind not in "iu":
            raise ArgumentError(f"index must be {len(images)} whole numbers, got shape {numbers.shape}.")
        if numbers.size and numbers.min() < 0:
            raise ArgumentError(f"index must be whole numbers >= 0, got {numbers.min()}.")
        check_size(images.size, "images as numbers")
        out = np.array(images, np.float32 if images.dtype == np.float32 else np.float64)
        whole = out[..., np.newaxis] if out.ndim == 3 else out
        words = [0 if self.random_state is None else int(self.random_state), int(stream)]
        key = np.random.SeedSequence(words).generate_state(2, np.uint64)
        for image, number in zip(whole, numbers, strict=True):
            counter = np.array([0, 0, int(epoch), int(number)], np.uint64)
            self._change(image, np.random.Generator(np.random.Philox(key=key, counter=counter)))
        return out

    def _change(self, image: np.ndarray, rng: np.random.Generator) -> None:
        """Change one image (rows, columns, channels) in place."""
        u = rng.random(7)  # always as many, so that one argument does not change what another draws
        flips = [flip and bool(draw < 0.5) for flip, draw in zip(_FLIPS[self.flip], u[:2], strict=True)]
        shift = np.broadcast_to(self.shift, 2) * image.shape[:2] * (2 * u[2:4] - 1)
        angle, shear = np.deg2rad(self.rotate) * (2 * u[4] - 1), np.deg2rad(self.shear) * (2 * u[5] - 1)
        low, high = self._zooms()
        factor = low + (high - low) * u[6]
        if flips[0]:
            image[:] = image[::-1].copy()
        if flips[1]:
            image[:] = image[:, ::-1].copy()
        if angle or shear or factor != 1 or shift.any():
            _move(image, angle, shear, factor, shift, _FILLS[self.fill], float(self.value))
        if self.noise:
            image += self.noise * rng.standard_normal(image.shape)


def _move(image: np.ndarray, angle: float, shear: float, factor: float, shift: np.ndarray, mode: str, value: float) -> None:
    """Shear, zoom and rotate about the centre, then shift; in place."""
    from scipy import ndimage

    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = turn @ (factor * np.array([[1.0, 0.0], [np.tan(shear), 1.0]]))
    back = np.linalg.inv(forward)  # where each new place comes from
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre - back @ (centre + shift)
    for c in range(image.shape[2]):
        image[..., c] = ndimage.affine_transform(image[..., c], back, offset, order=1, mode=mode, cval=value)


def change_rows(
    augment: Any, inputs: np.ndarray, out: np.ndarray, shape: tuple[int, ...], epoch: int, stream: int,
    index: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Write the changed observations of an epoch over `out`.

    Parameters
    ----------
    augment : callable
        As `ImageAugmenter`: ``augment(images, epoch=..., stream=...)``.
    inputs, out : (n, D) arrays
        The elements of an image first; further columns stay as they are.
    shape : tuple of int
        Of one image.
    epoch, stream : int
    index : (n,) int array, optional
        Numbers of the observations, where they are not all.

    Raises
    ------
    ArgumentError
        Where `augment` gives another shape, or numbers that are not finite.
    """
    size = int(np.prod(shape))
    more = {} if index is None else {"index": index}
    made = np.asarray(augment(inputs[:, :size].reshape(-1, *shape), epoch=epoch, stream=stream, **more))
    if made.shape != (len(inputs), *shape):
        raise ArgumentError(f"augment gave the shape {made.shape}, expected {(len(inputs), *shape)}.")
    if made.dtype.kind not in "buif" or not np.isfinite(made).all():
        raise ArgumentError("augment gave values that are no finite numbers.")
    out[:, :size] = made.reshape(len(inputs), size)
