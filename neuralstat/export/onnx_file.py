"""Fits as ONNX files, which other programs predict with."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from .. import __version__
from ..checks.arguments import PATH, REP_OR_MEAN, Choice, arguments
from ..checks.files import replacing
from ..errors import ArgumentError
from ..fitted import Fitted
from .onnx_graph import IR, OPSET, Graph, Tensor
from .walk import OFFSET, OUTPUT, Input, inputs_of, output_names, outputs, response_of

LARGEST = 2**31 - 2**20  # bytes: the limit of the format's messages


@arguments(path=PATH, rep=REP_OR_MEAN, dtype=Choice("float32", "float64"))
def to_onnx(fitted: Fitted, path: str | os.PathLike[str], *, rep: Any = "mean", dtype: str = "float32") -> None:
    """Write a fit as an ONNX model whose output equals ``fit.predict(rep=rep)``.

    Parameters
    ----------
    fitted : Fitted
    path : str or Path
        The usual suffix is ``.onnx``. A file that exists is replaced at the end, in one step.
    rep : {"mean", "best"} or int
        As in `predict`: the mean of several repetitions is part of the graph.
    dtype : {"float32", "float64"}
        Of inputs, weights and output.

    Raises
    ------
    ArgumentError
        Where the package onnx is not installed; for activations and links of one's own, distributions whose mean is no
        function of one linear predictor, layers that have no counterpart yet, and models of 2 GB and more.
    OSError
        Where the folder does not exist or is not writable.

    Notes
    -----
    Inputs are what `NeuralNetResults.model_inputs` gives: the design's columns in original units (factors are coded there),
    one tensor "x" for a table. Scaling of inputs is part of the graph, in double precision; the output layer's weights
    bring predictions to the units of the response. The output "y" has a column per output; of a factor of two levels
    the probability of the second. Names of columns and outputs are in the model's metadata, as JSON. Of double precision
    onnxruntime has no convolutions, average pooling, recurrent layers, gelu, probit and cauchit; and its recurrent layers
    make numbers of missing values.
    """
    onnx = _onnx()
    numbers = fitted.numbers(rep)
    if fitted.network.n_params * len(numbers) * np.dtype(dtype).itemsize > LARGEST:
        raise ArgumentError("an ONNX file holds less than 2 GB: give rep='best', or dtype='float32'.")
    given = inputs_of(fitted)
    graph = Graph(onnx, dtype, [one.name for one in given])
    tensors, declared = {}, []
    for one in given:
        tensors[one.name] = _scaled(graph, fitted, one)
        kind = onnx.TensorProto.INT64 if one.codes else onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
        declared.append(onnx.helper.make_tensor_value_info(one.name, kind, ["n", *one.shape]))
    of_numbers = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
    kept = response_of(fitted).kept
    if fitted.network.offset:
        tensors[OFFSET] = Tensor(OFFSET, (kept,))
        declared.append(onnx.helper.make_tensor_value_info(OFFSET, of_numbers, ["n", kept]))
    found = [outputs(fitted, b, graph, tensors).name for b in numbers]
    value = found[0]
    for other in found[1:]:
        value = graph.node("Add", value, other)
    if len(found) > 1:
        value = graph.node("Mul", value, graph.constant(1 / len(found)))
    graph.nodes.append(onnx.helper.make_node("Identity", [value], [OUTPUT], name="node_y"))
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes, "neuralstat", declared, [onnx.helper.make_tensor_value_info(OUTPUT, of_numbers, ["n", kept])],
            graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="neuralstat",
        producer_version=__version__,
    )  # fmt: skip
    onnx.helper.set_model_props(model, {
        "formula": fitted.formula or "", "inputs": json.dumps({one.name: list(one.columns) for one in given}),
        "outputs": json.dumps([str(name) for name in output_names(fitted)]),
    })  # fmt: skip
    onnx.checker.check_model(model, full_check=True)
    with replacing(PATH.check(path, "path")) as file:
        file.write(model.SerializeToString(deterministic=True))


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise ArgumentError('ONNX files need the package onnx: pip install "neuralstat[onnx]".') from None
    return onnx


def _scaled(graph: Graph, fitted: Fitted, one: Input) -> Tensor:
    """An input in internal units: centred and scaled in double precision."""
    scaling, own = fitted.design.scaling, slice(one.start, one.stop)
    tensor = Tensor(one.name, one.shape)
    if scaling is None or one.codes or not (np.any(scaling.x_mean[own] != 0) or np.any(scaling.x_sd[own] != 1)):
        return tensor
    mean, sd = (_common(values[own], one.shape) for values in (scaling.x_mean, scaling.x_sd))
    double = graph.onnx.TensorProto.DOUBLE
    wide = graph.node("Cast", one.name, to=double)
    centred = graph.node("Sub", wide, graph.constant(mean, np.float64))
    value = graph.node("Div", centred, graph.constant(sd, np.float64))
    return Tensor(graph.node("Cast", value, to=graph.onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)), one.shape)


def _common(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Of the shape of an observation, or one number where all are equal."""
    return values[:1] if np.all(values == values[0]) else values.reshape(shape)
