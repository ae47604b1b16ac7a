"""Late kernels: compiled by themselves at their first call, whoever calls them, for each kind of number once."""

from __future__ import annotations

import gc
import sys
import threading
import time
import warnings

import numba
import numpy as np
import pandas as pd
import pytest
from numba.core.runtime import _nrt_python, rtsys
from processes import run_python

import neuralstat as ns
from neuralstat.jit.compile import PLAIN
from neuralstat.jit.known import KNOWN
from neuralstat.jit.late import is_kernel, late

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


@late(returns="x")
def total(x, factor, upward):
    """A sum, in double precision."""
    found = x[0] * 0
    for i in range(x.size):
        found += x[i]
    return found * factor if upward else -found * factor


@late
def fill(x, number):
    """Without a result."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = number


@late
def never(x):
    """Is not called."""
    x[0] = 1


@late(returns="x")
def twice(x, factor):
    """A late kernel that calls another."""
    return 2 * total(x, factor, True)


@late
def broken(x):
    """Cannot be compiled."""
    x.no_such_method()


@late
def watched(x):
    """Of the test of interrupts."""
    x[0] += 1


@late
def shared(x):
    """Of the test of threads."""
    x[0] += 1


@late
def borrows(x, y):
    """Looks at rows of arrays, and passes them on."""
    for i in range(x.shape[0]):
        row = x[i]
        other = row if i % 2 == 0 else y[i]
        watched(other)


@late
def allocates(x, y):
    """The same, with an array of its own."""
    for i in range(x.shape[0]):
        row = x[i].copy()
        other = row if i % 2 == 0 else y[i]
        watched(other)
        x[i, 1] = row[0]


@numba.njit(nogil=True)
def borrowed(x, y):
    borrows(x, y)


@numba.njit(nogil=True)
def allocated(x, y):
    allocates(x, y)


@numba.njit(nogil=True)
def one(x, go):
    if go < 0:
        never(x)
    return total(x, 2.0, go > 0)


@numba.njit(nogil=True)
def another(x, factor):
    return total(x, factor, True) + twice(x, factor)


@pytest.mark.parametrize(("dtype", "kind"), [(np.float64, float), (np.float32, float), (np.complex128, complex)])
def test_a_kernel_gives_what_its_function_gives(dtype, kind):
    x = np.arange(1, 5).astype(dtype) / 3
    for go in (1, 0):
        found = one(x, go)
        assert isinstance(found, kind)
        assert found == pytest.approx(total.py_func(x.astype(np.result_type(dtype, np.float64)), 2.0, go > 0), rel=1e-6)
    assert another(x, 0.5) == pytest.approx(1.5 * x.sum(), rel=1e-6)


def test_it_is_compiled_once_for_all_callers_and_only_when_it_is_called():
    for _ in range(2):
        one(np.ones(3), 1)
        another(np.ones(3), 1.0)
    kinds = [signature for signature in total.kernel.signatures if signature[0].dtype == numba.float64]
    assert len(kinds) == 1
    assert never.kernel.signatures == []


def test_what_callers_differ_in_is_no_kind_of_its_own():
    @numba.njit
    def call(x, number):
        fill(x, number)

    values = np.zeros((2, 3))
    call(values, 1.5)
    call(values[:1], 2.5)
    with pytest.raises(numba.TypingError, match="fill: x: a late kernel takes contiguous arrays"):
        call(values[:, :2], 1.0)
    assert values.tolist() == [[2.5] * 3, [1.5] * 3]
    read_only = np.ones(3)
    read_only.flags.writeable = False
    before = len(total.kernel.signatures)
    one(np.ones(3), 1)
    assert one(read_only, 1) == 6
    assert len(total.kernel.signatures) == max(before, 1)


def test_a_kernel_that_cannot_be_compiled_says_why(capsys):
    @numba.njit
    def call(x):
        broken(x)

    with pytest.raises(StopIteration):
        call(np.ones(2))
    assert "no_such_method" in capsys.readouterr().err


def test_an_interrupt_comes_when_the_kernel_is_compiled(monkeypatch):
    @numba.njit
    def call(x):
        watched(x)

    compiled = watched.kernel.compile
    calls = []

    def interrupted(kinds):
        calls.append(kinds)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return compiled(kinds)

    monkeypatch.setattr(watched.kernel, "compile", interrupted)
    x = np.zeros(1)
    with pytest.raises(KeyboardInterrupt):
        call(x)
        time.sleep(5)
    assert len(calls) == 2 and x[0] == 1


def test_threads_that_call_it_first_at_one_time():
    @numba.njit(nogil=True)
    def call(x):
        shared(x)

    call.compile((numba.float64[::1],))
    values, ready = np.zeros((8, 1)), threading.Barrier(8)

    def run(k):
        ready.wait()
        call(values[k])

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values.ravel().tolist() == [1] * 8
    assert len(shared.kernel.signatures) == 1


def test_what_is_a_kernel():
    assert is_kernel(total) and is_kernel(one)
    assert not is_kernel(np.sum) and not is_kernel(total.py_func)


FIT = """
import sys, warnings
import neuralstat as ns
warnings.simplefilter("ignore")
data = ns.datasets.doppler(n=40, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=3, stepmax=20, random_state=1)
from neuralstat.jit.simd import weighted_rows
from neuralstat.engine.descent import _descend
print(*(sum(getattr(k.stats, what).values()) for k in (weighted_rows.kernel, _descend)
        for what in ("cache_hits", "cache_misses")), repr(float(fit.params.iloc[1])))
"""


def test_kernels_from_the_disk_find_late_ones_there(tmp_path):
    first, second = (run_python(FIT, NEURALSTAT_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    cold, warm = first.stdout.split(), second.stdout.split()
    assert cold[:4] == ["0", "1", "0", "1"]
    assert warm[:4] == ["1", "0", "1", "0"]
    assert cold[4] == warm[4]


def test_names_tell_modules_and_kinds_apart():
    for dtype in (np.float64, np.float32, np.complex128):
        one(np.ones(3, dtype), 1)
    names = [name for name in KNOWN if ".total." in name]
    assert len(names) >= 3 and len(names) == len({str(KNOWN[name]) for name in names})


@pytest.mark.skipif(PLAIN, reason="numba's own stages count")
def test_a_kernel_without_arrays_of_its_own_counts_no_references():
    x, y = np.zeros((4, 2)), np.zeros((4, 2))
    borrowed(x, y)
    assert x[:, 0].tolist() == [1, 0, 1, 0]
    assert y[:, 0].tolist() == [0, 1, 0, 1]
    (made,) = borrows.kernel.overloads.values()
    assert "NRT_" not in made.library.get_asm_str()


@pytest.fixture
def counted():
    """numba counts what it allocates."""
    _nrt_python.memsys_enable_stats()
    yield
    _nrt_python.memsys_disable_stats()


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("kernel", [borrowed, allocated])
def test_references_are_given_back(kernel):
    x, y = np.zeros((40, 2)), np.zeros((40, 2))
    kernel(x, y)
    counts, before = (sys.getrefcount(x), sys.getrefcount(y)), rtsys.get_allocation_stats()
    for _ in range(10):
        kernel(x, y)
    after = rtsys.get_allocation_stats()
    assert (sys.getrefcount(x), sys.getrefcount(y)) == counts
    assert after.alloc - before.alloc == after.free - before.free
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free


@pytest.mark.usefixtures("counted")
def test_fits_free_what_their_kernels_allocate():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "z": rng.normal(size=60), "y": rng.normal(size=60)})
    calls = [
        lambda: ns.neuralnet("y ~ x + z", data, hidden=3, stepmax=50, threshold=1e-9),
        lambda: ns.neuralnet("y ~ x + z", data, hidden=(20, 70), algorithm="adam", epochs=2, batch_size=16),
        lambda: ns.neuralnet("y ~ x + z", data, hidden=3, algorithm="lm", stepmax=20),
    ]
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
            before = rtsys.get_allocation_stats()
            call()
        gc.collect()
        after = rtsys.get_allocation_stats()
        kept = after.mi_alloc - after.mi_free - before.mi_alloc + before.mi_free
        assert kept <= 0
