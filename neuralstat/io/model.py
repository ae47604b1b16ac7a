"""The parts of a fit as plain data, and a fit from checked plain data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..augment import ImageAugmenter
from ..errors import ArgumentError, FileFormatError, NeuralStatError
from ..formula.tensors import TensorArray, is_tensor
from ..training.stopping import EarlyStopping, History
from ..training.train import STATUS, Fit, Pruned
from .encoding import Reader, Writer

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network
    from ..results import NeuralNetResults
    from ..training.settings import Settings

_WATCHED = ("lifesign", "progress", "callbacks", "checkpoint")  # how a fit was watched is no part of it
_CUSTOM = ("act_fct", "output_act_fct", "err_fct")  # settings that may be functions
_PRUNED = ("number", "loss", "reached", "steps")
_MAX_PARTS = 1000  # penalty terms


def pack(results: NeuralNetResults, writer: Writer) -> dict[str, Any]:
    """All parts of a fit; arrays go to the writer.

    Raises
    ------
    ArgumentError
        Where a part cannot be stored as plain data.
    """
    return {
        "call": results.call,
        "settings": _pack_settings(results.settings, writer),
        "seeds": {
            "entropy": writer.value(results.seeds.entropy, "seeds"),
            "spawn_key": [int(k) for k in results.seeds.spawn_key],
            "pool_size": int(results.seeds.pool_size),
        },
        "spec": results.design.spec.to_json(),
        "design": _pack_design(results.design, writer),
        "fit": _pack_fit(results.fit, writer),
    }


def unpack(model: Any, reader: Reader) -> NeuralNetResults:
    """A fit from what `pack` made.

    Raises
    ------
    FileFormatError
        Where something is missing, of another kind, or does not fit the rest.
    """
    from ..api import build_network
    from ..formula.spec import Spec
    from ..results import NeuralNetResults

    parts = _section({"model": model}, "model", ("call", "settings", "seeds", "spec", "design", "fit"))
    call, text = parts["call"], parts["spec"]
    if not isinstance(call, str) or not isinstance(text, str):
        raise FileFormatError("its call or formula is damaged")
    spec = Spec.from_json(text)
    design = _unpack_design(parts, spec, reader)
    try:
        settings = _unpack_settings(parts, reader)
        network = build_network(design, settings)
    except FileFormatError:
        raise
    except NeuralStatError as error:
        raise FileFormatError(f"its settings are damaged ({error})") from None
    fit = _unpack_fit(parts, network, settings, reader)
    results = NeuralNetResults(spec.formula, design, network, settings, fit, _unpack_seeds(parts, reader))
    results.__dict__["call"] = call  # as it was: functions have another name now, arrays another type
    return results


def _section(parent: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    section = parent.get(name)
    if not isinstance(section, dict):
        raise FileFormatError(f"its part {name!r} is missing or damaged")
    lacking = [k for k in keys if k not in section]
    if lacking:
        raise FileFormatError(f"its part {name!r} lacks {', '.join(lacking)}")
    unknown = [str(k) for k in section if k not in keys]
    if unknown:
        raise FileFormatError(f"its part {name!r} has an unknown entry {unknown[0]!r:.40}")
    return section


# settings ----------------------------------------------------------------------------------------------


def _pack_settings(settings: Settings, writer: Writer) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    for name in settings.names():
        value = getattr(settings, name)
        if name in _CUSTOM:
            packed[name] = _pack_function(value, name, writer)
        elif name == "layers":
            packed[name] = None if value is None else [_pack_layer(layer, writer) for layer in value]
        elif name == "family":
            packed[name] = value if value is None or isinstance(value, str) else value.to_json()
        elif name == "penalty":
            packed[name] = None if value is None else [_pack_part(part) for part in value.parts]
        elif name == "algorithm" and not isinstance(value, str):
            packed[name] = value.to_plain()
        elif name == "random_state":  # the seeds are stored by themselves
            packed[name] = (
                int(value) if isinstance(value, int | np.integer) else None if value is None else "seeds"
            )
        elif name in _WATCHED:
            continue
        elif name == "early_stopping":
            packed[name] = None if value is None else value.to_plain()
        elif name == "augment":
            packed[name] = _pack_augmenter(value)
        elif name == "validation":
            packed[name] = value if value is None or isinstance(value, float) else "data"
        else:
            packed[name] = writer.value(value, f"settings.{name}")
    return packed


def _pack_layer(layer: Any, writer: Writer) -> dict[str, Any]:
    """Kind and arguments of a layer."""
    packed: dict[str, Any] = {"kind": type(layer).__name__}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        activation = field.name.endswith("activation")
        packed[field.name] = (
            _pack_function(value, "layers", writer) if activation else writer.value(value, f"layers.{field.name}")
        )
    return packed


def _unpack_layers(entry: Any, reader: Reader) -> list[Any] | None:
    from ..layers import LAYERS

    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) > _MAX_PARTS:
        raise FileFormatError("its layers are damaged")
    layers = []
    for packed in entry:
        kind = LAYERS.get(str(packed.get("kind"))) if isinstance(packed, dict) else None
        names = set() if kind is None else {field.name for field in dataclasses.fields(kind)}
        if kind is None or set(packed) != {"kind", *names}:
            raise FileFormatError("its layers are damaged")
        values = {
            name: _unpack_function(packed[name], "layers") if name.endswith("activation") else reader.value(packed[name])
            for name in names
        }
        layers.append(kind(**values))
    return layers


def _pack_part(part: Any) -> list[Any]:
    """A part of a penalty: kind, strength, scale, biases, strengths of terms, and of layers where there are any."""
    terms, layers = ([[name, own] for name, own in pairs] for pairs in (part.terms, part.layers))
    return [part.kind, part.strength, part.scale, part.biases, terms, *([layers] if layers else [])]


def _pack_function(value: Any, name: str, writer: Writer) -> Any:
    """A name, or an expression of a user's function."""
    from ..symbolic.custom import Activation, Loss

    if isinstance(value, list | tuple):
        return [_pack_function(v, name, writer) for v in value]
    if value is None or isinstance(value, str):
        return value
    kind = Loss if name == "err_fct" else Activation
    if callable(value) and not isinstance(value, kind):
        value = kind(value)
    if isinstance(value, kind):
        return {"custom": value.to_json()}
    raise ArgumentError(f"{name} holds {type(value).__name__}, which cannot be saved.")


def _unpack_function(entry: Any, name: str) -> Any:
    from ..symbolic.custom import Activation, Loss

    if isinstance(entry, list):
        return [_unpack_function(e, name) for e in entry]
    if entry is None or isinstance(entry, str):
        return entry
    if isinstance(entry, dict) and set(entry) == {"custom"}:
        return (Loss if name == "err_fct" else Activation).from_json(entry["custom"])
    raise FileFormatError(f"its setting {name!r} is damaged")


def _unpack_settings(parts: dict[str, Any], reader: Reader) -> Settings:
    from ..families import family_from_json
    from ..optimizers import from_plain
    from ..training.settings import Settings

    names = tuple(n for n in Settings.names() if n not in _WATCHED)
    section = _section(parts, "settings", names)
    values: dict[str, Any] = {}
    for name, entry in section.items():
        if name in _CUSTOM:
            values[name] = _unpack_function(entry, name)
        elif name == "layers":
            values[name] = _unpack_layers(entry, reader)
        elif name == "family" and isinstance(entry, dict):
            values[name] = family_from_json(entry)
        elif name == "penalty":
            values[name] = _unpack_penalty(entry)
        elif name == "algorithm" and isinstance(entry, dict):
            values[name] = from_plain(entry)
        elif name == "random_state":
            values[name] = _unpack_seeds(parts, reader) if entry == "seeds" else entry
        elif name == "early_stopping" and entry is not None:
            values[name] = _unpack_stopping(entry)
        elif name == "augment" and entry is not None:
            values[name] = _unpack_augmenter(entry)
        else:
            values[name] = reader.value(entry)
    return Settings(**values)


def _pack_augmenter(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, ImageAugmenter):
        raise ArgumentError(f"augment holds {type(value).__name__}, which cannot be saved; an ImageAugmenter can.")
    plain = dataclasses.asdict(value)
    return {name: list(part) if isinstance(part, tuple) else part for name, part in plain.items()}


def _unpack_augmenter(entry: Any) -> ImageAugmenter:
    if not isinstance(entry, dict) or set(entry) != {f.name for f in dataclasses.fields(ImageAugmenter)}:
        raise FileFormatError("its augmenter is damaged")
    stored: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in entry.items()}
    return ImageAugmenter(**stored)


def _unpack_stopping(entry: Any) -> EarlyStopping:
    if not isinstance(entry, dict) or set(entry) != {f.name for f in dataclasses.fields(EarlyStopping)}:
        raise FileFormatError("its early stopping is damaged")
    return EarlyStopping(**entry)


def _unpack_penalty(entry: Any) -> Any:
    from ..network import penalties

    if entry is None:
        return None
    if not isinstance(entry, list) or not 0 < len(entry) <= _MAX_PARTS:
        raise FileFormatError("its penalty is damaged")
    total = None
    for kind, strength, scale, biases, *own in entry:
        known = kind in ("decay", "elimination", "l1") and isinstance(biases, bool)
        if not known or len(own) not in (1, 2) or not all(isinstance(pairs, list) for pairs in own):
            raise FileFormatError("its penalty is damaged")
        arguments = (strength, scale) if kind == "elimination" else (strength,)
        make: Any = penalties.PENALTIES[kind]
        named = {name: dict(pairs) or None for name, pairs in zip(("terms", "layers"), own, strict=False)}
        part = make(*arguments, biases=biases, **named)
        total = part if total is None else total + part
    return total


def _unpack_seeds(parts: dict[str, Any], reader: Reader) -> np.random.SeedSequence:
    section = _section(parts, "seeds", ("entropy", "spawn_key", "pool_size"))
    entropy, key, pool = reader.value(section["entropy"]), section["spawn_key"], section["pool_size"]
    numbers = [
        *(entropy if isinstance(entropy, list | tuple) else [entropy]),
        *(key if isinstance(key, list) else [None]),
    ]
    if any(isinstance(k, bool) or not isinstance(k, int) or k < 0 for k in numbers) or pool not in range(
        4, 65
    ):
        raise FileFormatError("its seeds are damaged")
    return np.random.SeedSequence(entropy, spawn_key=tuple(key), pool_size=pool)


# design ------------------------------------------------------------------------------------------------


def _pack_design(design: Design, writer: Writer) -> dict[str, Any]:
    return {
        "x": writer.array(design.x, "x"),
        "y": writer.array(design.y, "y"),
        "weights": None if design.weights is None else writer.array(design.weights, "weights"),
        "offset": None if design.offset is None else writer.array(design.offset, "offset"),
        "kept": writer.array(design.kept, "kept"),
        "index": writer.index(design.index, "index"),
        "full_index": writer.index(design.full_index, "full_index"),
        "frame": [
            [writer.value(name, "frame"), _pack_column(design, name, k, writer)]
            for k, name in enumerate(design.frame.columns)
        ],
    }


def _pack_column(design: Design, name: str, k: int, writer: Writer) -> Any:
    """A covariate: as labels; an array per row only where the inputs, which are scaled, do not hold it exactly."""
    column = design.frame[name]
    if not is_tensor(column):
        return writer.index(_labels(column), f"frame.{k}")
    if design.scaling is None and name in design.terms:
        return {"kind": "inputs"}
    return {"kind": "tensor", "values": writer.array(column.array.values, f"frame.{k}")}


def _unpack_column(name: str, entry: Any, x: np.ndarray, spec: Any, reader: Reader) -> Any:
    if not isinstance(entry, dict) or entry.get("kind") not in ("inputs", "tensor"):
        return reader.index(entry)
    shape = spec.columns[name].shape
    if entry["kind"] == "inputs":
        return TensorArray(np.ascontiguousarray(x[list(spec.terms[name])].T).reshape(-1, *shape))
    return TensorArray(reader.array(entry["values"], "<f8", (x.shape[1], *shape)))


def _labels(column: pd.Series) -> pd.Index:
    """A column as an index of the same dtype, which is how columns are stored."""
    return pd.Index(column.array, dtype=column.dtype)


def _unpack_design(parts: dict[str, Any], spec: Any, reader: Reader) -> Design:
    from ..formula import Design

    names = ("x", "y", "weights", "offset", "kept", "index", "full_index", "frame")
    section = _section(parts, "design", names)
    d, k = len(spec.x_names), len(spec.y_names)
    x = reader.array(section["x"], "<f8", (d, None))
    n = x.shape[1]
    kept = reader.array(section["kept"], "b", (None,))
    index, full = reader.index(section["index"]), reader.index(section["full_index"])
    y = reader.array(section["y"], "<f8", (k, n))
    weights = None if section["weights"] is None else reader.array(section["weights"], "<f8", (n,))
    offset = None if section["offset"] is None else reader.array(section["offset"], "<f8", (k, n))
    if (offset is not None) != spec.has_offset:
        raise FileFormatError("its offset does not belong to its formula")
    if n == 0 or kept.sum() != n or len(index) != n or len(full) != kept.size:
        raise FileFormatError("its rows do not fit its labels")
    if not all(np.isfinite(a).all() for a in (x, y, weights, offset) if a is not None):
        raise FileFormatError("its data hold values that are not finite")
    return Design(
        x=x, y=y, x_names=spec.x_names, y_names=spec.y_names, terms=spec.terms, classes=spec.classes,
        response=spec.response, weights=weights, offset=offset, index=index, full_index=full, kept=kept,
        scaling=spec.scaling, spec=spec, frame=_unpack_frame(section["frame"], index, x, spec, reader),
    )  # fmt: skip


def _unpack_frame(entry: Any, index: pd.Index, x: np.ndarray, spec: Any, reader: Reader) -> pd.DataFrame:
    if not isinstance(entry, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in entry):
        raise FileFormatError("its covariates are damaged")
    columns = {}
    for packed, values in entry:
        name = reader.value(packed)
        columns[name] = _unpack_column(name, values, x, spec, reader)
    if any(len(values) != len(index) for values in columns.values()) or len(columns) != len(entry):
        raise FileFormatError("its covariates do not fit its rows")
    frame = pd.DataFrame(
        {name: pd.Series(getattr(values, "array", values), index=index, dtype=values.dtype)
         for name, values in columns.items()},
        index=index,
    )
    return frame


# fit ---------------------------------------------------------------------------------------------------


def _pack_fit(fit: Fit, writer: Writer) -> dict[str, Any]:
    packed: dict[str, Any] = {
        f.name: writer.array(getattr(fit, f.name), f.name)
        for f in dataclasses.fields(Fit)
        if f.name not in ("trace", "seconds", "device", "algorithm", "number", "pruned", "history")
    }  # fmt: skip
    packed["seconds"], packed["device"], packed["algorithm"] = float(fit.seconds), fit.device, fit.algorithm
    packed["number"] = None if fit.number is None else writer.array(fit.number, "number")
    packed["pruned"] = None if fit.pruned is None else {
        name: writer.array(getattr(fit.pruned, name), f"pruned.{name}") for name in _PRUNED
    }  # fmt: skip
    packed["history"] = None if fit.history is None else {
        "columns": list(fit.history.columns), "values": writer.array(fit.history.values, "history"),
        "epochs": writer.array(fit.history.epochs, "history.epochs"),
        "best_epoch": writer.array(fit.history.best_epoch, "history.best_epoch"),
    }  # fmt: skip
    packed["trace"] = {
        "lengths": writer.array(np.array([len(s) for s, _ in fit.trace], np.int64), "trace.lengths"),
        "steps": writer.array(
            np.concatenate([s for s, _ in fit.trace] or [np.zeros(0, np.int64)]), "trace.steps"
        ),
        "errors": writer.array(np.concatenate([e for _, e in fit.trace] or [np.zeros(0)]), "trace.errors"),
    }
    return packed


def _unpack_fit(parts: dict[str, Any], network: Network, settings: Settings, reader: Reader) -> Fit:
    section = _section(parts, "fit", tuple(f.name for f in dataclasses.fields(Fit)))
    real, b, p = np.dtype(settings.dtype).str, settings.kept, network.n_params
    free = reader.array(section["free"], "b", (None, p))
    status = reader.array(section["status"], "<i8", (b,))
    if free.shape[0] not in (1, b) or not free.any() or not np.isin(status, list(STATUS)).all():
        raise FileFormatError("the state of its repetitions is damaged")
    seconds = section["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FileFormatError("its time is damaged")
    if not isinstance(section["device"], str):
        raise FileFormatError("its device is damaged")
    algorithm = section["algorithm"]
    if not isinstance(algorithm, str) or len(algorithm) > 200:
        raise FileFormatError("its algorithm is damaged")
    return Fit(
        theta=reader.array(section["theta"], real, (b, p)),
        start=reader.array(section["start"], real, (b, p)),
        free=free,
        loss=reader.array(section["loss"], real, (b,)),
        reached=reader.array(section["reached"], real, (b,)),
        steps=reader.array(section["steps"], "<i8", (b,)),
        status=status,
        trace=_unpack_trace(section, b, reader),
        seconds=float(seconds),
        device=section["device"],
        algorithm=algorithm,
        number=None if section["number"] is None else reader.array(section["number"], "<i8", (b,)),
        pruned=_unpack_pruned(section, settings, reader),
        history=_unpack_history(section, b, reader),
    )


def _unpack_pruned(fit: dict[str, Any], settings: Settings, reader: Reader) -> Pruned | None:
    if fit["pruned"] is None:
        return None
    section, gone = _section(fit, "pruned", _PRUNED), settings.rep - settings.kept
    real = np.dtype(settings.dtype).str
    return Pruned(
        reader.array(section["number"], "<i8", (gone,)), reader.array(section["loss"], real, (gone,)),
        reader.array(section["reached"], real, (gone,)), reader.array(section["steps"], "<i8", (gone,)),
    )  # fmt: skip


def _unpack_history(fit: dict[str, Any], b: int, reader: Reader) -> History | None:
    if fit["history"] is None:
        return None
    section = _section(fit, "history", ("columns", "values", "epochs", "best_epoch"))
    columns = section["columns"]
    if not isinstance(columns, list) or not 0 < len(columns) < 10 or not all(isinstance(c, str) for c in columns):
        raise FileFormatError("its history is damaged")
    values = reader.array(section["values"], "<f8", (b, None, len(columns)))
    epochs, best = (reader.array(section[name], "<i8", (b,)) for name in ("epochs", "best_epoch"))
    if np.any(epochs < 0) or np.any(epochs > values.shape[1]) or np.any(best < 0) or np.any(best > epochs):
        raise FileFormatError("its history is damaged")
    return History(tuple(columns), values, epochs, best)


def _unpack_trace(fit: dict[str, Any], b: int, reader: Reader) -> list[tuple[np.ndarray, np.ndarray]]:
    section = _section(fit, "trace", ("lengths", "steps", "errors"))
    lengths = reader.array(section["lengths"], "<i8", (b,))
    steps = reader.array(section["steps"], "<i8", (None,))
    errors = reader.array(section["errors"], "<f8", (steps.size,))
    if np.any(lengths < 0) or np.any(lengths > steps.size) or lengths.sum() != steps.size:
        raise FileFormatError("its record of errors is damaged")
    ends = np.cumsum(lengths)[:-1]
    return list(zip(np.split(steps, ends), np.split(errors, ends), strict=True))
