"""What gradients along the inputs tell: saliency, and inputs that a filter answers to most; filters and feature maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_items, is_real, position, shown
from ..checks.arguments import NONE, POSITIVE, RANDOM_STATE, REP, Anything, Choice, Number, Whole, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..network import derivatives
from ..network.array_weights import last_kernel, passes_of
from ..network.objective import Objective
from ..network.passes import suits
from .known import Known
from .layers import get_weights
from .pieces import (
    Piece,
    as_images,
    check_subject,
    hidden_layer,
    inputs,
    scaling_of,
    to_internal,
    to_original,
    units_at,
    weights_of,
)

FEW = 16  # outputs whose slopes are worked out one after the other
MOST = 20  # names that a message lists
FIT, NEW, LAYER = Anything("a fit"), Anything("a table, as in predict", None), Anything("the name of a hidden layer")
BOUNDS = Anything("a pair low < high", None, (0.0, 1.0))


@arguments(fit=FIT, new=NEW, output=Anything("the name of an output", None), type=Choice("response", "link"), rep=REP)
def saliency(fit: Any, new: Any = None, *, output: Any = None, type: str = "response", rep: Any = "best") -> Any:
    """Derivative of an output with respect to every element of the input: d output / d pixel.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    new : table, or array, optional
        The rows of the fit unless given; of an application arrays as its `predict` takes them.
    output : str, optional
        Name of the output, for a factor response the class, of an application its number from 0. Unless given: the only
        output, or for each row the class that is most probable there.
    type : "response" or "link"
        Of the predictions (probabilities), or of the linear predictors, which do not flatten out near 0 and 1.
    rep : int or "best"

    Returns
    -------
    array, shape (m, *shape of one input)
        In units of the response per unit of the input, as the formula makes it (``{pixels / 255}``). NaN in rows with
        missing values.

    Raises
    ------
    ArgumentError
        Where there is no such output, and for linear predictors that a fit without a family has not.

    References
    ----------
    Simonyan, K., Vedaldi, A. & Zisserman, A. (2014). Deep inside convolutional networks. ICLR workshop, arXiv:1312.6034.

    Examples
    --------
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:200] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "learningrate": 0.05, "random_state": 1}
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=[Flatten()], epochs=10, **settings)
    >>> one = {"pixels": data["pixels"][:1]}
    >>> found = ns.insight.saliency(fit, one, output="0", type="link")[0, :, :, 0]
    >>> found.shape, bool(found[3, 4] < 0)  # ink in the middle speaks against a zero
    ((8, 8), True)
    """
    fitted = check_subject(fit, "saliency")
    x, offset, _, complete = inputs(fitted, new, "saliency")
    theta = weights_of(fitted, rep)
    which = numbers_at(fitted, output, x, theta, offset)
    chosen = chosen_slopes(fitted, x, theta, offset, type, which)
    chosen[:, ~complete] = np.nan
    return as_images(chosen, fitted.network.input_shape)


def chosen_slopes(
    fitted: Fitted, x: np.ndarray, theta: np.ndarray, offset: np.ndarray | None, type: str,
    which: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Slopes (D, m) of one output of each row, `which` (m,), in the units of the data.

    Of few outputs they come from the slopes of all; of many from one pass back for each row.
    """
    network = fitted.network
    objective = network.objective
    plain = objective.of_predictor or objective.output.name == "identity"
    if network.n_outputs <= FEW or objective.several or network.skip or network.towers or not plain:
        _, d = output_slopes(fitted, x, theta, offset, type)
        return np.ascontiguousarray(d[which, :, np.arange(x.shape[1])].T)

    def pull(raw: np.ndarray, own: np.ndarray) -> np.ndarray:
        """d output / d linear predictors, both (m, K)."""
        each = np.arange(len(raw))
        made = np.zeros(raw.shape)
        made[each, own] = 1.0
        if type == "response" and objective.of_predictor:
            if objective.output.name == "softmax":
                p = objective.output.values(raw.T.astype(float)).T
                return p[each, own][:, np.newaxis] * (made - p)
            made *= objective.output.slopes(raw.T.astype(float)).T
        return made

    if suits(network) and offset is None:
        passes = passes_of(network, theta)
        d = passes.slopes_along(np.ascontiguousarray(x.T, theta.dtype), which, pull).T.astype(float)
    else:
        pulls = pull(derivatives.outputs(network, x, theta, offset)[0].T, which)
        last = last_kernel(network, theta)
        body = Piece(network, theta, 0, len(network.layers) - 1)
        d = np.empty(x.shape)
        for i in range(x.shape[1]):
            d[:, i] = body.value_and_slope(x[:, i : i + 1], pulls[i] @ last)[1][:, 0]
    scaling = scaling_of(fitted)
    return d if scaling is None else d * scaling.y_sd[which] / scaling.x_sd[:, np.newaxis]


def output_slopes(
    fitted: Fitted, x: np.ndarray, theta: np.ndarray, offset: np.ndarray | None, type: str
) -> tuple[np.ndarray, np.ndarray]:
    """What the last layer gives (K, m), and slopes (K, D, m) of predictions or predictors in the units of the data."""
    raw = derivatives.outputs(fitted.network, x, theta, offset)[0]
    d = derivatives.slopes(fitted.network, x, theta, offset)
    objective, scaling = fitted.network.objective, scaling_of(fitted)
    if objective.of_predictor:
        d = objective.output_slopes(raw, d) if type == "response" else d
    elif type == "link":
        check_link(objective)
    if scaling is not None:
        d = d * scaling.y_sd[:, np.newaxis, np.newaxis] / scaling.x_sd[:, np.newaxis]
    return raw, d


def check_link(objective: Objective) -> None:
    """Raise ArgumentError where linear predictors are not known."""
    if not (objective.of_predictor or objective.output.name == "identity"):
        raise ArgumentError(f"type='link' needs a family; this fit has the output activation {objective.output.name!r}.")


def numbers_at(fitted: Fitted, output: Any, x: np.ndarray, theta: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """`numbers_of` rows of inputs (D, m), which go through the network only where the output is not given."""
    given = output is not None
    raw = np.empty((0, x.shape[1])) if given else derivatives.outputs(fitted.network, x, theta, offset)[0]
    return numbers_of(fitted, output, raw)


def numbers_of(fitted: Fitted, output: Any, raw: np.ndarray) -> np.ndarray:
    """Number of the output that each row is about: the one that is given, or the largest of `raw` (K, m)."""
    names = list(fitted.design.y_names)
    classes = list(fitted.design.classes or ())
    if output is None:
        return np.argmax(np.nan_to_num(raw, nan=-np.inf), axis=0)
    at = position(output, names)
    if at is None and len(classes) == len(names):
        at = position(output, classes)
    if at is None:
        listed = [repr(name) for name in classes or names]
        said = ", ".join(listed if len(listed) <= MOST else [*listed[: MOST - 2], "...", listed[-1]])
        raise ArgumentError(f"output must be one of {said}; got {shown(output)}.")
    return np.full(raw.shape[1], at)


@dataclass(frozen=True)
class Maximised:
    """What `maximise_filter` found.

    Attributes
    ----------
    image : array of the shape of one input
    activation : (steps + 1,) array
        Mean activation of the filter before the first step and after each.

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> best = ns.insight.maximise_filter(fit, "conv2d", 0, steps=20, random_state=1)
    >>> best.activation.shape  # before the first step, and after each
    (21,)
    """

    image: np.ndarray
    activation: np.ndarray


@arguments(
    fit=FIT, layer=LAYER, filter=Whole(0), steps=Whole(1, 1_000_000), rate=POSITIVE, decay=Number(0.0, below=1.0),
    bounds=BOUNDS, rep=REP, random_state=RANDOM_STATE,
)
def maximise_filter(
    fit: Any, layer: str, filter: int, *, steps: int = 200, rate: float = 0.05, decay: float = 0.0,
    bounds: tuple[float, float] | None = None, rep: Any = "best", random_state: Any = None,
) -> Maximised:  # fmt: skip
    """An input that a filter (a unit) answers to most, by gradient ascent from noise.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    layer : str
        A hidden layer; see ``fit.layer_table``.
    filter : int
        Its channel (of a dense layer: unit), from 0. What is maximised is the mean over all places.
    steps : int
    rate : float
        Length of a step, as a share of the range of the data, per element (root mean square).
    decay : float
        Share by which the image is drawn to the data's mean at each step.
    bounds : (low, high), optional
        Of every element; those of the fit's data unless given. An application has none: they must be given, and stand for
        its data, whose mean is taken to lie in the middle.
    rep : int or "best"
    random_state : int, SeedSequence or Generator, optional
        Of the noise at the start.

    Returns
    -------
    Maximised

    Notes
    -----
    Where the filter is silent (relu) over the whole image its gradient is 0, and the image stays as it is.

    References
    ----------
    Erhan, D., Bengio, Y., Courville, A. & Vincent, P. (2009). Visualizing higher-layer features of a deep network.
    University of Montreal, report 1341.

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> best = ns.insight.maximise_filter(fit, "conv2d", 0, steps=20, random_state=1)
    >>> best.image.shape, bool(best.activation[-1] > best.activation[0])
    ((8, 8, 1), True)
    """
    fitted = check_subject(fit, "maximise_filter")
    k = hidden_layer(fitted, layer)
    piece = Piece(fitted.network, fitted.fit.theta[fitted.which(rep)], 0, k + 1)
    channels = piece.shape[-1]
    if filter >= channels:
        raise ArgumentError(f"filter must be a whole number from 0 to {channels - 1}, got {filter!r}.")
    weights = np.zeros(piece.shape)
    weights[..., filter] = channels / piece.size
    if isinstance(fitted, Known):
        if bounds is None:
            raise ArgumentError(f"bounds must be given: {fitted.name} has no data of its own.")
        low, high = data_bounds(np.zeros(0), bounds)
        mean = np.full((math.prod(fitted.network.input_shape), 1), (low + high) / 2)
    else:
        data = to_original(fitted, fitted.design.x)
        low, high = data_bounds(data, bounds)
        mean = data.mean(axis=1)[:, np.newaxis]
    rng = np.random.default_rng(random_state)
    image = np.clip(mean + 0.1 * (high - low) * rng.standard_normal(mean.shape), low, high)
    trace = []
    scaling = scaling_of(fitted)
    scale = 1.0 if scaling is None else 1 / scaling.x_sd[:, np.newaxis]
    for step in range(steps + 1):
        value, slope = piece.value_and_slope(to_internal(fitted, image), weights.ravel())
        trace.append(float(value[0]))
        slope = slope * scale
        size = np.sqrt(np.mean(slope**2))
        if step < steps and size > 0:
            image = np.clip(image + rate * (high - low) * slope / size + decay * (mean - image), low, high)
    return Maximised(as_images(image, fitted.network.input_shape)[0], np.array(trace))


def data_bounds(data: np.ndarray, bounds: Any) -> tuple[float, float]:
    """Given bounds, checked, or the least and largest element of the data."""
    if bounds is None:
        return float(data.min()), float(data.max())
    pair = check_items(bounds, "bounds", "a pair low < high")
    kind = Number()
    if len(pair) != 2 or not all(is_real(b) for b in pair):
        raise ArgumentError(f"bounds must be a pair low < high, got {shown(bounds)}.")
    low, high = (kind.check(b, f"bounds[{k}]") for k, b in enumerate(pair))
    if not low < high or not np.isfinite(high - low):
        raise ArgumentError(f"bounds must be a pair low < high, got {shown(bounds)}.")
    return low, high


@arguments(fit=FIT, layer=LAYER, channel=NONE | Whole(0), rep=REP)
def filters(fit: Any, layer: str, *, channel: int | None = None, rep: Any = "best") -> np.ndarray:
    """Kernels of a two-dimensional convolution as pictures.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    layer : str
    channel : int, optional
        Of the layer's input; needed where it has neither 1 nor 3.
    rep : int or "best"

    Returns
    -------
    array, shape (filters, rows, columns), or (filters, rows, columns, 3)

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> ns.insight.filters(fit, "conv2d").shape  # four kernels of 3 x 3
    (4, 3, 3)
    """
    fitted = check_subject(fit, "filters")
    layer = fitted.network.layer_names[hidden_layer(fitted, layer)]
    known = fitted.arrays(rep) if isinstance(fitted, Known) else get_weights(fitted, rep)
    kernel = known.get(f"{layer}/kernel")
    if kernel is None or kernel.ndim != 4:
        raise ArgumentError(f"layer: {layer!r} is no Conv2D layer.")
    pictures = np.moveaxis(kernel, -1, 0).copy()  # an application's arrays are its own
    channels = kernel.shape[2]
    if channel is None and channels not in (1, 3):
        raise ArgumentError(f"channel: {layer!r} reads {channels} channels; choose one of 0 to {channels - 1}.")
    if channel is not None and channel >= channels:
        raise ArgumentError(f"channel must be from 0 to {channels - 1}, got {channel!r}.")
    if channel is None:
        return pictures[..., 0] if channels == 1 else pictures
    return pictures[..., channel]


@arguments(fit=FIT, new=NEW, layer=LAYER, rep=REP)
def feature_maps(fit: Any, new: Any, layer: str, *, rep: Any = "best") -> np.ndarray:
    """What each filter of a layer gives for one image.

    Parameters
    ----------
    fit : NeuralNetResults, Fitted or Application
    new : table with one row, or array of one image
    layer : str
        A hidden layer with outputs (rows, columns, filters).
    rep : int or "best"

    Returns
    -------
    array, shape (filters, rows, columns)

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> ns.insight.feature_maps(fit, {"pixels": data["pixels"][:1]}, "conv2d").shape  # a map per filter
    (4, 6, 6)
    """
    fitted = check_subject(fit, "feature_maps")
    k = hidden_layer(fitted, layer)
    if len(fitted.network.places[k][2]) != 3:
        raise ArgumentError(f"layer: the outputs of {layer!r} are no maps (rows, columns, filters).")
    maps = units_at(fitted, new, k, rep, "feature_maps")
    if len(maps) != 1:
        raise ArgumentError(f"new must be one row, got {len(maps)}.")
    return np.moveaxis(maps[0], -1, 0)
