"""Files with random damage, and children that read them within limits of time and memory."""

from __future__ import annotations

import copy
import io
import multiprocessing
import resource
import signal
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import stored

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 10**6, 2**31, 2**62, -(2**63), 10**30, 1e300, -1e300, 0.5, "", "x", "y", "x" * 1000,
    [], {}, [[]], {"a": 1}, {"float": "nan"}, {"tuple": []}, {"dict": []}, {"array": "x"}, [0] * 1000, "__import__('os')",
)  # fmt: skip


def flip(raw: bytes, rng: np.random.Generator) -> bytes:
    """Some bits changed."""
    changed = bytearray(raw)
    for at in rng.integers(0, len(raw), rng.integers(1, 4)):
        changed[at] ^= 1 << rng.integers(0, 8)
    return bytes(changed)


def cut(raw: bytes, rng: np.random.Generator) -> bytes:
    """An end lost, a piece lost, or a piece twice."""
    a, b = sorted(rng.integers(0, len(raw), 2))
    return (raw[:a], raw[:a] + raw[b:], raw[:b] + raw[a:])[rng.integers(3)]


def members(raw: dict[str, bytes], rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """Members of an archive: one damaged, lost, twice, of another name, or as long as another."""
    names = list(raw)
    some, other = rng.choice(names, 2)
    items = list(raw.items())
    kind = rng.integers(5)
    if kind == 0:
        return [(name, flip(content, rng) if name == some and content else content) for name, content in items]
    if kind == 1:
        return [(name, cut(content, rng) if name == some and len(content) > 1 else content) for name, content in items]
    if kind == 2:
        return [item for item in items if item[0] != some] + ([(str(some), raw[some])] * 2 if rng.random() < 0.5 else [])
    if kind == 3:
        return [(f"{name}x" if name == some else name, content) for name, content in items]
    return [(name, raw[other] if name == some else content) for name, content in items]


def archive(items: list[tuple[str, bytes]], path: Path) -> None:
    """A zip of members."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
        warnings.simplefilter("ignore")  # of names that occur twice
        for name, content in items:
            file.writestr(name, content)


def edited(document: Any, rng: np.random.Generator) -> Any:
    """JSON with an entry replaced, lost, added or exchanged for another."""
    document = copy.deepcopy(document)
    places: list[tuple[Any, Any]] = []
    todo = [document]
    while todo:
        part = todo.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part))
        places += [(part, key) for key in keys]
        todo += [part[key] for key in keys if isinstance(part[key], dict | list)]
    for _ in range(rng.integers(1, 3)):
        part, key = places[rng.integers(len(places))]
        kind = rng.integers(6)
        if (isinstance(part, dict) and key not in part) or (isinstance(part, list) and key >= len(part)):
            continue
        if kind == 0:
            del part[key]
        elif kind == 1 and isinstance(part, list):
            part.insert(key, part[key])
        elif kind == 2:
            other, at = places[rng.integers(len(places))]
            if (isinstance(other, dict) and at in other) or (isinstance(other, list) and at < len(other)):
                part[key] = copy.deepcopy(other[at])
        elif kind == 3 and isinstance(part[key], int | float) and not isinstance(part[key], bool):
            part[key] = part[key] * int(rng.choice([-1, 2, 10**6])) + int(rng.integers(-1, 2))
        else:
            part[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return document


def damage_fit(original: Path, target: Path, rng: np.random.Generator) -> str:
    """A saved fit with random damage; what was done."""
    kind = ("flip", "cut", "members", "json", "json", "json", "values")[rng.integers(7)]
    parts = stored.parts_of(original)
    if kind == "flip":
        target.write_bytes(flip(original.read_bytes(), rng))
    elif kind == "cut":
        target.write_bytes(cut(original.read_bytes(), rng))
    elif kind == "members":
        archive(members(parts, rng), target)
    elif kind == "json":
        document = stored.document_of(parts)
        document["model"] = edited(document["model"], rng)
        if "spec" not in document["model"]:
            document["model"]["spec"] = {}
        stored.with_document(parts, document, target)
    else:
        damage_values(parts, target, rng, lambda name: name != "model.json")
    return kind


def damage_checkpoint(original: Path, target: Path, rng: np.random.Generator) -> str:
    """A checkpoint with random damage; what was done."""
    kind = ("flip", "cut", "members", "values", "values", "values")[rng.integers(6)]
    parts = stored.parts_of(original)
    if kind == "flip":
        target.write_bytes(flip(original.read_bytes(), rng))
    elif kind == "cut":
        target.write_bytes(cut(original.read_bytes(), rng))
    elif kind == "members":
        archive(members(parts, rng), target)
    else:
        damage_values(parts, target, rng, lambda name: name != "fingerprint.npy")
    return kind


def damage_values(parts: dict[str, bytes], target: Path, rng: np.random.Generator, which: Callable[[str], bool]) -> None:
    """Numbers of an array replaced by others, or its shape and kind changed."""
    name = str(rng.choice([name for name in parts if which(name)]))
    array = np.load(io.BytesIO(parts[name]))
    kind = rng.integers(4)
    if kind == 0 and array.size:
        extremes: tuple[Any, ...] = (-(10**6), -1, 0, 2, 10**6, 2**62)
        if array.dtype.kind == "f":
            extremes = (np.nan, np.inf, -np.inf, 1e300, -1.0, 0.5, 0.0)
        array = array.copy()
        with np.errstate(all="ignore"):
            array.reshape(-1)[rng.integers(array.size)] = np.array(extremes[rng.integers(len(extremes))]).astype(array.dtype)
    elif kind == 1 and array.dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            array = array.astype((np.float32, np.int64, np.int8, bool, np.float64, np.uint8)[rng.integers(6)])
    elif kind == 2 and array.ndim:
        array = array[..., : -1 if rng.random() < 0.5 else 0]
    else:
        array = array[np.newaxis] if rng.random() < 0.5 else array.ravel()[:1]
    buffer = io.BytesIO()
    np.save(buffer, array)
    archive([*((n, c) for n, c in parts.items() if n != name), (name, buffer.getvalue())], target)


def serve(task: Callable[[int], str], numbers: list[int], pipe: Any, seconds: float, memory: int) -> None:
    """Child: carry out tasks one by one within limits; report each before it begins, and what it said."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in numbers:
        pipe.send((number, None))
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            said = task(number)
        except BaseException:
            said = traceback.format_exc()[-1500:]
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send((number, said or ("" if time.process_time() - begun < seconds else "late")))


def _late(*_: Any) -> None:
    raise TimeoutError("late")


def run(task: Callable[[int], str], count: int, seconds: float = 2.0, memory: int = 2**29) -> dict[int, str]:
    """What tasks 0, 1, ..., count - 1 said that is not right ("" is right): in children, where a crash or a hang counts.

    Time is the processor's, so that a busy machine is not taken for a hang.
    """
    context = multiprocessing.get_context("fork")
    faults: dict[int, str] = {}
    left = list(range(count))
    while left:
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(task, left, theirs, seconds, memory))
        child.start()
        theirs.close()
        current = None
        try:
            while True:
                if not ours.poll(30 * seconds):
                    faults[current if current is not None else left[0]] = "hang"
                    break
                number, said = ours.recv()
                current = number if said is None else None
                if said is not None:
                    left.remove(number)
                    if said:
                        faults[number] = said
        except EOFError:
            if current is not None:
                faults[current] = f"crash ({child.exitcode})"
        child.kill()
        child.join()
        if current is not None and current in left:
            left.remove(current)
        elif current is None and left:
            break
    return faults


def _child(task: Callable[[int], str], numbers: list[int], pipe: Any, seconds: float, memory: int) -> None:
    signal.signal(signal.SIGPROF, _late)
    try:
        serve(task, numbers, pipe, seconds, memory)
    finally:
        pipe.close()
