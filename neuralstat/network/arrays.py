"""Weights by array, as Keras names and shapes them: where each element of each array lies in the flat vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..layers.keras_weights import by_row

if TYPE_CHECKING:
    from .network import Network


def positions(network: Network) -> dict[str, np.ndarray]:
    """Array name (``"conv2d_1/kernel"``) -> positions of its elements in the flat vector, in Keras' shape and order.

    Kernels of dense layers are (inputs, units), of convolutions ([row,] column, in, out); of recurrent layers (inputs,
    gates * units); see `layers.keras_weights`.
    """
    arrays = by_row(network)
    return {
        f"{name}/{array}": np.ascontiguousarray(at) for name, k in _weighted(network) for array, at in arrays[k].items()
    }


def views(network: Network, theta: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a flat vector (P,), by name as in `positions`, which changes with them."""
    arrays = by_row(network, theta)
    return {f"{name}/{array}": own for name, k in _weighted(network) for array, own in arrays[k].items()}


def _weighted(network: Network) -> list[tuple[str, int]]:
    """Name and row of the table of every layer that has weights."""
    seen, out = set(), []
    for name, (k, _, _) in zip(network.layer_names, network.places, strict=True):
        if k >= 0 and k not in seen and network.shapes[k][1]:
            out.append((name, k))
        seen.add(k)
    return out


def to_arrays(network: Network, theta: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a flat vector (P,)."""
    return {name: own.copy() for name, own in views(network, np.asarray(theta)).items()}


def fill(network: Network, theta: np.ndarray, arrays: Mapping[str, Any], argument: str = "startweights") -> np.ndarray:
    """A flat vector (P,) with the elements of some arrays replaced.

    Raises
    ------
    ArgumentError
        For a name that the network does not have, another shape, or numbers that are not finite.
    """
    theta = np.array(theta, dtype=np.float64)
    known = views(network, theta)
    for name, given in arrays.items():
        if name not in known:
            raise ArgumentError(f"{argument}: the network has no array {name!r}; it has {', '.join(map(repr, known))}.")
        try:
            array = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError(f"{argument}: {name!r} must be numbers, got {given!r:.80}.") from None
        if array.shape != known[name].shape:
            raise ArgumentError(f"{argument}: {name!r} has the shape {array.shape}, expected {known[name].shape}.")
        if not np.isfinite(array).all():
            raise ArgumentError(f"{argument}: {name!r} must be finite numbers.")
        known[name][...] = array
    return theta


def frozen(network: Network, names: Any) -> np.ndarray:
    """(P,) bool: the weights of layers (``"conv2d"``) and arrays (``"conv2d/bias"``) by name; None for none.

    Raises
    ------
    ArgumentError
        For a name that the network does not have, and where nothing is left to train.
    """
    held = np.zeros(network.n_params, bool)
    if names is None:
        return held
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        shown = list(names) if isinstance(names, tuple) else names
        raise ArgumentError(f"freeze must be names of layers or arrays, got {shown!r}.")
    known = positions(network)
    for name in names:
        own = [at for array, at in known.items() if array == name or array.rpartition("/")[0] == name]
        if not own and name not in network.layer_names:
            raise ArgumentError(
                f"freeze: there is no layer {name!r}; layers: {', '.join(map(repr, network.layer_names))}."
            )
        if not own:
            raise ArgumentError(f"freeze: layer {name!r} has no weights.")
        for at in own:
            held[at] = True
    if held.all():
        raise ArgumentError("freeze holds all weights: at least one must be trained; epochs=0 trains none.")
    return held


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    field = int(np.prod(shape[:-2]))
    return shape[-2] * field, shape[-1] * field


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return (q.T if rows < columns else q).reshape(shape)


def keras_start(network: Network, rng: np.random.Generator) -> np.ndarray:
    """Random start weights (P,) as Keras' layers draw them by default.

    Kernels: uniform within sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010, AISTATS, 249), where the field of a
    convolution's kernel counts in both. Recurrent kernels: orthogonal (Saxe, McClelland & Ganguli 2014, ICLR). Embeddings:
    uniform in (-0.05, 0.05). Biases: 0, but 1 at the forget gate of an LSTM (Jozefowicz, Zaremba & Sutskever 2015, ICML).
    Scales (gamma, moving variance) 1; shifts 0.
    """
    theta = np.zeros(network.n_params)
    kinds = dict(zip(network.layer_names, (type(layer).__name__ for layer in network.layers), strict=True))
    for name, at in views(network, theta).items():
        layer, _, array = name.rpartition("/")
        if array == "recurrent_kernel":
            values: Any = _orthogonal(rng, at.shape)
        elif array.endswith("kernel"):
            limit = np.sqrt(6 / sum(_fans(at.shape)))
            values = rng.uniform(-limit, limit, at.shape)
        elif array == "embeddings":
            values = rng.uniform(-0.05, 0.05, at.shape)
        elif array in ("gamma", "moving_variance"):
            values = 1.0
        elif array == "bias" and kinds[layer] == "LSTM":
            values = np.zeros(at.shape)
            values[at.size // 4 : at.size // 2] = 1.0
        else:
            values = 0.0
        at[...] = values
    return theta
