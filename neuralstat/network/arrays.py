"""Weights by array, as Keras names and shapes them: where each element of each array lies in the flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..layers import LSTM, codes
from ..layers.arguments import VARIANCE, initializer_of
from ..layers.base import PartName
from ..layers.keras_weights import _ARRAYS as ARRAYS
from ..layers.keras_weights import by_row

if TYPE_CHECKING:
    from .network import Network

TOGETHER = 512  # rows of an array that are written together
TRUNCATED_SD = 0.87962566103423978  # of a standard normal cut at -2 and 2


def positions(network: Network, implied: bool = False) -> dict[str, np.ndarray]:
    """Array name (``"conv2d_1/kernel"``) -> positions of its elements in the flat vector, in Keras' shape and order.

    With `implied` also those of arrays that the table has and layers do not (biases with ``use_bias=False``).

    Kernels of dense layers are (inputs, units), of convolutions ([row,] column, in, out); of recurrent layers (inputs,
    gates * units); see `layers.keras_weights`.
    """
    arrays = by_row(network, implied)
    return {
        array_name(name, layer, array): np.ascontiguousarray(at)
        for name, layer, k in _weighted(network, arrays) for array, at in arrays[k].items()
    }  # fmt: skip


def array_name(name: str, layer: Any, array: str) -> str:
    """Name of an array of a layer that goes by `name`; see `PartName` for layers that are parts of others."""
    own = getattr(layer, "name", None)
    if isinstance(own, PartName) and own.merged:
        last = array == "bias" and own.part == "pointwise"  # the first part has none but in the table
        return f"{_whole(name, own)}/{array}" if last else f"{name}_{array}"
    return f"{name}/{array}"


def _whole(name: str, own: PartName) -> str:
    """The layer that a part, which goes by `name`, is a part of: in towers names begin with the tower's."""
    return name.removesuffix(f"/{own.part}")


def weights_by_layer(network: Network) -> dict[str, np.ndarray]:
    """Positions of the weights of every layer that has some."""
    arrays = by_row(network)
    return {
        name: np.concatenate([at.ravel() for at in arrays[k].values()]) for name, _, k in _weighted(network, arrays)
    }  # fmt: skip


def arrays_by_name(network: Network) -> dict[str, list[str]]:
    """Names of the arrays of all that has a name and weights: layers, layers that consist of others, towers."""
    found: dict[str, list[str]] = {}
    towers = dict(zip(network.layer_names, [t.name for t in network.towers for _ in range(t.count)], strict=False))
    arrays = by_row(network)
    for name, layer, k in _weighted(network, arrays):
        own = getattr(layer, "name", None)
        owners = {name, towers.get(name, ""), _whole(name, own) if isinstance(own, PartName) else ""}
        for owner in sorted(owners - {""}):
            found.setdefault(owner, []).extend(array_name(name, layer, array) for array in arrays[k])
    return found


def array_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of `positions`, without the positions."""
    return {name: shape for _, name, shape in _shapes(network)}


def sizes_by_layer(network: Network) -> dict[str, int]:
    """Numbers of weights of the layers that have some, without the positions."""
    found: dict[str, int] = {}
    for layer, _, shape in _shapes(network):
        found[layer] = found.get(layer, 0) + math.prod(shape)
    return found


def _shapes(network: Network) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Layer, name and shape of every array."""
    made: list[dict[str, Any]] = []
    kinds = zip(network.table, network.applied_layers, network._built["kinds"], network.shapes, strict=True)
    for row, layer, (_, place), (per_unit, units) in kinds:
        make = ARRAYS.get(int(row[codes.OP]))
        block = np.broadcast_to(np.arange(per_unit), (units, per_unit))  # of each weight its place in its group
        implied = {j for j, _ in place.implied}
        arrays = {} if make is None or not units else make(row, layer, block)
        made.append({name: at for name, at in arrays.items() if int(at.flat[0]) not in implied})
    for name, layer, k in _weighted(network, made):
        for array, at in made[k].items():
            yield name, array_name(name, layer, array), at.shape


def views(network: Network, theta: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a flat vector (P,), by name as in `positions`, which changes with them."""
    arrays = by_row(network, theta=theta)
    return {
        array_name(name, layer, array): own
        for name, layer, k in _weighted(network, arrays) for array, own in arrays[k].items()
    }  # fmt: skip


def have(network: Network, what: str) -> bool:
    """Whether a layer may have arrays with a penalty ("regularizer") or a "constraint" of their own."""
    return any(
        getattr(layer, name) is not None for layer in network.applied_layers for name in vars(type(layer)) | vars(layer)
        if name.endswith(f"_{what}")
    )  # fmt: skip


def _weighted(network: Network, arrays: list[dict[str, Any]]) -> list[tuple[str, Any, int]]:
    """Name, layer and row of the table of every layer that has weights."""
    seen, out = set(), []
    for name, layer, (k, _, _) in zip(network.layer_names, network.layers, network.places, strict=True):
        if k >= 0 and k not in seen and arrays[k]:
            out.append((name, layer, k))
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
    known, owned = positions(network), arrays_by_name(network)
    for name in names:
        own = [name] if name in known else owned.get(name, [])
        if not own and name not in network.layer_names:  # all layers whose names begin so
            own = [array for layer in network.layer_names if layer.startswith(f"{name}/") for array in owned.get(layer, [])]
        if not own and name not in network.layer_names:
            raise ArgumentError(
                f"freeze: there is no layer {name!r}; layers: {', '.join(map(repr, network.layer_names))}."
            )
        if not own:
            raise ArgumentError(f"freeze: layer {name!r} has no weights.")
        for array in own:
            held[known[array]] = True
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


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], how: str) -> Any:
    """Start values of an array by the name of an initializer, as Keras draws them."""
    if how in VARIANCE:
        scale, fan, distribution = VARIANCE[how]
        fan_in, fan_out = _fans(shape) if len(shape) > 1 else (shape[0], shape[0])
        variance = scale / max(fan_in if fan == "in" else (fan_in + fan_out) / 2, 1.0)
        if distribution == "uniform":
            limit = np.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        return _truncated(rng, shape) * np.sqrt(variance) / TRUNCATED_SD
    if how == "orthogonal":
        return _orthogonal(rng, shape)
    if how in ("uniform", "random_uniform"):
        return rng.uniform(-0.05, 0.05, shape)
    if how == "random_normal":
        return 0.05 * rng.standard_normal(shape)
    return 0.05 * _truncated(rng, shape) if how == "truncated_normal" else float(how == "ones")


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers between -2 and 2."""
    z = rng.standard_normal(shape)
    while (outside := np.abs(z) > 2).any():
        z[outside] = rng.standard_normal(int(outside.sum()))
    return z


#: Where a layer has no argument for the start values of an array
_DEFAULTS = {"recurrent_kernel": "orthogonal", "embeddings": "uniform", "gamma": "ones", "moving_variance": "ones"}


def keras_start(network: Network, rng: np.random.Generator) -> np.ndarray:
    """Random start weights (P,) as Keras' layers draw them, by their initializers.

    By default kernels: uniform within sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010, AISTATS, 249), where the field of a
    convolution's kernel counts in both. Recurrent kernels: orthogonal (Saxe, McClelland & Ganguli 2014, ICLR). Embeddings:
    uniform in (-0.05, 0.05). Biases: 0, but 1 at the forget gate of an LSTM (Jozefowicz, Zaremba & Sutskever 2015, ICML).
    Scales (gamma, moving variance) 1; shifts 0. Others: "he" (He, Zhang, Ren & Sun 2015, ICCV, 1026), "lecun" (LeCun et al.
    1998, Efficient BackProp); normal ones are cut at two standard deviations.
    """
    theta = np.zeros(network.n_params) if network.implied is None else network.implied[1].copy()
    arrays, layers = by_row(network, theta=theta), network.applied_layers
    for _, _, k in _weighted(network, arrays):
        layer = layers[k]
        for array, at in arrays[k].items():
            usual = "glorot_uniform" if array.endswith("kernel") else "zeros"
            how = initializer_of(layer, array) or _DEFAULTS.get(array, usual)
            values = _drawn(rng, at.shape, how)
            if array == "bias" and isinstance(layer, LSTM) and layer.unit_forget_bias:
                values = np.array(np.broadcast_to(values, at.shape))
                values[at.size // 4 : at.size // 2] = 1.0
            for first in range(0, len(at), TOGETHER):  # one of them is turned round, which caches follow in part only
                at[first : first + TOGETHER] = values if np.ndim(values) == 0 else values[first : first + TOGETHER]
    return theta
