"""How few pixels it takes to change a classifier's mind."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size, position, shown
from ..checks.arguments import RANDOM_STATE, REP, Anything, Whole, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..network import derivatives
from .gradients import BOUNDS, FIT, NEW, data_bounds
from .pieces import as_images, check_fit, inputs, to_internal, to_original


@dataclass(frozen=True)
class Attack:
    """What `one_pixel_attack` found.

    Attributes
    ----------
    image : array of the shape of one input
        With the changed pixels.
    pixels : (k, 2) int array
        Rows and columns of the changed pixels.
    values : (k, channels) array
        Their new values.
    before, after : class
        The most probable classes.
    probabilities_before, probabilities_after : (classes,) arrays
    success : bool
        Whether `after` is another class than `before` (with a target: is the target).
    evaluations : int
        How many changed images were tried.

    Examples
    --------
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:200] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "learningrate": 0.05, "random_state": 1}
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=[Flatten()], epochs=10, **settings)
    >>> attack = ns.insight.one_pixel_attack(fit, {"pixels": data["pixels"][:1]}, random_state=1)
    >>> attack.success, attack.image.shape
    (False, (8, 8, 1))
    """

    image: np.ndarray
    pixels: np.ndarray
    values: np.ndarray
    before: Any
    after: Any
    probabilities_before: np.ndarray
    probabilities_after: np.ndarray
    success: bool
    evaluations: int

    def __repr__(self) -> str:
        """One line: the pixels, the classes and their probabilities."""
        at = ", ".join(f"({row}, {column})" for row, column in self.pixels.tolist())
        was, now = float(np.max(self.probabilities_before)), float(np.max(self.probabilities_after))
        if self.before == self.after:
            said = f"{self.before!r} stays ({was:.3g}, then {now:.3g})"
        else:
            said = f"{self.before!r} ({was:.3g}) becomes {self.after!r} ({now:.3g})"
        return f"<Attack at {at}: {said}, {'success' if self.success else 'no success'} after {self.evaluations} images>"


@arguments(
    fit=FIT, new=NEW, pixels=Whole(1, 100_000), target=Anything("a class", None), bounds=BOUNDS,
    population=Whole(1, 1_000_000), generations=Whole(1, 1_000_000), rep=REP, random_state=RANDOM_STATE,
)
def one_pixel_attack(
    fit: Any, new: Any, *, pixels: int = 1, target: Any = None, bounds: tuple[float, float] | None = None,
    population: int = 40, generations: int = 60, rep: Any = "best", random_state: Any = None,
) -> Attack:  # fmt: skip
    """Change single pixels of an image until the fit says another class, by differential evolution.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
        Of a factor, or a 0/1 response, on images (rows, columns, channels).
    new : table with one row
        The image.
    pixels : int
        How many may be changed.
    target : class, optional
        What it shall say; unless given, anything but what it says now.
    bounds : (low, high), optional
        Of new values; those of the fit's data unless given.
    population : int
        Members of the population per unknown (row, column and channels of each pixel).
    generations : int
    rep : int or "best"
    random_state : int or Generator, optional

    Returns
    -------
    Attack

    Raises
    ------
    ArgumentError
        Where the response has no classes, the inputs are no images, or `new` is not one row.

    References
    ----------
    Su, J., Vargas, D. V. & Sakurai, K. (2019). One pixel attack for fooling deep neural networks. IEEE Transactions on
    Evolutionary Computation 23, 828-841.

    Examples
    --------
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:200] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "learningrate": 0.05, "random_state": 1}
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=[Flatten()], epochs=10, **settings)
    >>> one = {"pixels": data["pixels"][8:9]}
    >>> attack = ns.insight.one_pixel_attack(fit, one, pixels=2, random_state=1)
    >>> attack.success, attack.pixels.shape  # what was taken for an 8 is something else now
    (True, (2, 2))
    """
    from scipy.optimize import differential_evolution

    seed = "rng" if "rng" in inspect.signature(differential_evolution).parameters else "seed"  # scipy before 1.15
    fitted = check_fit(fit, "one_pixel_attack")
    shape = tuple(fitted.network.input_shape)
    if len(shape) != 3:
        raise ArgumentError(f"one_pixel_attack needs images (rows, columns, channels); the inputs have the shape {shape}.")
    size = int(np.prod(shape))
    check_size(population * pixels * (2 + shape[2]) * (3 * size + pixels), f"population={population} for pixels={pixels}")
    classes = _classes(fitted)
    x, offset, _, complete = inputs(fitted, new, "one_pixel_attack")
    if x.shape[1] != 1 or not complete[0]:
        raise ArgumentError(f"new must be one row without missing values, got {x.shape[1]} rows.")
    theta = fitted.fit.theta[fitted.which(rep)].astype(float)
    original = as_images(to_original(fitted, x), shape)[0]

    def probabilities(images: np.ndarray) -> np.ndarray:
        rows = to_internal(fitted, images.reshape(len(images), -1).T)
        known = None if offset is None else np.repeat(offset, len(images), axis=1)
        raw = derivatives.outputs(fitted.network, np.ascontiguousarray(rows), theta, known)[0]
        p = fitted.network.objective.response(raw).T
        return np.column_stack([1 - p[:, 0], p[:, 0]]) if p.shape[1] == 1 else p

    start = probabilities(original[np.newaxis])[0]
    now = int(np.argmax(start))
    aim = None if target is None else position(target, classes)
    if target is not None and (aim is None or aim == now):
        raise ArgumentError(f"target must be a class other than {classes[now]!r}, of {', '.join(map(repr, classes))}; "
                            f"got {shown(target)}.")  # fmt: skip
    low, high = data_bounds(to_original(fitted, fitted.design.x), bounds)

    def changed(genes: np.ndarray) -> np.ndarray:
        """Images (members, *shape) of genes (unknowns, members)."""
        images = np.repeat(original[np.newaxis], genes.shape[1], axis=0)
        for part in genes.reshape(pixels, 2 + shape[2], -1):
            images[np.arange(len(images)), _place(part[0], shape[0]), _place(part[1], shape[1])] = part[2:].T
        return images

    seen = [0]

    def cost(genes: np.ndarray) -> np.ndarray:
        seen[0] += genes.size // len(genes)
        p = probabilities(changed(genes.reshape(len(genes), -1)))
        return p[:, now] if aim is None else -p[:, aim]

    def done(genes: np.ndarray, **_: Any) -> bool:
        said = int(np.argmax(probabilities(changed(genes[:, np.newaxis]))[0]))
        return said != now if aim is None else said == aim

    limits = [(0, shape[0]), (0, shape[1]), *[(low, high)] * shape[2]] * pixels
    found = differential_evolution(
        cost, limits, popsize=population, maxiter=generations, tol=0, polish=False, vectorized=True, updating="deferred",
        recombination=1.0, mutation=0.5, strategy="rand1bin", callback=lambda genes, convergence: done(genes),
        **{seed: np.random.default_rng(random_state)},
    )  # fmt: skip
    genes = found.x.reshape(pixels, 2 + shape[2])
    image = changed(found.x[:, np.newaxis])[0]
    end = probabilities(image[np.newaxis])[0]
    places = np.column_stack([_place(genes[:, 0], shape[0]), _place(genes[:, 1], shape[1])])
    values = image[places[:, 0], places[:, 1]]
    then = int(np.argmax(end))
    return Attack(image, places, values, classes[now], classes[then], start, end,
                  bool(then != now if aim is None else then == aim), seen[0])  # fmt: skip


def _place(genes: np.ndarray, size: int) -> np.ndarray:
    return np.clip(genes.astype(int), 0, size - 1)


def _classes(fitted: Fitted) -> list[Any]:
    """Classes of the response, in the order of their probabilities."""
    design = fitted.design
    if design.classes is not None:
        return list(design.classes)
    if not np.isin(design.y, (0, 1)).all():
        raise ArgumentError("one_pixel_attack needs a factor or 0/1 response.")
    return [0, 1] if design.y.shape[0] == 1 else list(design.y_names)
