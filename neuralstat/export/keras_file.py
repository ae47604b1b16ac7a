"""Fits as models of Keras 3, written without Keras."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any

import numpy as np

from .. import __version__
from ..checks.arguments import PATH, REP_OR_MEAN, arguments
from ..checks.files import replacing
from ..errors import ArgumentError
from ..fitted import Fitted
from ..weights.layouts import snake_case
from .keras_graph import DTYPE, Graph, Node, Tensor
from .walk import OFFSET, Input, inputs_of, outputs, response_of

VERSION = "3.6.0"  # of the format that is written
_EPOCH = (1980, 1, 1, 0, 0, 0)  # one time stamp for all members: equal fits give equal files
LEAST = 1e-6  # standard deviation: Keras' Normalization divides by no less than 1e-7


@arguments(path=PATH, rep=REP_OR_MEAN)
def to_keras(fitted: Fitted, path: str | os.PathLike[str], *, rep: Any = "best") -> None:
    """Write a fit as a model that ``keras.models.load_model`` reads, and that predicts what ``fit.predict(rep=rep)`` does.

    Parameters
    ----------
    fitted : Fitted
    path : str or Path
        Its suffix must be ``.keras``. A file that exists is replaced at the end, in one step.
    rep : {"best", "mean"} or int
        The mean of several repetitions is a model of so many branches.

    Raises
    ------
    ArgumentError
        Where h5py is not installed or the suffix is another; for activations of one's own, links but identity, logit and log,
        distributions whose mean is no function of one linear predictor, and layers that have no counterpart yet.
    OSError
        Where the folder does not exist or is not writable.

    Notes
    -----
    The model is functional; layers have the fit's names. Inputs are what `NeuralNetResults.model_inputs` gives: one tensor
    "x" for a table, several by name else. Scaling of inputs is a Normalization layer, and a second one where single precision
    would lose what the first rounds; the weights of the output layer bring predictions to the units of the response. All is
    in single precision, which is what Keras computes in. The model is not compiled. Keras' average pooling with
    ``padding="same"`` counts zeros outside on its torch backend; neuralstat does not.
    """
    target = PATH.check(path, "path")
    if target.suffix != ".keras":
        raise ArgumentError(f"path must end in .keras, as Keras asks, got {target.name!r:.80}.")
    h5py = _h5py()
    numbers, graph, given = fitted.numbers(rep), Graph(), inputs_of(fitted)
    entries = [graph.add("InputLayer", one.name, {"batch_shape": [None, *one.shape]}, [], one.shape,
                         dtype="int32" if one.codes else DTYPE) for one in given]  # fmt: skip
    tensors = {one.name: _scaled(graph, fitted, one, entry) for one, entry in zip(given, entries, strict=True)}
    kept = response_of(fitted).kept
    if fitted.network.offset:
        entries.append(graph.add("InputLayer", OFFSET, {"batch_shape": [None, kept]}, [], (kept,)))
        tensors[OFFSET] = entries[-1]
    found = []
    for b in numbers:
        graph.suffix = f"_rep{b + 1}" if len(numbers) > 1 else ""
        found.append(outputs(fitted, b, graph, tensors))
    graph.suffix = ""
    value = found[0] if len(found) == 1 else graph.add("Average", "mean", {}, found, (kept,), listed=True)
    order = graph.ordered(value)
    config = _config(graph, order, entries, value)
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        _write(file, [graph.nodes[at] for at in order])
    metadata = {"keras_version": VERSION, "date_saved": "1980-01-01@00:00:00", "written_by": f"neuralstat {__version__}"}
    with replacing(target) as half, zipfile.ZipFile(half, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (("metadata.json", json.dumps(metadata).encode()), ("config.json", json.dumps(config).encode()),
                           ("model.weights.h5", weights.getbuffer())):  # fmt: skip
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ArgumentError('Keras files need h5py: pip install "neuralstat[hdf5]".') from None
    return h5py


def _spread(fitted: Fitted, one: Input) -> tuple[np.ndarray, np.ndarray] | None:
    """Centres and scales of an input, of its shape; None where it is not scaled."""
    scaling, own = fitted.design.scaling, slice(one.start, one.stop)
    if scaling is None or one.codes or not (np.any(scaling.x_mean[own] != 0) or np.any(scaling.x_sd[own] != 1)):
        return None
    return scaling.x_mean[own].reshape(one.shape), scaling.x_sd[own].reshape(one.shape)


def _scaled(graph: Graph, fitted: Fitted, one: Input, entry: Tensor) -> Tensor:
    """An input in internal units."""
    spread = _spread(fitted, one)
    if spread is None:
        return entry
    mean, sd = spread
    if np.any(sd < LEAST):
        column = one.columns[int(np.argmin(sd.reshape(-1)))]
        raise ArgumentError(f"column {column!r} has the standard deviation {sd.min():.3g}, too small for Keras.")
    axes: list[int] = list(range(1, mean.ndim + 1))
    for axis in range(mean.ndim):  # along which all are equal
        first_mean, first_sd = np.take(mean, [0], axis), np.take(sd, [0], axis)
        if mean.ndim > 1 and np.all(mean == first_mean) and np.all(sd == first_sd):
            mean, sd = first_mean, first_sd
            axes.remove(axis + 1)
    at = entry
    for step, (centre, size) in enumerate(_steps(mean, sd, np.dtype(DTYPE))):
        left = tuple(mean.shape[axis - 1] for axis in axes)
        weights = [centre.reshape(left), np.square(size).reshape(left), np.zeros((), np.int32)]
        name = f"scale_{one.name}" if step == 0 else f"scale_{one.name}_rest"
        at = graph.add("Normalization", name, {"axis": axes}, [at], one.shape, weights)
    return at


def _steps(mean: np.ndarray, sd: np.ndarray, dtype: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Centres and scales of one Normalization after the other: what the first one rounds, the second one mends."""
    rounded = mean.astype(dtype).astype(float)
    rest = (mean - rounded) / sd
    whole = [(rounded, sd)]
    return whole if np.all(np.abs(rest) < np.finfo(dtype).eps) else [*whole, (rest, np.ones_like(sd))]


def _keras_tensor(graph: Graph, tensor: Tensor) -> dict[str, Any]:
    node = graph.nodes[tensor.layer]
    policy = node.config["dtype"]
    dtype = policy if isinstance(policy, str) else policy["config"]["name"]
    return {"class_name": "__keras_tensor__",
            "config": {"shape": [None, *node.shape], "dtype": dtype, "keras_history": [node.name, 0, 0]}}  # fmt: skip


def _config(graph: Graph, order: list[int], entries: list[Tensor], value: Tensor) -> dict[str, Any]:
    """``config.json``."""
    layers = []
    for node in (graph.nodes[at] for at in order):
        inbound: list[Any] = []
        if node.sources:
            read = [_keras_tensor(graph, source) for source in node.sources]
            inbound = [{"args": [read] if node.listed else read, "kwargs": node.called}]
        layers.append({"module": "keras.layers", "class_name": node.kind, "config": node.config, "registered_name": None,
                       "name": node.name, "inbound_nodes": inbound})  # fmt: skip
    names = [graph.nodes[entry.layer].name for entry in entries]
    inputs: Any = [names[0], 0, 0] if len(names) == 1 else {name: [name, 0, 0] for name in names}
    inner = {"name": "neuralstat", "trainable": True, "layers": layers, "input_layers": inputs,
             "output_layers": [graph.nodes[value.layer].name, 0, 0]}  # fmt: skip
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": inner,
            "registered_name": "Functional", "build_config": {"input_shape": None}}  # fmt: skip


def _write(file: Any, nodes: list[Node]) -> None:
    """``model.weights.h5``."""
    count: dict[str, int] = {}
    file.create_group("vars").attrs["name"] = "neuralstat"
    for node in nodes:
        kind = snake_case(node.kind)
        number = count.get(kind, 0)
        count[kind] = number + 1
        folder = f"layers/{kind}" if number == 0 else f"layers/{kind}_{number}"
        group = file.create_group(f"{folder}/vars")
        group.attrs["name"] = node.name
        for inner, arrays in node.inner.items():
            own = file.create_group(f"{folder}/{inner[0]}/vars")
            own.attrs["name"] = inner[1]
            for k, values in enumerate(arrays):
                own.create_dataset(str(k), data=np.asarray(values, DTYPE))
        if not node.weights:
            continue
        own = group if node.folder == "vars" else file.create_group(f"{folder}/{node.folder}")
        for k, values in enumerate(node.weights):
            own.create_dataset(str(k), data=np.asarray(values, values.dtype if values.dtype == np.int32 else DTYPE))
