"""Keras' layers and their counterparts: arguments, and arrays of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

from .. import layers as own
from ..errors import ArgumentError, FileFormatError
from ..layers.arguments import CONSTRAINTS, INITIALIZERS, REGULARIZERS
from ..layers.composite import MODES
from ..network.names import base_name
from ..network.objective import resolve_activation
from ..weights.layouts import snake_case
from .keras_config import Call, check_own
from .keras_nodes import Config
from .keras_table import ALIASES, CONV, HINTS, IGNORED, KINDS, RECURRENT, Array, Kind, Made, Shape

_EXTENTS = ("kernel_size", "strides", "dilation_rate", "pool_size", "size", "padding", "cropping")
_SOFT = ("softmax", "log_softmax")  # of the last axis
_DROPS = ("dropout", "recurrent_dropout")  # of recurrent layers
_OTHER_NAMES = {"kernel": ("depthwise_kernel",)}
#: Of arrays that a layer may lack
_FLAGS = {"bias": "use_bias", "gamma": "scale", "beta": "center"}


def made_of(call: Call, shapes: Sequence[Shape]) -> Made:
    """The counterpart of a layer.

    Parameters
    ----------
    call : Call
    shapes : sequence of tuples of int
        Of what it reads, for one observation.

    Raises
    ------
    ArgumentError
        Where a layer, or one of its arguments, has no counterpart: by name.
    FileFormatError
        Where an argument has a value that no layer can have.
    """
    special = _SPECIAL.get(call.kind, _usual)
    if call.kind not in KINDS and special is _usual:
        hint = f"; {HINTS[call.kind]}" if call.kind in HINTS else ""
        raise ArgumentError(f"{call.label} has no counterpart in neuralstat.layers{hint}.")
    if call.options and call.kind != "MultiHeadAttention":
        said = ", ".join(call.options)
        raise ArgumentError(f"{call.label} is called with {said}, which has no counterpart.")
    return special(call, shapes)


def refused(call: Call, argument: str, value: Any) -> ArgumentError:
    """What an argument without a counterpart is answered with."""
    return ArgumentError(f"{call.label}: {argument}={value!r:.60} has no counterpart.")


def _usual(call: Call, shapes: Sequence[Shape]) -> Made:
    """A layer with the same arguments; softmax of other layers than dense ones stands in a layer behind."""
    kind = KINDS[call.kind]
    values, behind = arguments_of(call, kind, shapes)
    layer = build(call, kind.own, values)
    return Made([layer, *behind], arrays_of(call, kind.arrays))


def build(call: Call, name: str, values: Config) -> Any:
    """A layer of ours; what it says of values that cannot be is said of the file."""
    try:
        return getattr(own, name)(**values, name=call.name)
    except ArgumentError as error:
        argument = str(error).partition(" ")[0]
        if isinstance(values.get(argument), str | bool):
            raise refused(call, argument, values[argument]) from None
        raise FileFormatError(f"{call.label}: {error}") from None


def arrays_of(call: Call, names: Sequence[str], path: str | None = None, ours: str | None = None) -> list[Array]:
    """Arrays that a layer has, in Keras' order."""
    path, ours = path or call.path, ours or call.name
    found = [name for name in names if call.config.get(_FLAGS.get(name, ""), True) is not False]
    held = call.held or (call.inference and call.kind == "BatchNormalization")
    return [Array(f"{ours}/{name}", tuple(f"{path}/{own}" for own in (name, *_OTHER_NAMES.get(name, ()), str(k))), held=held)
            for k, name in enumerate(found)]  # fmt: skip


def arguments_of(call: Call, kind: Kind, shapes: Sequence[Shape]) -> tuple[Config, list[Any]]:
    """Arguments of the counterpart, and layers that stand behind it: activations that it cannot have."""
    known = {f.name for f in fields(getattr(own, kind.own))}
    values: Config = {}
    behind: list[Any] = []
    new = isinstance(call.config.get("dtype"), dict) and not call.old  # Keras 3, whose default it is; before, it was none
    if kind.own == "GRU":
        values["reset_after"] = bool(call.config.get("reset_after", new))
    old = {theirs: name for name in kind.takes for theirs in ALIASES.get(name, ()) if theirs not in kind.takes}
    for key, value in call.config.items():
        key = old.get(key, key)
        if key in IGNORED or key == "reset_after":
            continue
        if key == "activation" and key in kind.takes:
            values[key], behind = _activated(call, kind, value)
        elif key in _DROPS and call.inference:
            values[key] = 0.0
        elif key in kind.takes:
            value = _plain(value, key in _EXTENTS)
            if key in known:
                values[key] = value
            elif not all(one == kind.takes[key] for one in (value if isinstance(value, tuple) else (value,))):
                raise refused(call, key, value)
        elif key in kind.only:
            if not _allowed(key, value, kind.only[key], shapes):
                raise refused(call, key, value)
        else:
            made = _of_weights(call, key, value, key in known)
            if made is not None:
                values[key] = made
    lacking = [key for key, default in kind.takes.items() if default is ... and key not in values]
    if lacking:
        raise FileFormatError(f"{call.label} lacks the argument {lacking[0]!r}")
    return values, behind


def _plain(value: Any, extent: bool = False) -> Any:
    """Tuples for lists; of extents one number for equal ones."""
    if isinstance(value, list):
        made = tuple(_plain(one) for one in value)
        same = extent and made and all(type(one) is int and one == made[0] for one in made)
        return made[0] if same else made
    return value


def _allowed(key: str, value: Any, only: Any, shapes: Sequence[Shape]) -> bool:
    if value is None or value == only:
        return True
    if key == "axis" and shapes:
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        return value in (-1, len(shapes[0])) and type(value) is int
    return bool(key == "groups" and value == [1])


def _of_weights(call: Call, key: str, value: Any, known: bool) -> Any:
    """Start values, penalties and constraints; None for what is not needed."""
    if key.endswith("_initializer"):
        name = snake_case(str(value["class_name"])) if isinstance(value, dict) and "class_name" in value else value
        return name if known and isinstance(name, str) and name in INITIALIZERS and not _special(value) else None
    if value is None or value is False:
        return None
    group = REGULARIZERS if key.endswith("_regularizer") else CONSTRAINTS if key.endswith("_constraint") else {}
    if known and isinstance(value, dict) and value.get("class_name") in group:
        config = value.get("config")
        if isinstance(config, dict) and _from_behind(_plain(config.get("axis"))):
            raise refused(call, key, value)
        try:
            return group[value["class_name"]](**{k: _plain(v) for k, v in dict(config or {}).items()})
        except (ArgumentError, TypeError) as error:
            raise FileFormatError(f"{call.label}: {key}: {str(error)[:80]}") from None
    raise refused(call, key, value)


def _from_behind(axis: Any) -> bool:
    """Whether axes are counted from the last one."""
    return any(type(one) is int and one < 0 for one in (axis if isinstance(axis, tuple) else (axis,)))


def _special(value: Any) -> bool:
    """Whether an initializer has other numbers than those of its name."""
    config = value.get("config") or {} if isinstance(value, dict) else {}
    usual = {"mean": 0.0, "stddev": 0.05, "minval": -0.05, "maxval": 0.05, "gain": 1.0}
    return any(config.get(key, number) != number for key, number in usual.items())


def _activated(call: Call, kind: Kind, given: Any) -> tuple[Any, list[Any]]:
    """An activation as an argument, and one that has to be a layer of its own."""
    inside = kind.arrays == RECURRENT  # nothing stands behind what is done at each time
    if isinstance(given, dict):
        inner = given.get("class_name")
        config = given.get("config")
        if not inside and inner in KINDS and not KINDS[inner].arrays and isinstance(config, dict):
            made = made_of(Call(f"{call.name}_activation", inner, config, (), call.path, call.held, old=call.old), [])
            return None, made.layers
        given = given.get("config", inner)
    if given is None or given == "linear":
        return None, []
    if not isinstance(given, str):
        raise refused(call, "activation", given)
    try:
        resolve_activation(given)
    except ArgumentError:
        raise refused(call, "activation", given) from None
    if given in _SOFT and not inside and kind.own not in ("Dense", "Activation"):
        return None, [own.Activation(given, name=f"{call.name}_{given}")]
    return given, []


def _dense(call: Call, shapes: Sequence[Shape]) -> Made:
    """Dense; over sequences and images, of which it reads the last axis, a convolution of single positions."""
    axes = len(shapes[0])
    if axes == 1:
        return _usual(call, shapes)
    if axes > 3:
        raise ArgumentError(f"{call.label} reads {shapes[0]}: over more than three axes it has no counterpart.")
    kind = replace(KINDS["Dense"], own=f"Conv{axes - 1}D", takes={**CONV})
    config = {("filters" if key == "units" else key): value for key, value in call.config.items()}
    values, behind = arguments_of(replace(call, config={**config, "kernel_size": 1}), kind, shapes)
    if (bound := values.get("kernel_constraint")) is not None:  # its axes are those of (inputs, units)
        values["kernel_constraint"] = _moved(bound, axes - 1)
    layer = build(call, kind.own, values)
    lead = (1,) * (axes - 1)
    kernel, *bias = arrays_of(call, kind.arrays)
    return Made([layer, *behind], [replace(kernel, change=lambda a: a.reshape(*lead, *a.shape)), *bias])


def _moved(bound: Any, by: int) -> Any:
    """A constraint of an array with more axes before its own."""
    if all(one.name != "axis" for one in fields(bound)):  # of single weights
        return bound
    return replace(bound, axis=bound.axis + by if isinstance(bound.axis, int) else tuple(k + by for k in bound.axis))


def _layer_norm(call: Call, shapes: Sequence[Shape]) -> Made:
    """Axes that Keras keeps as a list, once it has built the layer; one axis alone is -1 where it is the last."""
    given = call.config.get("axis", -1)
    axes = [given] if type(given) is int else given
    if not isinstance(axes, list) or not axes or not all(type(axis) is int for axis in axes):
        raise refused(call, "axis", given)
    known = [axis + len(shapes[0]) + 1 if axis < 0 else axis for axis in axes]
    if sorted(axes) != [axis for _, axis in sorted(zip(known, axes, strict=True))]:
        raise refused(call, "axis", given)  # arrays whose axes stand in another order than those of what is normalised
    whole = -1 if known == [len(shapes[0])] else axes[0] if len(axes) == 1 else axes
    return _usual(replace(call, config={**call.config, "axis": whole}), shapes)


def _attention(call: Call, shapes: Sequence[Shape]) -> Made:
    """Attention of a sequence to itself; without dropout where it is called by training=False."""
    own_options = {key: value for key, value in call.options.items() if value is not ... and key != "use_causal_mask"}
    if own_options:
        raise ArgumentError(f"{call.label} is called with {', '.join(own_options)}, which has no counterpart.")
    if len(set(call.reads)) > 1:
        raise ArgumentError(f"{call.label} reads several layers; of one that asks itself there is a counterpart.")
    config = dict(call.config)
    size = config.get("output_shape")
    if isinstance(size, list) and len(size) == 1:
        config["output_shape"] = size[0]
    if len(shapes[0]) != 2 or isinstance(config["output_shape"] if size is not None else None, list):
        raise ArgumentError(f"{call.label} reads {shapes[0]}; of (time, feature) there is a counterpart.")
    values, _ = arguments_of(replace(call, config=config), KINDS["MultiHeadAttention"], shapes)
    if call.options.get("use_causal_mask"):
        values["use_causal_mask"] = True
    layer = build(call, "MultiHeadAttention", values)
    arrays: list[Array] = []
    for part, folder in (("query", "query"), ("key", "key"), ("value", "value"), ("attention_output", "output")):
        names = KINDS["MultiHeadAttention"].arrays
        both = (arrays_of(call, names, f"{call.path}/{theirs}", f"{call.name}/{part}")
                for theirs in (part, f"{folder}_dense"))  # fmt: skip
        arrays += [replace(a, theirs=(*a.theirs, *b.theirs)) for a, b in zip(*both, strict=True)]
    return Made([layer], [replace(a, theirs=(*a.theirs, f"{call.path}/{k}")) for k, a in enumerate(arrays)])


def _reshape(call: Call, shapes: Sequence[Shape]) -> Made:
    target = call.config.get("target_shape")
    if isinstance(target, list) and target.count(-1) == 1:
        rest = math.prod(size for size in target if size != -1)
        size = math.prod(shapes[0]) // max(rest, 1)
        call = replace(call, config={**call.config, "target_shape": [size if t == -1 else t for t in target]})
    return _usual(call, shapes)


def _inner(call: Call, key: str, name: str) -> Call:
    """The call of a layer in another one, which is held, or in prediction, where the other one is."""
    entry = call.config.get(key)
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise FileFormatError(f"{call.label} lacks its {key}")
    check_own(entry, f"{call.label}: {key}", call.old)
    held = call.held or entry["config"].get("trainable", True) is False
    return Call(name, str(entry.get("class_name")), entry["config"], (), call.path, held, call.inference, old=call.old)


def _bidirectional(call: Call, shapes: Sequence[Shape]) -> Made:
    """Two recurrent layers that differ in direction only."""
    forward = _inner(call, "layer", call.name)
    said = str(forward.config.get("name", ""))
    backward = _inner(call, "backward_layer", call.name) if call.config.get("backward_layer") else None
    kind = forward.kind
    if kind not in ("SimpleRNN", "LSTM", "GRU"):
        raise ArgumentError(f"{call.label} of {kind!r:.60} has no counterpart; of SimpleRNN, LSTM and GRU it has.")
    same = {"name", "go_backwards", "trainable", "dtype", "seed"}
    if backward is not None and (backward.kind != kind or any(
        forward.config.get(key) != backward.config.get(key) and not key.endswith("_initializer")
        for key in {*forward.config, *backward.config} - same
    )):  # fmt: skip
        raise ArgumentError(f"{call.label}: a backward_layer that differs from the other has no counterpart.")
    inner = replace(forward, config={k: v for k, v in forward.config.items() if k != "zero_output_for_mask"}, path=call.path)
    values, _ = arguments_of(inner, KINDS[kind], shapes)
    if values.get("go_backwards"):
        raise refused(call, "layer", "one with go_backwards=True")
    outer = Kind("Bidirectional", {"merge_mode": "concat"}, {})
    given = {k: v for k, v in call.config.items() if k not in ("layer", "backward_layer")}
    mode = arguments_of(replace(call, config=given), outer, shapes)[0].get("merge_mode", "concat")
    if mode not in MODES:
        raise refused(call, "merge_mode", mode)
    layer = build(call, "Bidirectional", {"layer": build(inner, kind, values), "merge_mode": mode})
    if layer.layer.name is not None:
        layer = replace(layer, layer=replace(layer.layer, name=None))
    base, plain = base_name(kind), said.removeprefix("forward_")
    arrays = []
    for way, other in (("forward", None), ("backward", backward)):
        names = dict.fromkeys((*(() if other is None else (str(other.config.get("name")),)), said if way == "forward" else "",
                               f"{way}_{plain}", f"{way}_{said}"))  # fmt: skip
        of = inner if way == "forward" else replace(inner, held=(backward or inner).held)
        parts = [arrays_of(of, RECURRENT, f"{call.path}/{name}", f"{call.name}/{way}_{base}") for name in names if name]
        arrays += [replace(ones[0], theirs=tuple(t for one in ones for t in one.theirs)) for ones in zip(*parts, strict=True)]
    arrays = [replace(a, theirs=(*a.theirs, f"{call.path}/{k}")) for k, a in enumerate(arrays)]
    return Made([layer], arrays)


def _time_distributed(call: Call, shapes: Sequence[Shape]) -> Made:
    """A layer for every time."""
    inner = _inner(call, "layer", call.name)
    name = str(inner.config.get("name"))
    shape = shapes[0][1:]
    if inner.kind in ("Sequential", "Functional", "Model") or inner.kind not in KINDS:
        raise ArgumentError(f"{call.label} of {inner.kind!r:.60} has no counterpart.")
    outer = replace(call, config={k: v for k, v in call.config.items() if k != "layer"})
    arguments_of(outer, Kind("TimeDistributed"), shapes)
    made = made_of(inner, [shape])
    try:
        layers = [own.TimeDistributed(replace(layer, name=None), name=layer.name) for layer in made.layers]
    except ArgumentError as error:
        raise ArgumentError(f"{call.label}: {error}") from None
    arrays = [replace(a, theirs=tuple(f"{call.path}/{middle}{t.rpartition('/')[2]}"
                                      for middle in (f"{name}/", "") for t in a.theirs)) for a in made.arrays]  # fmt: skip
    return Made(layers, arrays)


_SPECIAL: dict[str, Callable[[Call, Sequence[Shape]], Made]] = {
    "Dense": _dense, "Reshape": _reshape, "Bidirectional": _bidirectional, "TimeDistributed": _time_distributed,
    "LayerNormalization": _layer_norm, "MultiHeadAttention": _attention,
}  # fmt: skip
