"""Run calls of `campaigns` in children with limits of time and memory, and say what came of each.

Right are: an answer, an error of the package, Python's own TypeError for a wrong signature, and for paths the system's
"no such file" and "permission denied". Anything else is a `Fault`.
"""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

import campaigns
import hostile

import neuralstat as ns
from neuralstat.errors import ArgumentError, NeuralStatError, NeuralStatWarning

SECONDS = 10.0  # a call on twelve rows; compiling kernels is not counted
BUSY = 6  # times as long for a call that does not get the processor, or waits
COMPILING = 300.0
GIBIBYTES = 6.0  # of address space, beside what a child begins with
LIFE = 4000  # calls of a child: what calls leave behind does not pile up
PACKAGE = str(Path(ns.__file__).parent)
DOORS = (("checks/arguments.py", "checked"), ("network/blas.py", "alone"))  # wrappers of what is called
OF_THE_SYSTEM = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, FileExistsError)


class Fault(NamedTuple):
    """A call that went wrong.

    Attributes
    ----------
    campaign, number, text
        The call.
    kind : {"raw", "hang", "crash", "warning", "unnamed", "long"}
        An exception that is none of the package's, no answer in time, the end of the process; and, which are counted apart,
        warnings of others, messages that do not name the one argument at fault, and messages of more than 1,500 characters.
    where : str
        Exception and innermost line in the package.
    words : str
        Message.
    """

    campaign: str
    number: int
    text: str
    kind: str
    where: str
    words: str


def frames_inside(error: BaseException) -> list[traceback.FrameSummary]:
    """Frames of a traceback in the package, but the door's own."""
    inside = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        door = any(name.endswith(file) and frame.f_code.co_name == function for file, function in DOORS)
        if name.startswith(PACKAGE) and not door:
            inside.append(traceback.FrameSummary(name, line, frame.f_code.co_name, lookup_line=False))
    return inside


def judge(error: BaseException, call: campaigns.Call) -> tuple[str, str, str] | None:
    """Kind, place and words of an exception that is a fault; None where it is right."""
    try:
        words = str(error)
    except Exception as other:
        words = f"no message: {other!r}"
    if isinstance(error, NeuralStatError):
        place = (frames_inside(error) or [None])[-1]
        where = f"{type(error).__name__} {_place(place)}"
        if len(words) > 1500 or not words:
            return "long", where, words[:200]
        one = len(call.odd) == 1 and call.target != "main" and call.odd != ("formula",)
        if one and type(error) is ArgumentError and not _named(call.odd[0], words):
            return "unnamed", where, words
        return None
    if isinstance(error, SystemExit):
        return None if call.target == "main" and error.code in (0, 2) else ("raw", "SystemExit", words)
    inside = frames_inside(error)
    if isinstance(error, TypeError):
        if not inside and not isinstance(error.__traceback__, type(None)):
            return None  # Python's own, of a wrong signature
        if re.search(r"(<lambda>|len)\(\) (takes|missing|got)", words):
            return None  # of the function that was given, named
        signature = re.search(r"\(\) got (?:an unexpected keyword|multiple values for(?: keyword)?) argument '(\w+)'", words)
        if signature and signature[1] in call.named:
            return None  # options that are passed on to a function that says its own words
    if isinstance(error, OF_THE_SYSTEM):
        return None
    if isinstance(error, OSError) and (error.errno is None or str(error.strerror).startswith("cannot ")):
        return None  # said by the package, of a place where no file can be
    return "raw", f"{type(error).__name__} {_place(inside[-1] if inside else None)}", words[:300]


def _place(frame: traceback.FrameSummary | None) -> str:
    return "" if frame is None else f"{frame.filename[len(PACKAGE) + 1:]}:{frame.lineno} {frame.name}"


def _named(name: str, words: str) -> bool:
    short = name.rstrip("s")
    return short in words or short.replace("_", " ") in words or short.replace("_", "-") in words


def made(call: campaigns.Call) -> tuple[Any, list[Any], dict[str, Any]] | None:
    """The callable and its arguments; None where a text makes nothing (a wrapping of what cannot be wrapped)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            positional = [item for text in call.positional for item in _items(text)]
            named = {name: hostile.value(text) for name, text in call.named.items()}
            return hostile.value(call.target), positional, named
    except Exception:
        return None


def _items(text: str) -> tuple[Any, ...]:
    if text.startswith("fit(") and "), fit(" in text:  # several for *args
        return tuple(hostile.value(f"({text},)"))
    return (hostile.value(text),)


def attempt(call: campaigns.Call) -> tuple[tuple[str, str, str] | None, bool]:
    """Make a call; its fault, if any, and whether it answered."""
    things = made(call)
    if things is None:
        return None, False
    function, positional, named = things
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            function(*positional, **named)
            answered, fault = True, None
        except BaseException as error:  # whatever comes out is what is looked at
            answered, fault = False, judge(error, call)
            error.__traceback__ = None
    if fault is None:
        for w in said:
            foreign = not issubclass(w.category, NeuralStatWarning | DeprecationWarning | ResourceWarning)
            if foreign and not (issubclass(w.category, UserWarning) and "lambda" in call.text):
                where = f"{w.category.__name__} {Path(w.filename).name}:{w.lineno}"
                return ("warning", where, str(w.message)[:200]), answered
    return fault, answered


def smaller(call: campaigns.Call, where: str) -> campaigns.Call:
    """The same fault with fewer arguments."""
    for name in list(call.named):
        less = call._replace(named={k: v for k, v in call.named.items() if k != name})
        fault, _ = attempt(less)
        _clean()
        if fault is not None and fault[1] == where:
            call = less
    return call


def _clean() -> None:
    for entry in list(os.scandir(".")):
        with contextlib.suppress(OSError):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)


class _Heart:
    """What a child says of itself: number of its call, when it began, seconds of compiling since, whether it compiles now."""

    FORM = "qddq"

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, struct.calcsize(self.FORM))
        self.number, self.began, self.compiled, self.depth = -1, 0.0, 0.0, 0
        self.since = 0.0

    def write(self) -> None:
        self.memory[:] = struct.pack(self.FORM, self.number, self.began, self.compiled, self.depth)

    def read(self) -> tuple[int, float, float, int]:
        return struct.unpack(self.FORM, self.memory[:])

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.since = time.monotonic()
        self.depth += 1
        self.write()

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.compiled += time.monotonic() - self.since
        self.write()


def _listen(heart: _Heart) -> None:
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            heart.on_start(event)

        def on_end(self, event: Any) -> None:
            heart.on_end(event)

    event.register("numba:compile", Listener())


def _address_space() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmSize"):
            return int(line.split()[1]) * 1024
    return 0


def _processor(process: int | None) -> float:
    """Seconds of processor time that a process has used; endless where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return float("inf")


def _child(
    heart: _Heart, pipe: Any, campaign: str, seed: int, numbers: range, folder: str, files: dict[str, bytes]
) -> None:
    with contextlib.suppress(OSError, ValueError):
        limit = _address_space() + int(GIBIBYTES * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sys.stdin, sys.stdout, sys.stderr = (open(k, "w" if k else "r") for k in range(3))  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _listen(heart)
    shared = {"backend": "threading"}
    import joblib

    seen: set[str] = set()
    with joblib.parallel_config(**shared):
        for number in numbers:
            call = campaigns.call(campaign, seed, number)
            if call.target == "main":
                for name, content in files.items():
                    Path(name).write_bytes(content)
            heart.number, heart.began, heart.compiled = number, time.monotonic(), 0.0
            heart.write()
            fault, answered = attempt(call)
            _clean()
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
            if fault is not None:
                if fault[1] not in seen and fault[0] == "raw" and call.target != "main":
                    seen.add(fault[1])
                    heart.began, heart.compiled = time.monotonic(), 0.0
                    heart.write()
                    call = smaller(call, fault[1])
                pipe.send((number, answered, Fault(campaign, number, call.text, *fault)))
            else:
                pipe.send((number, answered, None))
    pipe.send((-1, False, None))
    os._exit(0)


class Tally(NamedTuple):
    """What came of a campaign."""

    campaign: str
    calls: int
    answered: int
    faults: list[Fault]
    seconds: float

    def count(self, kind: str) -> int:
        """Faults of a kind."""
        return sum(fault.kind == kind for fault in self.faults)


class _Job:
    """A child at work on some calls, started again after the call that ends it."""

    def __init__(self, campaign: str, seed: int, numbers: range, root: str, files: dict[str, bytes], seconds: float) -> None:
        self.campaign, self.seed, self.numbers, self.root, self.files = campaign, seed, numbers, root, files
        self.seconds, self.faults, self.done, self.answered = seconds, [], False, 0
        self.start(numbers)

    def start(self, numbers: range) -> None:
        self.heart = _Heart()
        self.heart.write()
        self.pipe, end = multiprocessing.Pipe(duplex=False)
        folder = os.path.join(self.root, f"{numbers.start}", "here")
        arguments = (self.heart, end, self.campaign, self.seed, numbers, folder, self.files)
        self.process = multiprocessing.get_context("fork").Process(target=_child, args=arguments, daemon=True)
        self.process.start()
        self.at, self.used = -1, 0.0
        end.close()

    def look(self) -> None:
        """Take what the child says; end it where a call takes too long."""
        try:
            while self.pipe.poll():
                number, answered, fault = self.pipe.recv()
                if number < 0:
                    self.done = True
                    self.process.join()
                    return
                self.answered += answered
                if fault is not None:
                    self.faults.append(fault)
        except EOFError:
            self.process.join()
            self.ended("crash", f"exit code {self.process.exitcode}")
            return
        number, began, compiled, depth = self.heart.read()
        now, used = time.monotonic(), _processor(self.process.pid)
        if number != self.at:  # another call than at the last look
            self.at, self.used = number, used
        taken = now - began - compiled
        worked = min(taken, used - self.used)  # on a machine that others use, too, time goes by without work
        over = (worked > self.seconds / 2 and taken > self.seconds) or taken > BUSY * self.seconds
        over = over if depth == 0 else now - began > COMPILING
        if number >= 0 and over and (number, began) == self.heart.read()[:2]:
            self.process.kill()
            self.process.join()
            self.ended("hang", f"over {self.seconds:g} s")

    def ended(self, kind: str, words: str) -> None:
        while self.pipe.poll():
            try:
                _, answered, fault = self.pipe.recv()
            except EOFError:
                break
            self.answered += answered
            self.faults += [fault] if fault is not None else []
        number = self.heart.read()[0]
        text = campaigns.call(self.campaign, self.seed, number).text if number >= 0 else "before the first call"
        self.faults.append(Fault(self.campaign, number, text, kind, kind, words))
        rest = range(max(number, self.numbers.start) + 1, self.numbers.stop)
        if rest:
            self.numbers = rest
            self.start(rest)
        else:
            self.done = True


def files() -> dict[str, bytes]:
    """What command lines find in their folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fit.nst")
        hostile.fit("gaussian").save(path)
        return {"data.csv": hostile.data().to_csv(index=False).encode(), "fit.nst": Path(path).read_bytes()}


def run(campaign: str, calls: int | Iterable[int], seed: int, workers: int = 1, seconds: float = SECONDS) -> Tally:
    """A campaign.

    Parameters
    ----------
    campaign : str
        Of `campaigns.CAMPAIGNS`.
    calls : int
        How many.
    seed : int
    workers : int
        Children at a time.
    seconds : float
        That a call may take.
    """
    began = time.monotonic()
    warm()
    total = int(calls)
    waiting = [range(k, min(k + LIFE, total)) for k in range(0, total, min(LIFE, -(-total // workers)))]
    if workers > 1 and total < LIFE * workers:
        part = -(-total // workers)
        waiting = [range(k, min(k + part, total)) for k in range(0, total, part)]
    jobs: list[_Job] = []
    faults: list[Fault] = []
    answered = 0
    content = files() if campaign == "command lines" else {}
    with tempfile.TemporaryDirectory() as root:
        while waiting or jobs:
            while waiting and len(jobs) < workers:
                jobs.append(_Job(campaign, seed, waiting.pop(0), root, content, seconds))
            wait([job.pipe for job in jobs], timeout=0.2)
            for job in jobs:
                job.look()
            for job in [job for job in jobs if job.done]:
                faults += job.faults
                answered += job.answered
            jobs = [job for job in jobs if not job.done]
    return Tally(campaign, total, answered, faults, time.monotonic() - began)


def warm() -> None:
    """Import and compile what calls share, before children are forked: each then begins at once."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot

    campaigns.import_all()
    hostile.prepare()
    for targets in (campaigns.fit_targets, campaigns.method_targets, campaigns.function_targets):
        targets()


def grouped(faults: Iterable[Fault]) -> Iterator[tuple[str, str, int, Fault]]:
    """Faults by kind and place: (kind, place, how many, the one with the shortest call), the most frequent first."""
    places: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        places.setdefault((fault.kind, fault.where if fault.kind not in ("hang", "crash") else fault.text), []).append(fault)
    for (kind, where), several in sorted(places.items(), key=lambda item: -len(item[1])):
        yield kind, where, len(several), min(several, key=lambda f: len(f.text))
