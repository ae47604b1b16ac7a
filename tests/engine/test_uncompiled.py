"""The kernels as plain Python: what is compiled, what is not, and the naive formulas agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import chains
import numba
import numpy as np
import pytest
from places import TESTS
from processes import environment, passed, run_pytest

from neuralstat.functions.activations import ACTIVATIONS, ActivationKind
from neuralstat.functions.losses import LOSSES
from neuralstat.layers import BatchNorm, Dense
from neuralstat.optimizers import SGD
from neuralstat.seeds import children, shuffle_keys
from neuralstat.training.epochs import Training, make_rows, train_epochs
from neuralstat.training.train import Algorithm, train

FILES = ("engine/test_kernels.py", "functions/test_functions.py", "jit/test_scalar.py", "network/test_derivatives.py")

# Tests that take long in plain Python
LARGE = "700 or 255 or 256 or any_ or mixed-257 or float32 or taken_apart or (hessian and mixed)"


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="this is the uncompiled run")
def test_kernel_tests_pass_uncompiled():
    passed(run_pytest("-k", f"not ({LARGE})", *(str(TESTS / name) for name in FILES), NUMBA_DISABLE_JIT="1"), 120)


def numbers() -> dict[str, np.ndarray]:
    """Values of everything on small shapes, by name."""
    out = {}

    def add(name: str, network) -> None:
        theta, x, y = chains.draw(network, 5, b=2)
        data = chains.kernel_data(x, y)
        loss, grad = chains.kernel_gradient(network, data, theta[0])
        out[name] = np.append(grad, loss)
        free = np.ones(network.n_params, bool)
        kinds = [type(layer) for layer in network.layers]
        if set(kinds) == {Dense}:
            fit = train(network, data, theta, free, Algorithm(), stepmax=4, n_jobs=1)
        elif kinds[1] is BatchNorm:
            keys = shuffle_keys(children(np.random.SeedSequence(1), 2))
            fit = train_epochs(network, make_rows(data.x, data.y), theta, free, Training(SGD(), 4, 3), keys, n_jobs=1)
        else:
            return  # algorithms see a function and its gradient, whatever the layers
        out[f"{name}, trained"] = np.append(fit.theta.ravel(), [*fit.steps, *fit.status])

    for name in ACTIVATIONS:
        kind: ActivationKind = ACTIVATIONS[name]
        layer = chains.L.Dense(2, chains.with_parameter(name, kind.parameter))
        add(name, chains.chain_network(((layer, chains.L.Dense(1)), (1,))))
    for name in LOSSES:
        add(name, chains.chain_network(chains.CHAINS["Dense"][2], name))
    for name, some in chains.CHAINS.items():
        for k, chain in enumerate(some):
            add(f"{name} {k}", chains.chain_network(chain))
    add("mixed", chains.chain_network(chains.MIXED))
    return out


def test_compiled_and_uncompiled_agree(tmp_path):
    file = tmp_path / "numbers.npz"
    code = f"import test_uncompiled as t; t.np.savez({str(file)!r}, **t.numbers())"
    other = environment(Path(__file__).parent, NUMBA_DISABLE_JIT="0" if numba.config.DISABLE_JIT else "1")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=other)
    assert done.returncode == 0, done.stderr
    there, here = np.load(file), numbers()
    assert set(there) == set(here)
    for name, value in here.items():
        chains.close(there[name], value, 1e-13 if "trained" not in name else 1e-12)
