"""The same bits: whatever the number of threads, of the package and of linear algebra, before and after a file, on every
backend, with kernels from the cache and without."""

from __future__ import annotations

import itertools
import json

import pytest
from processes import run_python

HERE = ["algorithms", "families", "statistics", "refits", "files"]


def digests(sections: list[str], n_jobs: int | None, blas: int, around: str = "", **changes: str) -> dict[str, str]:
    """What `digests.report` prints in a process whose linear algebra has so many threads."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), str(blas))
    code = f"import digests\n{around or 'if True:'}\n    digests.report({sections!r}, {n_jobs})"
    done = run_python(code, **threads, **changes)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def judge(found: dict[str, str], expected: dict[str, str]) -> None:
    """The same names, the same digests."""
    assert found.keys() == expected.keys() and len(found) > 0
    assert [name for name, value in found.items() if value != expected[name]] == []


def test_threads_and_files():
    """Threads of the package, and of linear algebra; stacked folds and others; a fit and what was loaded."""
    expected = digests(HERE, 1, 1)
    judge(digests(HERE, 2, 2), expected)
    judge(digests(HERE, 4, 2), expected)
    assert expected["refits: risk cv"] == expected["refits: risk cv, fold by fold"]
    before = {name.partition("before: ")[2]: value for name, value in expected.items() if "before: " in name}
    after = {name.partition("after: ")[2]: value for name, value in expected.items() if "after: " in name}
    judge(after, before)


def test_layers():
    judge(digests(["layers"], 2, 2), digests(["layers"], 1, 1))


@pytest.mark.slow
def test_every_number_of_threads():
    """1, 2 and 4 of both."""
    sections = [*HERE, "layers"]
    expected = digests(sections, 1, 1)
    for n_jobs, blas in itertools.product((1, 2, 4, None), (1, 2, 4)):
        judge(digests(sections, n_jobs, blas), expected)


PARALLEL = {
    "processes": (2, ""), "threads": (None, "import joblib\nwith joblib.parallel_config('threading', n_jobs=2):"),
    "one after the other": (None, "import joblib\nwith joblib.parallel_config('sequential'):"),
    "dask": (None, "import joblib\nfrom distributed import Client\n"
                   "with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None), "
                   "joblib.parallel_config('dask'):"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", PARALLEL)
def test_backends(how):
    """A study, and the degrees of freedom of a procedure."""
    if how == "dask":
        pytest.importorskip("distributed")
    n_jobs, around = PARALLEL[how]
    judge(digests(["study"], n_jobs, 2, around, PYTHONWARNINGS="ignore"), digests(["study"], 1, 1))


@pytest.mark.slow
def test_kernels_from_the_cache_and_compiled_now(tmp_path):
    sections = ["algorithms", "families", "refits"]
    expected = digests(sections, 2, 2)
    folder = str(tmp_path / "cache")
    judge(digests(sections, 2, 2, NEURALSTAT_CACHE_DIR=folder), expected)
    judge(digests(sections, 2, 2, NEURALSTAT_CACHE_DIR=folder), expected)
