"""Start weights: random ones by repetition, or the user's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks import as_array, check_items
from ..checks.arguments import Numbers
from ..errors import ArgumentError, DataWarning, caller
from ..layers import codes
from ..seeds import children
from .arrays import fill, keras_start
from .network import Network


def _layers(network: Network, matrix: Callable[[int, int, int], np.ndarray]) -> np.ndarray:
    """A flat vector of ``matrix(layer, 1 + inputs, units)`` per layer."""
    return network.flatten([matrix(k, *shape) if min(shape) else np.zeros(shape) for k, shape in enumerate(network.shapes)])


def _fans(network: Network, layer: int, per_unit: int, units: int) -> tuple[int, int]:
    """Connections into a unit and out of an input; a kernel's positions count (Conv2D)."""
    row = network.table[layer]
    if row[codes.OP] == codes.CONV2D:
        return per_unit - 1, units * int(row[codes.KERNEL_ROWS] * row[codes.KERNEL_COLS])
    return per_unit - 1, units


def _normal(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    return rng.standard_normal(network.n_params)


def _uniform(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    return rng.uniform(-0.7, 0.7, network.n_params)


def _glorot(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    def matrix(k: int, per_unit: int, units: int) -> np.ndarray:
        limit = np.sqrt(6 / sum(_fans(network, k, per_unit, units)))
        return np.vstack([np.zeros((1, units)), rng.uniform(-limit, limit, (per_unit - 1, units))])

    return _layers(network, matrix)


def _he(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    def matrix(k: int, per_unit: int, units: int) -> np.ndarray:
        spread = np.sqrt(2 / max(_fans(network, k, per_unit, units)[0], 1))
        return np.vstack([np.zeros((1, units)), spread * rng.standard_normal((per_unit - 1, units))])

    return _layers(network, matrix)


def _nguyen_widrow(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    if not network.plain:
        raise ArgumentError("init='nguyen-widrow' needs dense layers; use 'glorot' or 'he'.")
    last = len(network.shapes) - 1

    def matrix(k: int, per_unit: int, units: int) -> np.ndarray:
        if k == last or per_unit == 1:
            return rng.uniform(-0.5, 0.5, (per_unit, units))
        low, high = ranges if k == 0 else _ACTIVE_OUT.get(network.layers[k - 1].activation.name, (-1.0, 1.0))
        low, high = np.broadcast_to(low, per_unit - 1), np.broadcast_to(high, per_unit - 1)
        w = rng.uniform(-1, 1, (per_unit - 1, units))
        w *= 0.7 * units ** (1 / (per_unit - 1)) / np.sqrt(np.sum(w**2, axis=0))
        bias = rng.uniform(-1, 1, units) * np.sqrt(np.sum(w**2, axis=0))
        stretch = _ACTIVE_IN.get(network.layers[k].activation.name, 2.0)  # where it bends
        half = np.where(high > low, (high - low) / 2, 1.0)
        w = stretch * w / half[:, np.newaxis]
        return np.vstack([stretch * bias - ((low + high) / 2) @ w, w])

    return _layers(network, matrix)


def _keras(network: Network, rng: np.random.Generator, ranges: np.ndarray) -> np.ndarray:
    return keras_start(network, rng)


_NUMBERS = Numbers(None, finite=False)
_WORDS = "numbers, or lists of weight matrices"
_ACTIVE_IN = {"logistic": 4.0, "tanh": 2.0}  # an activation's active range is from minus this to this
_ACTIVE_OUT = {"logistic": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # range of the values
INITS: dict[str, Callable[[Network, np.random.Generator, np.ndarray], np.ndarray]] = {
    "normal": _normal,
    "uniform": _uniform,
    "glorot": _glorot,
    "he": _he,
    "nguyen-widrow": _nguyen_widrow,
    "keras": _keras,
}


def start_weights(
    network: Network,
    rep: int,
    seeds: np.random.SeedSequence,
    free: np.ndarray,
    constants: np.ndarray,
    startweights: Any = None,
    compat: str | None = None,
    internal: Callable[[np.ndarray], np.ndarray] | None = None,
    adjust: Callable[[np.ndarray], np.ndarray] | None = None,
    init: str = "normal",
    x: np.ndarray | None = None,
    original: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Start weights of all repetitions.

    Repetition r draws from the r-th child of `seeds`; so its start depends neither on the number of
    repetitions nor on threads. ``init`` says from what:

    ``"normal"``
        Standard normal, as R's neuralnet.
    ``"uniform"``
        Between -0.7 and 0.7, as R's nnet.
    ``"glorot"``
        Uniform within sqrt(6 / (inputs + units)), biases 0; Glorot & Bengio 2010, AISTATS, 249. For tanh and
        logistic.
    ``"he"``
        Normal with variance 2 / inputs, biases 0; He, Zhang, Ren & Sun 2015, ICCV, 1026. For relu and its
        kin.
    ``"nguyen-widrow"``
        The units' active ranges are spread over the range of the inputs; Nguyen & Widrow 1990, IJCNN 3:21.
        For one or two hidden layers of logistic or tanh units, whose start then is somewhere in the data.
    ``"keras"``
        Every layer as Keras draws it, see `arrays.keras_start`. Default where ``layers=`` is given.

    Parameters
    ----------
    network : Network
    rep : int
        B, number of repetitions.
    seeds : SeedSequence
    free, constants : (P,) arrays
        From `fixed_weights`.
    startweights : sequence, optional
        Flat numbers in R's order without the weights held out, for the first repetitions (the others start at
        random); or with them, P numbers per repetition; or an array (rep, P); or matrices per repetition. Or a dict of
        arrays as `get_weights` gives it, for all repetitions, or one dict for each of the first; arrays that it lacks
        start at random.
    compat : {None, "R"}
        "R" ignores surplus numbers without a word.
    internal, original : callable, optional
        Turn weights (1, P) from original units into the model's internal units, and back (standardised models).
    adjust : callable, optional
        Moves random weights (B, P) to where the model is defined (see `training.starts.feasible`).
    init : str
        An entry of `INITS`.
    x : (D, n) array, optional
        Inputs, whose ranges "nguyen-widrow" uses.

    Returns
    -------
    (B, P) array

    Raises
    ------
    ArgumentError
        Where the numbers do not fit the network.
    """
    inputs = np.zeros((1, 0)) if x is None or x.size == 0 or init != "nguyen-widrow" else x
    ranges = np.array([inputs.min(axis=1), inputs.max(axis=1)]) if inputs.size else np.array([-1.0, 1.0])
    theta = np.stack([INITS[init](network, np.random.default_rng(s), ranges) for s in children(seeds, rep)])
    theta[:, ~free] = constants[~free]
    if adjust is not None:
        theta = adjust(theta)
    if _is_arrays(startweights):
        theta = _with_arrays(network, startweights, theta, internal, original)
    elif startweights is not None:
        given = _given(network, startweights, int(free.sum()), rep, compat)
        for r, row in enumerate(given[:rep]):
            full = (
                np.where(np.isnan(row) & ~free, 0.0, row)
                if row.size == network.n_params
                else constants.copy()
            )
            if row.size != network.n_params:
                full[free] = row
            theta[r] = full if internal is None else internal(full[np.newaxis])[0]
        if not np.all(np.isfinite(theta[:, free])):
            raise ArgumentError("startweights must be finite numbers.")
    theta[:, ~free] = constants[~free]
    return theta


def given_repetitions(startweights: Any) -> int:
    """For how many repetitions start weights are given."""
    single = isinstance(startweights, np.ndarray) and startweights.ndim == 0
    if single or not isinstance(startweights, list | tuple | np.ndarray) or not len(startweights):
        return 1
    dims = 0 if isinstance(startweights[0], Mapping) else _dims(startweights[0])
    if isinstance(startweights[0], Mapping) or dims in (1, 3):  # a dict, a vector, a list of matrices for each
        return len(startweights)
    return 1


def _is_arrays(startweights: Any) -> bool:
    """Whether start weights are given as a dict of arrays, or several."""
    several = isinstance(startweights, list | tuple) and len(startweights) > 0
    return isinstance(startweights, Mapping) or (several and all(isinstance(s, Mapping) for s in startweights))


def _with_arrays(
    network: Network, startweights: Any, theta: np.ndarray, internal: Callable[[np.ndarray], np.ndarray] | None,
    original: Callable[[np.ndarray], np.ndarray] | None,
) -> np.ndarray:
    """Random weights (B, P) with those replaced that dicts of arrays hold, in original units."""
    given = [startweights] * len(theta) if isinstance(startweights, Mapping) else list(startweights)
    if len(given) > len(theta):
        raise ArgumentError(f"startweights: {len(given)} dicts of arrays for {len(theta)} repetition(s).")
    theta = theta.copy()
    for r, arrays in enumerate(given):
        if internal is None and original is None:
            theta[r] = fill(network, theta[r], arrays)
            continue
        drawn = theta[r : r + 1] if original is None else original(theta[r : r + 1])
        known = fill(network, np.full(network.n_params, np.nan), arrays)
        known = np.where(np.isnan(known), drawn, known)
        theta[r] = (known if internal is None else internal(known))[0]
    return theta


def _given(
    network: Network, startweights: Any, n_free: int, rep: int, compat: str | None
) -> list[np.ndarray]:
    """One vector per repetition given: P numbers or, without the weights held out, n_free."""
    plain = isinstance(startweights, np.ndarray) and startweights.ndim > 0
    items = startweights if plain else check_items(startweights, "startweights", _WORDS)
    if len(items) == 0:
        raise ArgumentError("startweights is empty.")
    first = items[0]
    if _dims(first) == 2:  # matrices of one repetition
        return [network.flatten(list(items))]
    if _dims(first) > 2:
        return [network.flatten(list(matrices)) for matrices in items]
    if _dims(first) == 1:
        rows = [_numbers(row) for row in items]
        for row in rows:
            if row.size not in (n_free, network.n_params):
                raise ArgumentError(
                    f"startweights: a repetition has {row.size} numbers; "
                    f"{_expected(n_free, network.n_params)}."
                )
        return rows
    flat = _numbers(items).ravel()
    for size in (n_free, network.n_params):
        if flat.size in (size, size * rep):
            return list(flat.reshape(-1, size))
    if flat.size < n_free or (flat.size % n_free and flat.size < n_free * rep):
        raise ArgumentError(f"startweights has {flat.size} numbers; {_expected(n_free, network.n_params)}.")
    used = min(flat.size // n_free, rep)
    if flat.size > used * n_free and compat != "R":
        warnings.warn(
            f"startweights has {flat.size} numbers, of which the first {used * n_free} are used.",
            DataWarning,
            stacklevel=caller(),
        )
    return list(flat[: used * n_free].reshape(used, n_free))


def _numbers(given: Any) -> np.ndarray:
    return _NUMBERS.check(given, "startweights")


def _dims(given: Any) -> int:
    """Dimensions; of a list of matrices of several shapes 3."""
    first = given[0] if isinstance(given, list | tuple) and given else None
    if first is not None and (first is given or as_array(first, "startweights", _WORDS).ndim == 2):
        return 3
    return as_array(given, "startweights", f"{_WORDS} with rows of the same length").ndim


def _expected(n_free: int, n_params: int) -> str:
    more = f" (or {n_params} with those held out)" if n_free != n_params else ""
    return f"the network needs {n_free} per repetition{more}"
