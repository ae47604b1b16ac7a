"""With plain numba the package fits the same numbers, without the modules that build on numba's private classes."""

from __future__ import annotations

import json

import numba
import pytest
from processes import run_python

FITS = """
import json, sys, warnings
import neuralstat as ns
warnings.simplefilter("ignore", ns.errors.NeuralStatWarning)  # few steps
data, found = ns.datasets.doppler(n=60, noise=0.1, random_state=1), {}
for name, settings in (
    ("rprop", dict(hidden=(3, 2), threshold=0.5, stepmax=40)),
    ("adam", dict(hidden=3, act_fct="tanh", algorithm="adam", batch_size=20, epochs=3)),
):
    fit = ns.neuralnet("y ~ x", data, random_state=1, n_jobs=1, **settings)
    found[name] = [fit.params.to_list(), fit.predict(data).to_numpy().ravel().tolist()]
private = [name for name in sys.modules if name in ("neuralstat.jit.inner", "neuralstat.jit.disk")]
print(json.dumps([found, private]))
"""

LACKING = """
import sys, warnings
sys.modules["neuralstat.jit.inner"] = None  # as with a numba without the classes that it names
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    from neuralstat.jit.compile import PLAIN
assert PLAIN and "compiled plainly" in str(heard[0].message), heard
"""


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_plain_numba_fits_the_same_numbers():
    found = {}
    for plain in ("0", "1"):
        done = run_python(FITS, NEURALSTAT_PLAIN_NUMBA=plain)
        assert done.returncode == 0, done.stderr
        found[plain], private = json.loads(done.stdout)
        assert bool(private) == (plain == "0")
    for name, usual in found["0"].items():
        for expected, values in zip(usual, found["1"][name], strict=True):
            assert len(expected) > 9
            assert values == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_a_numba_without_the_private_classes_stops_nobody():
    done = run_python(LACKING, NEURALSTAT_PLAIN_NUMBA="0")
    assert done.returncode == 0, done.stderr


def test_kernels_of_plain_numba_do_not_travel(tmp_path):
    code = f"from neuralstat.cli import main; exit(main(['warmup', '--export', {str(tmp_path / 'k.zip')!r}]))"
    done = run_python(code, NEURALSTAT_PLAIN_NUMBA="1")
    assert done.returncode == 1 and "plain numba" in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


def test_vector_code_is_for_the_processor_that_numba_compiles_for():
    code = "from neuralstat.jit.vector_code import WIDE; assert WIDE is {wide}"
    for features, wide in (("+avx2,+fma,-avx512f", False), ("+avx2,+fma,+avx512f", True)):
        done = run_python(code.format(wide=wide), NUMBA_CPU_NAME="x86-64-v3", NUMBA_CPU_FEATURES=features)
        assert done.returncode == 0, done.stderr
