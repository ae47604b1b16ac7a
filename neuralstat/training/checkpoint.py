"""Checkpoints of a running minibatch fit: arrays in one file, replaced as a whole, and exact resumption."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks.arrays import read_stored
from ..checks.files import named, open_regular, replacing
from ..engine import batches, cpu
from ..errors import ArgumentError, FileFormatError, FitWarning, caller
from ..formula.gathered import ByRow
from ..functions.activation_calls import activation_values
from ..layers.codes import ACT, ADDRESS
from ..schedules import OneCycle
from .fit import STATUS

if TYPE_CHECKING:
    from ..engine.batches import Plan, Rows, State
    from ..network.network import Network
    from .metrics import Record

_SAVED = ("theta", "memory", "steps", "epoch", "status", "loss", "history", "best", "stopping", "plateau")
_MORE = ("fingerprint", "entropy", "spawn_key", "pool_size", "metrics")
_MOST_WORDS = 1000  # of seeds
_MOST_STEPS = 2**53


def fingerprint(*parts: Any) -> np.ndarray:
    """(32,) uint8 hash of arrays and of what has a stable `repr`."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, ByRow):
            digest.update(f"{part.shape}{part.dtype}".encode())
            for rows in part.x.parts() if part.x.lasting else ():
                part.read(rows, some := np.empty((len(rows), part.shape[1]), part.dtype))
                digest.update(some.tobytes())
        elif isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return np.frombuffer(digest.digest(), np.uint8)


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """Arrays of a checkpoint; None where there is no such file.

    Raises
    ------
    FileFormatError
        Where the file is none, or damaged.
    """
    try:
        with named(path), open_regular(Path(path)) as file:
            arrays = read_stored(file, len(_SAVED) + len(_MORE))
    except FileNotFoundError:
        return None
    except FileFormatError as error:
        raise _no_checkpoint(path, error) from None
    lacking = [name for name in (*_SAVED, "fingerprint") if name not in arrays]
    if lacking:
        raise _no_checkpoint(path, f"it lacks {', '.join(lacking)}")
    unknown = [name for name in arrays if name not in (*_SAVED, *_MORE)]
    if unknown:
        raise _no_checkpoint(path, f"it has an unknown array {unknown[0]!r:.40}")
    return arrays


def _no_checkpoint(path: Any, why: Any) -> FileFormatError:
    name = os.fspath(path)
    return FileFormatError(f"checkpoint: {name!r} is no checkpoint, or damaged: {str(why).removeprefix(f'{name}: ')}.")


def stored_seeds(path: str | os.PathLike[str]) -> np.random.SeedSequence | None:
    """The seeds of the fit that wrote a checkpoint; None where there is no file."""
    arrays = read(path)
    if arrays is None:
        return None
    lacking = [name for name in ("entropy", "spawn_key", "pool_size") if name not in arrays]
    if lacking or arrays["entropy"].size == 0:
        raise ArgumentError(f"checkpoint: {os.fspath(path)!r} does not hold the seeds of its fit; give random_state=.")
    entropy, key, pool = arrays["entropy"], arrays["spawn_key"], arrays["pool_size"]
    kinds = entropy.dtype == np.uint32 and key.dtype == np.int64 and pool.dtype.kind in "iu"
    shapes = entropy.ndim == key.ndim == 1 and pool.ndim == 0 and max(entropy.size, key.size) <= _MOST_WORDS
    if not (kinds and shapes and np.all(key >= 0) and 4 <= int(pool) <= 64):
        raise _no_checkpoint(path, "its seeds make no sense")
    words = int.from_bytes(entropy.tobytes(), "little")
    return np.random.SeedSequence(words, spawn_key=tuple(int(k) for k in key), pool_size=int(pool))


def seed_arrays(seeds: np.random.SeedSequence) -> dict[str, np.ndarray]:
    """What `stored_seeds` reads; only for seeds whose entropy is one whole number."""
    entropy = seeds.entropy
    if not isinstance(entropy, int):
        return {"entropy": np.zeros(0, np.uint32), "spawn_key": np.zeros(0, np.int64), "pool_size": np.array(4)}
    size = max(4, (entropy.bit_length() + 31) // 32 * 4)
    return {"entropy": np.frombuffer(entropy.to_bytes(size, "little"), np.uint32),
            "spawn_key": np.array(seeds.spawn_key, np.int64), "pool_size": np.array(seeds.pool_size)}  # fmt: skip


class Checkpoint:
    """Writes the state of all repetitions as it was at their last finished epochs.

    Parameters
    ----------
    path : path
    state : State
        Of `engine.batches`.
    mark : array
        `fingerprint` of what makes the fit.
    more : dict of arrays
        Stored beside.
    """

    def __init__(self, path: Any, state: Any, mark: np.ndarray, more: dict[str, np.ndarray]) -> None:
        self.path, self.state = Path(path), state
        self._lock, self._failed = threading.Lock(), False
        self._more = {**more, "fingerprint": mark}
        self._kept = {name: np.array(getattr(state, name)) for name in _SAVED}

    def save(self, b: int) -> None:
        """Take over the state of repetition b, which is at the end of an epoch, and write all."""
        with self._lock:
            for name, kept in self._kept.items():
                kept[b] = getattr(self.state, name)[b]
            self._write()

    def _write(self) -> None:
        arrays: dict[str, Any] = {**self._kept, **self._more}
        try:
            with replacing(self.path, "write the checkpoint") as file:
                np.savez(file, **arrays)
        except OSError as error:
            if self._failed:
                return
            self._failed = True
            warnings.warn(
                f"{error.strerror or error}. The fit goes on; what is stored is older.", FitWarning, stacklevel=caller()
            )


def restore(path: Any, state: Any, mark: np.ndarray, metrics: np.ndarray | None = None) -> bool:
    """Put a checkpoint's arrays into `state`, and those of its metrics into theirs; False where there is no file.

    Raises
    ------
    ArgumentError
        Where the file belongs to another fit.
    FileFormatError
        Where it is damaged, or holds what no training comes to.
    """
    arrays = read(path)
    if arrays is None:
        return False
    if arrays["fingerprint"].shape != mark.shape or np.any(arrays["fingerprint"] != mark):
        raise ArgumentError(
            f"checkpoint: {os.fspath(path)!r} was written by another fit (other data, network, start weights, optimizer, "
            "batches, or random_state). Delete it, or name another file."
        )
    _check(path, arrays, state)
    width = state.history.shape[1]
    most = int(arrays["epoch"].max(initial=0))
    if most > width:
        raise ArgumentError(f"checkpoint: {os.fspath(path)!r} already has {most} epochs; epochs={width} is fewer.")
    if metrics is not None:
        stored = arrays.get("metrics", np.zeros(0))
        if stored.dtype != float or stored.ndim != 3 or stored[:, :1].shape[::2] != metrics.shape[::2]:
            raise _no_checkpoint(path, "its metrics cannot have been written")
    put(arrays, state, metrics)
    return True


def taken(state: Any, metrics: np.ndarray | None) -> dict[str, np.ndarray]:
    """What `put` takes: the arrays of a state at the end of training, not copied, and those of its metrics."""
    return {name: getattr(state, name) for name in _SAVED} | ({} if metrics is None else {"metrics": metrics})


def put(arrays: Mapping[str, np.ndarray], state: Any, metrics: np.ndarray | None = None) -> None:
    """Put stored arrays of as many epochs as there were into a state of as many as there may be."""
    width = state.history.shape[1]
    for name in _SAVED:
        target, source = getattr(state, name), arrays[name]
        if name == "history":
            target[:, : source.shape[1]] = source[:, :width]
        else:
            target[...] = source
    if metrics is not None:
        metrics[:, : arrays["metrics"].shape[1]] = arrays["metrics"][:, : metrics.shape[1]]


def _check(path: Any, arrays: dict[str, np.ndarray], state: Any) -> None:
    """Raise unless stored arrays are a state that training can have come to; kernels trust it."""
    for name in _SAVED:
        target, source = getattr(state, name), arrays[name]
        shape = target.shape if name != "history" else (target.shape[0], *source.shape[1:2], target.shape[2])
        if source.shape != shape or source.dtype != target.dtype:
            raise _no_checkpoint(path, f"{name} has shape {source.shape} of {source.dtype}")
    epoch, status, stopping, plateau = (arrays[name] for name in ("epoch", "status", "stopping", "plateau"))
    least, best = plateau[:, batches.LEAST], stopping[:, batches.BEST]
    counts = np.column_stack([stopping[:, [batches.WAIT, batches.BEST_EPOCH]],
                              plateau[:, [batches.STILL, batches.COOLING]]])  # fmt: skip
    last, factor = np.maximum(epoch - 1, 0), plateau[:, batches.FACTOR]
    sound = {
        "epoch": np.all((epoch >= 0) & (epoch <= arrays["history"].shape[1])),
        "steps": np.all((arrays["steps"] >= epoch) & (arrays["steps"] <= _MOST_STEPS)),
        "status": np.isin(status, list(STATUS)).all(),
        "theta": np.isfinite(arrays["theta"][status == cpu.RUNNING]).all(),
        "stopping": not np.isnan(best).any() and np.all(stopping[:, batches.BEST_EPOCH] <= last),
        "plateau": not np.isnan(least).any() and np.all((factor >= 0) & (factor <= 1)),
        "stopping or plateau": np.all((counts >= 0) & (counts <= _MOST_STEPS) & (counts == np.floor(counts))),
    }
    wrong = [name for name, right in sound.items() if not right]
    if wrong:
        raise _no_checkpoint(path, f"its {wrong[0]} cannot have been written")


def _told(network: Network) -> list[Any]:
    """What kernels are told of a network: layers, rates of dropout, slopes, parameters of families.

    Functions of users, whose addresses are of this process, stand there by what they give.
    """
    net, custom = network.net(), network.objective.custom
    table, made = net.table.copy(), []
    for row in table[table[:, ADDRESS] != 0]:
        made.append(np.linspace(-3.0, 3.0, 25)[np.newaxis])
        activation_values(int(row[ACT]), 0.0, int(row[ADDRESS]), made[-1], np.empty_like(made[-1]))
    table[:, ADDRESS] = 0
    loss = None if custom is None else custom.source
    return [table, net.constants, net.loss, net.loss_parameter, net.parameters, loss, *made]


def begin(
    network: Network, rows: Rows, validation: Rows | None, plan: Plan, state: State, training: Any,
    penalty: np.ndarray | None, seeds: np.random.SeedSequence | None, record: Record | None,
) -> Checkpoint | None:  # fmt: skip
    """Read the checkpoint into the state, where there is one; what writes the next ones."""
    if training.checkpoint is None:
        return None
    if record is not None and record.rule is not None:
        raise ArgumentError("checkpoint cannot be combined with early stopping by a metric: monitor the loss.")
    rate = training.optimizer.learning_rate
    length = plan.epochs if isinstance(rate, OneCycle) and rate.steps is None else None
    data = [part for r in (rows, validation) if r is not None for part in (r.inputs, *r.data)]
    mark = fingerprint(
        *_told(network), network.objective.name, training.optimizer, plan.batch, plan.shuffle, training.early_stopping,
        length, state.theta, state.keys, state.free, penalty, *data, *plan.bound, plan.momentum,
        *(() if training.augment is None else (training.augment,)), *(() if record is None else record.columns),
    )  # fmt: skip
    measures = None if record is None else record.values
    if restore(training.checkpoint, state, mark, measures):
        again = (state.status == batches.EPOCHS_DONE) & (state.epoch < plan.epochs)
        again |= (state.status == cpu.STEPMAX) & (state.steps < plan.stepmax)
        state.status[again] = cpu.RUNNING
    more = {} if seeds is None else seed_arrays(seeds)
    if measures is not None:
        more["metrics"] = measures
    return Checkpoint(training.checkpoint, state, mark, more)
