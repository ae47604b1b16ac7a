"""Arguments and seeds of a fit as plain data, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from ..augment import ImageAugmenter
from ..errors import ArgumentError, FileFormatError
from ..families import family_from_json
from ..formula.rows import group_codes
from ..layers import LAYERS
from ..network.penalties import PENALTIES, decay
from ..optimizers import from_plain
from ..symbolic.custom import Activation, Loss
from ..training.metrics import resolve
from ..training.settings import DEFAULT_ALGORITHM, DefaultName, Settings
from ..training.stopping import EarlyStopping
from .encoding import Reader, Writer, section

_WATCHED = ("lifesign", "progress", "callbacks", "checkpoint")  # how a fit was watched is no part of it
_LATER = ("dispformula", "scale", "groups", "towers", "orthogonal")  # which older files lack
_CUSTOM = ("act_fct", "output_act_fct", "err_fct")  # settings that may be functions
_MAX_PARTS = 1000  # penalty terms


def pack_settings(settings: Settings, writer: Writer) -> dict[str, Any]:
    """Arguments of a fit; arrays go to the writer.

    Raises
    ------
    ArgumentError
        Where one cannot be stored as plain data.
    """
    packed: dict[str, Any] = {}
    for name in settings.names():
        value = getattr(settings, name)
        if name in _CUSTOM:
            packed[name] = _pack_function(value, name, writer)
        elif name == "layers":
            packed[name] = None if value is None else [_pack_layer(layer, writer) for layer in value]
        elif name == "towers" and value is not None:
            packed[name] = {own: [_pack_layer(layer, writer) for layer in layers] for own, layers in value.items()}
        elif name == "family":
            packed[name] = value if value is None or isinstance(value, str) else value.to_json()
        elif name == "penalty":
            packed[name] = None if value is None else [_pack_part(part) for part in value.parts]
        elif name == "algorithm" and isinstance(value, DefaultName):
            packed[name] = None
        elif name == "algorithm" and not isinstance(value, str):
            packed[name] = value.to_plain()
        elif name == "random_state":  # the seeds are stored by themselves
            packed[name] = (
                int(value) if isinstance(value, int | np.integer) else None if value is None else "seeds"
            )
        elif name in _WATCHED or (name in _LATER and value is None):
            continue
        elif name == "early_stopping":
            packed[name] = None if value is None else value.to_plain()
        elif name == "metrics":
            packed[name] = _pack_metrics(settings)
        elif name == "augment":
            packed[name] = _pack_augmenter(value)
        elif name == "groups" and not isinstance(value, str):  # labels of any kind: numbers tell them apart as well
            packed[name] = writer.value(group_codes(value, pd.DataFrame(index=range(len(value)))), "settings.groups")
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
    if entry is None:
        return None
    if not isinstance(entry, list) or len(entry) > _MAX_PARTS:
        raise FileFormatError("its layers are damaged")
    layers = []
    for packed in entry:
        kind = LAYERS.get(str(packed.get("kind"))) if isinstance(packed, dict) else None
        names = set() if kind is None else {field.name for field in dataclasses.fields(kind)}
        needed = set() if kind is None else {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
        if kind is None or not {"kind", *needed} <= set(packed) <= {"kind", *names}:
            raise FileFormatError("its layers are damaged")
        values = {
            name: _unpack_function(packed[name], "layers") if name.endswith("activation") else reader.value(packed[name])
            for name in names & set(packed)
        }
        if "go_backwards" in names - set(packed):  # of recurrent layers that knew no activation but their own
            values.pop("activation", None)
        layers.append(kind(**values))
    return layers


def _pack_part(part: Any) -> list[Any]:
    """A part of a penalty: kind, strength, scale, biases, strengths of terms, and of layers where there are any.

    Of one whose strength is estimated: kind, "estimate", groups, biases.
    """
    if part.estimate is not None:
        return [part.kind, "estimate", part.estimate, part.biases]
    terms, layers = ([[name, own] for name, own in pairs] for pairs in (part.terms, part.layers))
    return [part.kind, part.strength, part.scale, part.biases, terms, *([layers] if layers else [])]


def _pack_function(value: Any, name: str, writer: Writer) -> Any:
    """A name, or an expression of a user's function."""
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
    if isinstance(entry, list):
        return [_unpack_function(e, name) for e in entry]
    if entry is None or isinstance(entry, str):
        return entry
    if isinstance(entry, dict) and set(entry) == {"custom"}:
        return (Loss if name == "err_fct" else Activation).from_json(entry["custom"])
    raise FileFormatError(f"its setting {name!r} is damaged")


def unpack_settings(parts: dict[str, Any], reader: Reader) -> Settings:
    """Arguments from what `pack_settings` made.

    Raises
    ------
    FileFormatError
        Where one is missing or damaged.
    """
    known = parts.get("settings")
    absent = [n for n in _LATER if not isinstance(known, dict) or n not in known]
    names = tuple(n for n in Settings.names() if n not in _WATCHED and n not in absent)
    stored = section(parts, "settings", names)
    values: dict[str, Any] = {}
    for name, entry in stored.items():
        if name in _CUSTOM:
            values[name] = _unpack_function(entry, name)
        elif name == "layers":
            values[name] = _unpack_layers(entry, reader)
        elif name == "towers" and isinstance(entry, dict):
            values[name] = {own: _unpack_layers(layers, reader) or [] for own, layers in entry.items()}
        elif name == "family" and isinstance(entry, dict):
            values[name] = family_from_json(entry)
        elif name == "penalty":
            values[name] = _unpack_penalty(entry)
        elif name == "algorithm" and entry is None:
            values[name] = DEFAULT_ALGORITHM
        elif name == "algorithm" and isinstance(entry, dict):
            values[name] = from_plain(entry)
        elif name == "random_state":
            values[name] = unpack_seeds(parts, reader) if entry == "seeds" else entry
        elif name == "early_stopping" and entry is not None:
            values[name] = _unpack_stopping(entry)
        elif name == "augment" and entry is not None:
            values[name] = _unpack_augmenter(entry)
        else:
            values[name] = reader.value(entry)
    return Settings(**values)


def _pack_metrics(settings: Settings) -> list[str] | None:
    """Names of metrics; functions are left out, as callbacks are, unless training stopped by one."""
    if settings.metrics is None:
        return None
    rule = settings.early_stopping
    watched = "" if rule is None or rule.of_loss else str(rule.monitor).removeprefix("val_")
    names = [one for one in settings.metrics if isinstance(one, str)]
    if watched in dict(resolve(settings.metrics)) and watched not in dict(resolve(names)):
        raise ArgumentError(f"metrics: early stopping watches the function {watched!r}, which cannot be saved.")
    return names


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
    values: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in entry.items()}
    return ImageAugmenter(**values)


def _unpack_stopping(entry: Any) -> EarlyStopping:
    fields = {f.name for f in dataclasses.fields(EarlyStopping)}
    if not isinstance(entry, dict) or not fields - {"mode"} <= set(entry) <= fields:
        raise FileFormatError("its early stopping is damaged")
    return EarlyStopping(**entry)


def _unpack_penalty(entry: Any) -> Any:
    if entry is None:
        return None
    if not isinstance(entry, list) or not 0 < len(entry) <= _MAX_PARTS:
        raise FileFormatError("its penalty is damaged")
    total = None
    for packed in entry:
        if not isinstance(packed, list) or len(packed) < 4:
            raise FileFormatError("its penalty is damaged")
        kind, strength, scale, biases, *own = packed
        if strength == "estimate":
            if kind != "decay" or own:
                raise FileFormatError("its penalty is damaged")
            part = decay(estimate=True, groups=scale, biases=biases)
            total = part if total is None else total + part
            continue
        known = kind in ("decay", "elimination", "l1") and isinstance(biases, bool)
        if not known or len(own) not in (1, 2) or not all(isinstance(pairs, list) for pairs in own):
            raise FileFormatError("its penalty is damaged")
        arguments = (strength, scale) if kind == "elimination" else (strength,)
        make: Any = PENALTIES[kind]
        named = {name: dict(pairs) or None for name, pairs in zip(("terms", "layers"), own, strict=False)}
        part = make(*arguments, biases=biases, **named)
        total = part if total is None else total + part
    return total


def pack_seeds(seeds: np.random.SeedSequence, writer: Writer) -> dict[str, Any]:
    """Where random numbers came from."""
    return {
        "entropy": writer.value(seeds.entropy, "seeds"),
        "spawn_key": [int(k) for k in seeds.spawn_key],
        "pool_size": int(seeds.pool_size),
    }


def unpack_seeds(parts: dict[str, Any], reader: Reader) -> np.random.SeedSequence:
    """Seeds from what `pack_seeds` made.

    Raises
    ------
    FileFormatError
        Where they are damaged.
    """
    stored = section(parts, "seeds", ("entropy", "spawn_key", "pool_size"))
    entropy, key, pool = reader.value(stored["entropy"]), stored["spawn_key"], stored["pool_size"]
    numbers = [
        *(entropy if isinstance(entropy, list | tuple) else [entropy]),
        *(key if isinstance(key, list) else [None]),
    ]
    if any(isinstance(k, bool) or not isinstance(k, int) or k < 0 for k in numbers) or pool not in range(
        4, 65
    ):
        raise FileFormatError("its seeds are damaged")
    return np.random.SeedSequence(entropy, spawn_key=tuple(key), pool_size=pool)
