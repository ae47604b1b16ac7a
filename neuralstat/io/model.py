"""The parts of a fit as plain data, and a fit from checked plain data."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import FileFormatError, NeuralStatError
from ..families import Distributional
from ..fitted import Fitted
from ..formula import Design
from ..formula.arrays import WithoutCovariates
from ..formula.spec import Spec
from ..formula.tensors import TensorArray, is_tensor
from ..functions.penalties import COLUMNS
from ..summary.call import call
from ..training import surv
from ..training.fit import ESTIMATED, STATUS, Fit, Pruned
from ..training.model import build_network
from ..training.parameters import with_known
from ..training.procedure import Procedure
from ..training.stopping import History
from .encoding import Reader, Writer, section
from .settings import pack_seeds, pack_settings, unpack_seeds, unpack_settings

if TYPE_CHECKING:
    from ..network.network import Network
    from ..training.settings import Settings

TRIED = 10  # rows
_PRUNED = ("number", "loss", "reached", "steps")


def pack(fitted: Fitted, writer: Writer, data: bool = True) -> dict[str, Any]:
    """All parts of a fit, its covariates only if `data`; arrays go to the writer.

    Raises
    ------
    ArgumentError
        Where a part cannot be stored as plain data.
    """
    return {
        "call": call(fitted),
        "settings": pack_settings(fitted.settings, writer),
        "seeds": pack_seeds(fitted.seeds, writer),
        "spec": fitted.design.spec.to_json(),
        "design": _pack_design(fitted.design, writer, data),
        "fit": _pack_fit(fitted.fit, writer),
    }


def unpack(model: Any, reader: Reader, saved: dict[str, str] | None = None) -> Fitted:
    """A fit from what `pack` made; `saved` is the record of how it was saved.

    Raises
    ------
    FileFormatError
        Where something is missing, of another kind, or does not fit the rest.
    """
    parts = section({"model": model}, "model", ("call", "settings", "seeds", "spec", "design", "fit"))
    written, text = parts["call"], parts["spec"]
    if not isinstance(written, str) or not isinstance(text, str):
        raise FileFormatError("its call or formula is damaged")
    spec = Spec.from_json(text)
    design = _unpack_design(parts, spec, reader)
    try:
        settings = unpack_settings(parts, reader)
        family = settings.distribution
        if isinstance(family, Distributional):
            design = with_known(surv.told(design, family.targets(design.y)), family)
        if design.offset is not None and len(design.offset) != design.spec.n_offsets:
            raise FileFormatError("its offset does not belong to its response")
        network = build_network(design, settings)
    except FileFormatError:
        raise
    except NeuralStatError as error:
        raise FileFormatError(f"its settings are damaged ({error})") from None
    if parts["design"]["x"] is None:
        design = WithoutCovariates.of(design)
    fit = _unpack_fit(parts, network, settings, reader)
    formula = None if spec.formula is None else surv.readable(spec.formula)
    procedure = Procedure(design, network, settings, unpack_seeds(parts, reader), formula)
    # the call as it was: functions have another name now, arrays another type
    return Fitted(procedure, fit, saved, written)


# design ------------------------------------------------------------------------------------------------


def _pack_design(design: Design, writer: Writer, data: bool) -> dict[str, Any]:
    reads = {} if design.reads is None else {"reads": {role: list(at) for role, at in design.reads.items()}}
    grouped = {} if design.groups is None else {"groups": writer.array(design.groups, "groups")}
    return {
        **reads,
        **grouped,
        "x": writer.array(design.x, "x") if data else None,
        "y": writer.array(design.y[: len(design.spec.y_names)], "y"),
        "weights": None if design.weights is None else writer.array(design.weights, "weights"),
        "frequencies": None if design.frequencies is None else writer.array(design.frequencies, "frequencies"),
        "offset": None if design.offset is None else writer.array(design.offset, "offset"),
        "kept": writer.array(design.kept, "kept"),
        "index": writer.index(design.index, "index"),
        "full_index": writer.index(design.full_index, "full_index"),
        "frame": [
            [writer.value(name, "frame"), _pack_column(design, name, k, writer)]
            for k, name in enumerate(design.frame.columns)
        ] if data else None,
    }


def _pack_column(design: Design, name: str, k: int, writer: Writer) -> Any:
    """A covariate: as labels; an array per row only where the inputs, which are scaled, do not hold it exactly."""
    column = design.frame[name]
    if not is_tensor(column):
        return writer.index(_labels(column), f"frame.{k}")
    if design.scaling is None and name in design.terms:
        return {"kind": "inputs"}
    return {"kind": "tensor", "values": writer.array(column.array.values.astype(np.float64), f"frame.{k}")}


def _unpack_column(name: str, entry: Any, x: np.ndarray, spec: Any, reader: Reader) -> Any:
    if not isinstance(entry, dict) or entry.get("kind") not in ("inputs", "tensor"):
        return reader.index(entry)
    shape = spec.columns[name].shape
    if entry["kind"] == "inputs":
        rows = list(spec.terms[name])
        part = x[rows[0] : rows[-1] + 1] if rows[-1] - rows[0] + 1 == len(rows) else x[rows]
        return TensorArray(np.moveaxis(part.reshape(*shape, -1), -1, 0), owned=True)
    return TensorArray(reader.array(entry["values"], "<f8", (x.shape[1], *shape)), owned=True)


def _labels(column: pd.Series) -> pd.Index:
    """A column as an index of the same dtype, which is how columns are stored."""
    return pd.Index(column.array, dtype=column.dtype)


def _unpack_design(parts: dict[str, Any], spec: Any, reader: Reader) -> Design:
    names = ("x", "y", "weights", "frequencies", "offset", "kept", "index", "full_index", "frame")
    known = parts.get("design")
    more = tuple(name for name in ("reads", "groups") if isinstance(known, dict) and name in known)
    stored = section(parts, "design", (*names, *more))
    d, k = len(spec.x_names), len(spec.y_names)
    bare = stored["x"] is None  # saved without covariates
    kept = reader.array(stored["kept"], "b", (None,))
    index, full = reader.index(stored["index"]), reader.index(stored["full_index"])
    x = np.broadcast_to(0.0, (d, len(index))) if bare else reader.array(stored["x"], "<f8", (d, None))
    n = x.shape[1]
    y = reader.array(stored["y"], "<f8", (k, n))
    weights = None if stored["weights"] is None else reader.array(stored["weights"], "<f8", (n,))
    often = None if stored["frequencies"] is None else reader.array(stored["frequencies"], "<f8", (n,))
    offset = None if stored["offset"] is None else reader.array(stored["offset"], "<f8", (None, n))
    if (offset is not None) != spec.has_offset:
        raise FileFormatError("its offset does not belong to its formula")
    if n == 0 or kept.sum() != n or len(index) != n or len(full) != kept.size:
        raise FileFormatError("its rows do not fit its labels")
    if not all(np.isfinite(a).all() for a in (y, weights, often, offset, None if bare else x) if a is not None):
        raise FileFormatError("its data hold values that are not finite")
    if often is not None and weights is None:
        raise FileFormatError("its frequencies do not belong to its weights")
    groups = reader.array(stored["groups"], "<i8", (n,)) if "groups" in stored else None
    if groups is not None and (groups.min() < 0 or groups.max() >= n):
        raise FileFormatError("its groups are damaged")
    frame = _examples(spec) if bare else _unpack_frame(stored["frame"], index, x, spec, reader)
    design = Design(
        x=x, y=y, x_names=spec.x_names, y_names=spec.y_names, terms=spec.terms, classes=spec.classes,
        response=surv.readable(spec.response), weights=weights, offset=offset, index=index, full_index=full, kept=kept,
        scaling=spec.scaling, spec=spec, frame=frame,
        frequencies=often, groups=groups, reads=_unpack_reads(stored.get("reads"), d),
    )  # fmt: skip
    _try(design)
    if bare and stored["frame"] is not None:
        raise FileFormatError("its covariates are damaged")
    return design


def _unpack_reads(stored: Any, d: int) -> dict[str, tuple[int, ...]] | None:
    """Rows of x that parameters read."""
    if stored is None:
        return None
    lists = isinstance(stored, dict) and all(isinstance(at, list) for at in stored.values())
    whole = lists and all(type(k) is int and 0 <= k < d for at in stored.values() for k in at)
    if not whole or "" not in stored:
        raise FileFormatError("the columns of its parameters are damaged")
    return {str(role): tuple(at) for role, at in stored.items()}


def _try(design: Design) -> None:
    """Raise where the formula, which cannot have failed at the fit, fails on some rows of the fit's data."""
    spec, rows = design.spec, design.frame.iloc[:TRIED]
    offset = None if spec.offset_kind == "none" else np.zeros(len(rows))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.encode(rows, offset=offset)
            with contextlib.suppress(NeuralStatError):  # the responses' columns are not stored: others stand for them
                spec.encode_response({name: kind.example(1) for name, kind in spec.response_kinds.items()})
    except FileFormatError:
        raise
    except Exception as error:
        raise FileFormatError(f"its formula does not fit its data ({type(error).__name__}: {str(error)[:120]})") from None


def _examples(spec: Spec) -> pd.DataFrame:
    """Two rows of the kind that covariates were."""
    made = {name: kind.example(2) for name, kind in spec.columns.items()}
    return pd.DataFrame({name: TensorArray(v) if np.ndim(v) > 1 else v for name, v in made.items()})


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
        if f.name not in ("trace", "seconds", "device", "algorithm", "number", "pruned", "history", "state", *ESTIMATED)
    }  # fmt: skip
    packed |= {name: writer.array(value, name) for name, value in fit.estimated.items() if value is not None}
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
    known = parts.get("fit")
    absent = ["state", *(name for name in ESTIMATED if not isinstance(known, dict) or name not in known)]
    stored = section(parts, "fit", tuple(f.name for f in dataclasses.fields(Fit) if f.name not in absent))
    real, b, p = np.dtype(settings.dtype).str, settings.kept, network.n_params
    free = reader.array(stored["free"], "b", (None, p))
    status = reader.array(stored["status"], "<i8", (b,))
    if free.shape[0] not in (1, b) or not free.any() or not np.isin(status, list(STATUS)).all():
        raise FileFormatError("the state of its repetitions is damaged")
    seconds = stored["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FileFormatError("its time is damaged")
    if not isinstance(stored["device"], str):
        raise FileFormatError("its device is damaged")
    algorithm = stored["algorithm"]
    if not isinstance(algorithm, str) or len(algorithm) > 200:
        raise FileFormatError("its algorithm is damaged")
    return Fit(
        theta=reader.array(stored["theta"], real, (b, p)),
        start=reader.array(stored["start"], real, (b, p)),
        free=free,
        loss=reader.array(stored["loss"], real, (b,)),
        reached=reader.array(stored["reached"], real, (b,)),
        steps=reader.array(stored["steps"], "<i8", (b,)),
        status=status,
        trace=_unpack_trace(stored, b, reader),
        seconds=float(seconds),
        device=stored["device"],
        algorithm=algorithm,
        number=None if stored["number"] is None else reader.array(stored["number"], "<i8", (b,)),
        pruned=_unpack_pruned(stored, settings, reader),
        history=_unpack_history(stored, b, reader),
        **_unpack_estimated(stored, b, p, reader),  # type: ignore[arg-type]
    )


def _unpack_estimated(stored: dict[str, Any], b: int, p: int, reader: Reader) -> dict[str, np.ndarray]:
    """What a fit has whose penalty was estimated; a part of it where a refit was saved."""
    shapes = {"strengths": (b, None), "penalty": (b, p, COLUMNS), "dispersion": (b,), "evidence": (b,)}
    found = {name: reader.array(stored[name], "<f8", shape) for name, shape in shapes.items() if name in stored}
    both = [found[name] for name in ("strengths", "penalty") if name in found]
    if (found and len(both) < 2) or any(not np.isfinite(each).all() or np.any(each < 0) for each in both):
        raise FileFormatError("its penalty is damaged")
    return found


def _unpack_pruned(fit: dict[str, Any], settings: Settings, reader: Reader) -> Pruned | None:
    if fit["pruned"] is None:
        return None
    stored, gone = section(fit, "pruned", _PRUNED), settings.repetitions - settings.kept
    real = np.dtype(settings.dtype).str
    return Pruned(
        reader.array(stored["number"], "<i8", (gone,)), reader.array(stored["loss"], real, (gone,)),
        reader.array(stored["reached"], real, (gone,)), reader.array(stored["steps"], "<i8", (gone,)),
    )  # fmt: skip


def _unpack_history(fit: dict[str, Any], b: int, reader: Reader) -> History | None:
    if fit["history"] is None:
        return None
    stored = section(fit, "history", ("columns", "values", "epochs", "best_epoch"))
    columns = stored["columns"]
    if not isinstance(columns, list) or not 0 < len(columns) < 10 or not all(isinstance(c, str) for c in columns):
        raise FileFormatError("its history is damaged")
    values = reader.array(stored["values"], "<f8", (b, None, len(columns)))
    epochs, best = (reader.array(stored[name], "<i8", (b,)) for name in ("epochs", "best_epoch"))
    if np.any(epochs < 0) or np.any(epochs > values.shape[1]) or np.any(best < 0) or np.any(best > epochs):
        raise FileFormatError("its history is damaged")
    return History(tuple(columns), values, epochs, best)


def _unpack_trace(fit: dict[str, Any], b: int, reader: Reader) -> list[tuple[np.ndarray, np.ndarray]]:
    stored = section(fit, "trace", ("lengths", "steps", "errors"))
    lengths = reader.array(stored["lengths"], "<i8", (b,))
    steps = reader.array(stored["steps"], "<i8", (None,))
    errors = reader.array(stored["errors"], "<f8", (steps.size,))
    if np.any(lengths < 0) or np.any(lengths > steps.size) or lengths.sum() != steps.size:
        raise FileFormatError("its record of errors is damaged")
    ends = np.cumsum(lengths)[:-1]
    return list(zip(np.split(steps, ends), np.split(errors, ends), strict=True))
