"""How much each part of an input contributes to an output: integrated gradients, occlusion, Grad-CAM."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import shown
from ..checks.arguments import REP, Anything, Choice, Numbers, Whole, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..network import derivatives
from ..network.array_weights import last_layer
from .gradients import FIT, LAYER, NEW, check_link, chosen_slopes, numbers_at, numbers_of
from .pieces import (
    Piece,
    as_images,
    check_subject,
    hidden_layer,
    inputs,
    scaling_of,
    to_internal,
    to_original,
    weights_of,
)

OUTPUT, TYPE = Anything("the name of an output", None), Choice("response", "link")


@arguments(
    fit=FIT, new=NEW, baseline=Anything("a number, or an array of the shape of one input", 0.0), steps=Whole(1, 10_000),
    output=OUTPUT, type=TYPE, rep=REP,
)
def integrated_gradients(
    fit: Any, new: Any = None, *, baseline: Any = 0.0, steps: int = 50, output: Any = None, type: str = "response",
    rep: Any = "best",
) -> Any:  # fmt: skip
    """Contribution of every element of the input to the difference from a baseline.

    The derivative of the output with respect to the element, averaged along the straight line from the baseline to the
    input, times their difference. All contributions together are the output at the input less that at the baseline
    (completeness), but for the error of the integral, which falls with `steps`.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    new : table, or array, optional
        The rows of the fit unless given; of an application arrays as its `predict` takes them.
    baseline : number or array, shape of one input
        Where nothing is to be seen, in units of the input as the formula makes it: 0 is black.
    steps : int
        Nodes of the integral (Gauss-Legendre).
    output : str, optional
        As in `saliency`; the class that is most probable at the input unless given.
    type : "response" or "link"
        Of predictions (probabilities), or of linear predictors.
    rep : int or "best"

    Returns
    -------
    array, shape (m, *shape of one input)
        In units of the response. NaN in rows with missing values.

    Raises
    ------
    ArgumentError
        Where there is no such output, or the baseline has another shape; for `type` as `saliency`.

    References
    ----------
    Sundararajan, M., Taly, A. & Yan, Q. (2017). Axiomatic attribution for deep networks. ICML, PMLR 70:3319.

    Examples
    --------
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:200] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "learningrate": 0.05, "random_state": 1}
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=[Flatten()], epochs=10, **settings)
    >>> one, blank = {"pixels": data["pixels"][:1]}, {"pixels": 0 * data["pixels"][:1]}
    >>> parts = ns.insight.integrated_gradients(fit, one, output="0")
    >>> difference = fit.predict(one)["0"].iloc[0] - fit.predict(blank)["0"].iloc[0]
    >>> parts.shape, bool(abs(parts.sum() - difference) < 1e-6)
    ((1, 8, 8, 1), True)
    """
    fitted = check_subject(fit, "integrated_gradients")
    x, offset, _, complete = inputs(fitted, new, "integrated_gradients")
    start = to_internal(fitted, _baseline(baseline, tuple(fitted.network.input_shape)))
    theta = weights_of(fitted, rep)
    which = numbers_at(fitted, output, x, theta, offset)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = np.zeros_like(x)
    for share, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        along = np.ascontiguousarray(start + share * (x - start))
        total += weight * chosen_slopes(fitted, along, theta, offset, type, which)
    total *= to_original(fitted, x) - to_original(fitted, start)
    total[:, ~complete] = np.nan
    return as_images(total, fitted.network.input_shape)


@arguments(
    fit=FIT, new=NEW, size=Anything("a whole number, or one for each axis of places", 3),
    stride=Anything("a whole number, or one for each axis of places", 1),
    value=Anything("a number, or one for each channel", 0.0), output=OUTPUT, type=TYPE, rep=REP,
)
def occlusion(
    fit: Any, new: Any = None, *, size: Any = 3, stride: Any = 1, value: Any = 0.0, output: Any = None,
    type: str = "response", rep: Any = "best",
) -> np.ndarray:  # fmt: skip
    """What an output loses where a part of the input is covered.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    new : table, or array, optional
        The rows of the fit unless given; of an application arrays as its `predict` takes them.
    size : int or tuple of int
        Rows and columns of the patch (of sequences: times), all channels of which are covered.
    stride : int or tuple of int
        Between neighbouring patches.
    value : number, or array of one for each channel
        What the patch shows, in units of the input as the formula makes it.
    output : str, optional
        As in `saliency`; the class that is most probable at the input as it is unless given.
    type : "response" or "link"
        Of predictions (probabilities), or of linear predictors.
    rep : int or "best"

    Returns
    -------
    array, shape (m, patches along each axis)
        The output at the input less that at the covered one, in units of the response: large where the output depends on
        what is there. NaN in rows with missing values.

    Raises
    ------
    ArgumentError
        Where there is no such output, or patches do not fit into the input; for `type` as `saliency`.

    References
    ----------
    Zeiler, M. D. & Fergus, R. (2014). Visualizing and understanding convolutional networks. ECCV, LNCS 8689:818.

    Examples
    --------
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:200] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "learningrate": 0.05, "random_state": 1}
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=[Flatten()], epochs=10, **settings)
    >>> one = {"pixels": data["pixels"][:1]}
    >>> ns.insight.occlusion(fit, one, size=4, stride=2).shape  # patches of 4 x 4 at every second place
    (1, 3, 3)
    """
    fitted = check_subject(fit, "occlusion")
    x, offset, _, complete = inputs(fitted, new, "occlusion")
    shape = tuple(fitted.network.input_shape)
    places = shape[:-1] or shape  # inputs of one axis have no channels
    sizes, strides = _per_axis(size, "size", len(places)), _per_axis(stride, "stride", len(places))
    if any(s > n for s, n in zip(sizes, places, strict=True)):
        raise ArgumentError(f"size: patches of {sizes} do not fit into inputs of {places}.")
    theta = weights_of(fitted, rep)
    raw = derivatives.outputs(fitted.network, x, theta, offset)[0]
    which = numbers_of(fitted, output, raw)
    whole = _predicted(fitted, raw, type)[which, np.arange(x.shape[1])]
    cover = to_internal(fitted, _baseline(value, shape, "value", channels=len(shape) > 1)).reshape(*shape, 1)
    firsts = [range(0, n - s + 1, step) for n, s, step in zip(places, sizes, strides, strict=True)]
    out = np.empty((x.shape[1], *map(len, firsts)))
    changed = x.reshape(*shape, -1).copy()
    for at in np.ndindex(*out.shape[1:]):
        patch = tuple(slice(r[k], r[k] + s) for r, k, s in zip(firsts, at, sizes, strict=True))
        kept = changed[patch].copy()
        changed[patch] = cover[patch]
        raw = derivatives.outputs(fitted.network, changed.reshape(x.shape), theta, offset)[0]
        out[(slice(None), *at)] = whole - _predicted(fitted, raw, type)[which, np.arange(x.shape[1])]
        changed[patch] = kept
    out[~complete] = np.nan
    return out


@arguments(fit=FIT, new=NEW, layer=LAYER, output=OUTPUT, rep=REP)
def grad_cam(fit: Any, new: Any, layer: str, *, output: Any = None, rep: Any = "best") -> np.ndarray:
    """Where a layer of maps speaks for an output: the gradient-weighted class activation map.

    Each map is weighed by the mean derivative of the output's linear predictor with respect to it; their sum, where it is
    positive.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    new : table, or array, optional
        None: the rows of the fit. Of an application arrays as its `predict` takes them.
    layer : str
        A hidden layer with outputs (rows, columns, filters) or (times, filters), often the last convolution.
    output : str, optional
        As in `saliency`; the class that is most probable unless given.
    rep : int or "best"

    Returns
    -------
    array, shape (m, rows, columns), or (m, times)
        In units of the linear predictor. NaN in rows with missing values.

    Raises
    ------
    ArgumentError
        Where there is no such output or layer, or the layer's outputs are no maps.

    References
    ----------
    Selvaraju, R. R., Cogswell, M., Das, A., Vedantam, R., Parikh, D. & Batra, D. (2017). Grad-CAM: visual explanations from
    deep networks via gradient-based localization. ICCV, 618.

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> one = {"pixels": data["pixels"][:1]}
    >>> ns.insight.grad_cam(fit, one, "conv2d", output="3").shape
    (1, 6, 6)
    """
    fitted = check_subject(fit, "grad_cam")
    network, k = fitted.network, hidden_layer(fitted, layer)
    if len(network.places[k][2]) < 2:
        raise ArgumentError(f"layer: the outputs of {layer!r} are no maps (rows, columns, filters).")
    x, offset, _, complete = inputs(fitted, new, "grad_cam")
    theta = weights_of(fitted, rep)
    maps = derivatives.layer_units(network, x, theta, k, offset).astype(float)  # the only pass through the first layers
    flat = np.ascontiguousarray(maps.reshape(len(maps), -1).T)
    after = Piece(network, theta, k + 1, len(network.layers) - 1)
    last, bias = last_layer(network, theta)
    raw = np.empty((network.n_outputs, x.shape[1]))
    if output is None:
        raw = last @ after.values(flat) + bias[:, np.newaxis]
        if offset is not None:
            raw[: len(offset)] += offset
    which = numbers_of(fitted, output, raw)
    scaling = scaling_of(fitted)
    scale = np.ones(network.n_outputs) if scaling is None or network.objective.several else scaling.y_sd
    out = np.empty(maps.shape[:-1])
    for number in np.unique(which):
        own = np.flatnonzero(which == number)
        _, slope = after.value_and_slope(flat[:, own], last[number])
        slopes = slope.T.reshape(own.size, *maps.shape[1:])
        weights = slopes.mean(axis=tuple(range(1, slopes.ndim - 1)), keepdims=True)
        out[own] = scale[number] * np.maximum((weights * maps[own]).sum(axis=-1), 0.0)
    out[~complete] = np.nan
    return out


def _predicted(fitted: Fitted, raw: np.ndarray, type: str) -> np.ndarray:
    """Predictions (K, m) in the units of the data, or linear predictors, from what the last layer gives."""
    objective = fitted.network.objective
    if type == "response":
        return fitted.response(raw[np.newaxis])[0]
    check_link(objective)
    return fitted.original_predictors(raw) if objective.several else fitted.original_means(raw)


def _baseline(given: Any, shape: tuple[int, ...], name: str = "baseline", channels: bool = False) -> np.ndarray:
    """(D, 1) values of every element, from one number, one for each channel, or all of them."""
    array = Numbers(None).check(given, name)
    known = {(), (shape[-1],) if channels else shape}
    if array.shape not in known:
        wanted = f"one for each of {shape[-1]} channels" if channels else f"an array of shape {shape}"
        raise ArgumentError(f"{name} must be a number or {wanted}, got shape {array.shape}.")
    return np.broadcast_to(array, shape).reshape(-1, 1).astype(float)


def _per_axis(given: Any, name: str, axes: int) -> tuple[int, ...]:
    """A whole number of at least 1 for each axis."""
    many = given if isinstance(given, list | tuple) else (given,) * axes
    if len(many) != axes:
        raise ArgumentError(f"{name} must be a whole number, or {axes} of them, got {shown(given)}.")
    return tuple(int(Whole(1).check(value, name)) for value in many)
