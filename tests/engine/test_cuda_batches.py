"""Minibatch training on a device against the CPU's: on a device, or in numba's simulator.

``pytest -m cuda tests/engine/test_cuda_batches.py`` on a machine with a device; with NUMBA_ENABLE_CUDASIM=1 anywhere
(`test_representation` does that).
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import raw
from chains import CHAINS, MIXED, L, chain_network, draw, rows_of
from places import ROOT

import neuralstat as ns
from neuralstat import schedules
from neuralstat.augment import ImageAugmenter
from neuralstat.engine import batches, cpu
from neuralstat.engine.cuda import memory
from neuralstat.engine.cuda.batches import run
from neuralstat.engine.cuda.batches.part import Part
from neuralstat.engine.cuda.batches.program import Program
from neuralstat.errors import DeviceError
from neuralstat.layers import codes
from neuralstat.optimizers.minibatch import MINIBATCH, SGD, Adam, RMSprop
from neuralstat.training.epochs import Training, make_rows, train_epochs
from neuralstat.training.stopping import EarlyStopping

pytestmark = pytest.mark.cuda

DENSE = ((L.Dense(2, "logistic"), L.Dense(1)), (2,))
NORMALISED = ((L.Dense(3), L.BatchNorm(momentum=0.5), L.Dense(1)), (2,))
SMALL = 64  # weights: the simulator is slow
KEYS = np.array([[1, 2], [3, 4], [5, 6]], np.uint64)


def both(chain, training, n=5, b=1, loss="sse", free=None, dtype=np.float64, check=False, **how):
    """Fits on the CPU and on the device, from the same start."""
    network = chain_network(chain, loss)
    theta, x, y = draw(network, n, b=b, scale=0.5)
    weights = np.random.default_rng(3).uniform(0.5, 2, n)
    rows = make_rows(rows_of(x).T if rows_of(x).shape[0] == n else rows_of(x), y.T, weights, dtype=dtype)
    if check:
        how["validation"] = make_rows(rows.inputs[:3].T, y[:3].T, dtype=dtype)
    free = np.ones(network.n_params, bool) if free is None else free
    arguments = network, rows, theta.astype(dtype), free, training, KEYS[:b]
    return train_epochs(*arguments, **how), train_epochs(*arguments, **how, device="cuda")


def same(here, there, tolerance=1e-9):
    """Weights, loss, gradient, steps, status and history agree."""
    assert here.device == "cpu"
    assert there.device.startswith("cuda:0 (")
    np.testing.assert_array_equal(here.steps, there.steps)
    np.testing.assert_array_equal(here.status, there.status)
    np.testing.assert_allclose(there.theta, here.theta, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(there.loss, here.loss, rtol=tolerance)
    np.testing.assert_allclose(there.reached, here.reached, rtol=1e3 * tolerance, atol=tolerance)
    np.testing.assert_allclose(there.history.values, here.history.values, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(there.history.best_epoch, here.history.best_epoch)
    assert np.all(np.any(here.theta != here.start, axis=1))  # something was trained


@pytest.mark.parametrize("name", CHAINS)
def test_every_layer(name):
    chains = [chain for chain in CHAINS[name] if chain_network(chain).n_params <= SMALL]
    assert chains
    for chain in chains:
        same(*both(chain, Training(SGD(0.05), 1, batch_size=3), n=4))


def test_layers_after_each_other():
    recurrent = ((L.SimpleRNN(2), L.Dense(1)), (3, 1))
    for chain in (MIXED, recurrent):
        same(*both(chain, Training(Adam(0.05), 1, batch_size=3), n=4))


MASKED = (L.Embedding(3, 2, mask_zero=True), (3,))
OTHER = {"activation": "softplus", "recurrent_activation": "hard_sigmoid"}


def reset_first(units, **more):
    return L.GRU(units, reset_after=False, **more)


@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU, reset_first])
def test_variants_of_recurrent_layers(kind):
    """Masked, reversed, without biases, with other activations."""
    other = OTHER if kind is not L.SimpleRNN else {"activation": "softplus"}
    for chain in [
        ((MASKED[0], kind(1, return_sequences=True), kind(1, go_backwards=True), L.Dense(1)), MASKED[1]),
        ((kind(1, use_bias=False, go_backwards=True, **other), L.Dense(1)), (3, 1)),
        ((L.Masking(), kind(1, **other), L.Dense(1)), (3, 1)),
    ]:
        same(*both(chain, Training(SGD(0.05), 1, batch_size=3), n=4))


def test_dropout_inside_of_recurrent_layers_is_refused():
    for given in ({"dropout": 0.5}, {"recurrent_dropout": 0.5}):
        with pytest.raises(DeviceError, match="dropout and recurrent_dropout of GRU run on the CPU only"):
            both(((L.GRU(1, **given), L.Dense(1)), (2, 1)), Training(SGD(0.05), 1, batch_size=3), n=4)


@pytest.mark.parametrize("name", MINIBATCH)
def test_every_optimizer(name):
    same(*both(DENSE, Training(MINIBATCH[name], 2, batch_size=3), b=2 if name == "adam" else 1))


@pytest.mark.parametrize(
    "optimizer",
    [SGD(clipvalue=0.01), Adam(clipnorm=0.01), SGD(global_clipnorm=0.02), RMSprop(centered=True, momentum=0.5),
     Adam(schedules.Exponential(0.1, steps=2), amsgrad=True)],
    ids=["clipvalue", "clipnorm", "global_clipnorm", "centred", "schedule"],
)  # fmt: skip
def test_clipping_and_schedules(optimizer):
    same(*both(DENSE, Training(optimizer, 2, batch_size=3)))


def test_stack_with_penalty_validation_and_early_stopping():
    network = chain_network(DENSE)
    penalty = (ns.decay(0.1) + ns.l1(0.02)).coefficients(network.is_bias)
    free = np.arange(network.n_params) != 1
    rate = schedules.Performance(0.3, patience=1, factor=0.5)
    training = Training(Adam(rate), 5, batch_size=3, early_stopping=EarlyStopping(patience=2), threshold=1e-9)
    here, there = both(DENSE, training, b=3, penalty=penalty, free=free, check=True)
    same(here, there)
    np.testing.assert_array_equal(there.theta[:, 1], there.start[:, 1])


@pytest.mark.parametrize("optimizer", [SGD(), MINIBATCH["lion"], MINIBATCH["adamax"], SGD(clipvalue=0.1)], ids=repr)
def test_networks_stop_one_by_one(optimizer):
    """One is not finite, one goes on; steps end in the middle of an epoch."""
    network = chain_network(DENSE)
    theta, x, y = draw(network, 5, b=2)
    theta[0, 0] = np.nan
    rows, free = make_rows(x.T, y.T), np.ones(network.n_params, bool)
    fits = [train_epochs(network, rows, theta, free, Training(optimizer, 3, batch_size=2, stepmax=4), KEYS[:2], device=device)
            for device in ("cpu", "cuda")]  # fmt: skip
    np.testing.assert_array_equal(fits[1].status, [cpu.NONFINITE, cpu.STEPMAX])
    for name in ("status", "steps", "theta", "loss"):
        np.testing.assert_allclose(getattr(fits[1], name), getattr(fits[0], name), rtol=1e-9)


@pytest.mark.parametrize("loss", ["ce_logit", "multinomial", "ce_r"])
def test_losses(loss):
    chain = ((L.Dense(3, "tanh"), L.Dense(2)), (2,))
    same(*both(chain, Training(Adam(), 1, batch_size=None), loss=loss))


def test_batch_normalisation_and_dropout_held_out():
    """A layer whose gamma and beta are held out keeps its moving averages."""
    network = chain_network(NORMALISED)
    free = np.ones(network.n_params, bool)
    free[network.slices[1]] = False
    same(*both(NORMALISED, Training(Adam(), 2, batch_size=3), free=free))
    same(*both(NORMALISED, Training(Adam(), 2, batch_size=3)))
    dropped = ((L.Dense(6, "tanh"), L.Dropout(0.4), L.Dense(1)), (2,))
    same(*both(dropped, Training(SGD(0.5), 2, batch_size=3), b=2))


@pytest.mark.parametrize(
    "layer", [L.GaussianNoise(0.5), L.GaussianDropout(0.4), L.AlphaDropout(0.4)], ids=lambda layer: type(layer).__name__
)
def test_noise_is_the_same(layer):
    chain = ((L.Dense(6, "tanh"), layer, L.Dense(1)), (2,))
    same(*both(chain, Training(SGD(0.5), 2, batch_size=3), b=2))
    chain = ((L.Conv1D(5, 2), L.SpatialDropout1D(0.4), L.Flatten(), L.Dense(1)), (3, 1))
    same(*both(chain, Training(SGD(0.5), 2, batch_size=3)))


def test_scores_that_attention_drops_are_the_same():
    chain = ((L.Conv1D(2, 1, "tanh"), L.MultiHeadAttention(2, 1, dropout=0.4), L.Flatten(), L.Dense(1)), (3, 1))
    same(*both(chain, Training(SGD(0.5), 2, batch_size=3), b=2))


@pytest.mark.parametrize("constraint", [L.MaxNorm(0.4), L.UnitNorm(), L.MinMaxNorm(0.3, 0.5, 0.8), L.NonNeg()], ids=repr)
def test_constraints(constraint):
    chain = ((L.Dense(3, "tanh", kernel_constraint=constraint), L.Dense(1, use_bias=False)), (2,))
    here, there = both(chain, Training(SGD(0.5), 2, batch_size=3), b=2)
    same(here, there)
    kernel = here.theta[0, :9].reshape(3, 3)[:, 1:]
    norms = np.sqrt((kernel**2).sum(axis=1))
    assert np.all(kernel >= 0) if isinstance(constraint, L.NonNeg) else np.all(norms < 1.1)
    np.testing.assert_array_equal(there.theta[:, -4], there.start[:, -4])  # no bias to train


@pytest.mark.parametrize("trained", [[-1], [0, -1], [1]])
def test_frozen_layers(trained):
    """Gradients go no further down than they are wanted."""
    for chain in (MIXED, NORMALISED, ((L.LSTM(2, return_sequences=True), L.SimpleRNN(2), L.Dense(1)), (3, 1))):
        network = chain_network(chain)
        free = np.zeros(network.n_params, bool)
        weighted = [part for part in network.slices if part.stop > part.start]
        for k in trained:
            free[weighted[k]] = True
        same(*both(chain, Training(Adam(0.05), 2, batch_size=3), n=5, free=free))


def test_no_gradients_of_frozen_layers_with_kernels_of_their_own(monkeypatch):
    """But attention, which has no weights, needs that kernel on the way back."""
    special, seen = Program.special, []

    def noted(self, k, row, purpose="", training=0):
        seen.append((int(row[codes.OP]), purpose))
        return special(self, k, row, purpose, training)

    monkeypatch.setattr(Program, "special", noted)
    chain = ((L.Conv1D(2, 1), L.DepthwiseConv1D(1), L.LayerNormalization(), L.PReLU(), L.MultiHeadAttention(1, 1),
              L.Flatten(), L.Dense(1)), (2, 1))  # fmt: skip
    network = chain_network(chain)
    free = np.zeros(network.n_params, bool)
    free[network.slices[0]] = True
    same(*both(chain, Training(SGD(0.05), 1, batch_size=3), n=4, free=free))
    assert {op for op, purpose in seen if purpose == "_gradient"} == {codes.ATTENTION}
    back = {op for op, purpose in seen if purpose == "_back"}
    assert back == {codes.DEPTHWISE, codes.LAYER_NORM, codes.PRELU, codes.ATTENTION}


def test_single_precision():
    same(*both(DENSE, Training(Adam(), 2, batch_size=3), dtype=np.float32), tolerance=1e-5)


def test_recurrent_weights_that_do_not_fit_into_shared_memory(monkeypatch):
    """States of two observations, then of one, take up to 250 and 120 bytes; where not even these fit, that is said."""
    training = Training(SGD(0.1), 1, batch_size=3)
    for limit in (250, 120):
        monkeypatch.setattr(memory, "shared_limit", lambda simulate, limit=limit: limit)
        for layer in (L.LSTM(2), L.GRU(2)):
            same(*both(((layer, L.Dense(1)), (2, 1)), training, n=3))
    monkeypatch.setattr(memory, "shared_limit", lambda simulate: 100)
    with pytest.raises(DeviceError, match="the states of LSTM with 2 units do not fit into the 100 bytes"):
        both(((L.LSTM(2), L.Dense(1)), (2, 1)), training, n=3)


def test_the_benchmarks_networks(monkeypatch):
    """`benchmarks/gpu_layers.py` on the simulated device: its check of small networks, and its program of steps."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_layers

    sizes = SimpleNamespace(sequences=(3, 2, 2), images=2, minibatches=2)
    part = gpu_layers.steps("lstm", sizes)()
    part.pull("theta", "steps")
    assert part.state.steps[0] == 2
    assert np.all(np.isfinite(part.state.theta))


def test_batches_in_several_passes_and_stacks_in_several_parts(monkeypatch):
    monkeypatch.setattr(run, "MOST_OBSERVATIONS", 2)
    monkeypatch.setattr(run, "MOST_MEMBERS", 2)
    monkeypatch.setattr(run, "EVALUATED", 2)
    same(*both(DENSE, Training(Adam(), 2, batch_size=3), b=3))


def test_memory_is_foreseen(monkeypatch):
    network = chain_network(NORMALISED)
    theta, x, y = draw(network, 40)
    arguments = network, make_rows(x.T, y.T), theta, np.ones(network.n_params, bool)
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000.0)
    with pytest.raises(DeviceError, match=r"one network needs .* Use a smaller batch_size"):
        train_epochs(*arguments, Training(Adam(), 1, batch_size=None), KEYS[:1], device="cuda")


def test_interrupted_training_keeps_what_there_is(monkeypatch):
    take, taken = Part.take, []

    def interrupted(self, *arguments):
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(take(self, *arguments))

    monkeypatch.setattr(Part, "take", interrupted)
    here, _ = both(DENSE, Training(SGD(), 1, batch_size=3, stepmax=2), n=6, b=2)
    taken.clear()
    _, there = both(DENSE, Training(SGD(), 3, batch_size=3), n=6, b=2, chunk=1)
    assert there.status.tolist() == [cpu.INTERRUPTED] * 2
    np.testing.assert_array_equal(there.steps, [2, 2])
    np.testing.assert_allclose(there.theta, here.theta, atol=1e-9)
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-9)


def test_callbacks_checkpoints_and_augmentation(tmp_path):
    seen = []

    def stop(epoch, logs):
        seen.append((epoch, logs["loss"]))
        return epoch == 2

    training = Training(Adam(), 3, batch_size=3, callbacks=(stop,))
    here, there = both(DENSE, training)
    same(here, there)
    assert there.status.tolist() == [batches.STOPPED_BY_CALLBACK]
    np.testing.assert_allclose(seen[:2], seen[2:], rtol=1e-9)
    whole, _ = both(DENSE, Training(Adam(), 3, batch_size=3))
    path = tmp_path / "fit.npz"
    both(DENSE, Training(Adam(), 1, batch_size=3, checkpoint=path))
    _, again = both(DENSE, Training(Adam(), 3, batch_size=3, checkpoint=path))  # the CPU goes on, the device reads it
    np.testing.assert_allclose(again.theta, whole.theta, atol=1e-9)
    images = ((L.Flatten(), L.Dense(1)), (2, 3, 1))
    same(*both(images, Training(SGD(), 2, batch_size=3, augment=ImageAugmenter(flip=True)), b=2))


def test_parts_without_kernels_are_refused():
    data = {"x": np.linspace(-1, 1, 8), "y": np.arange(8.0)}
    how = {"algorithm": "adam", "epochs": 1, "device": "cuda"}
    with pytest.raises(DeviceError, match="custom activation and error functions run on the CPU only"):
        raw.neuralnet("y ~ x", data, act_fct=lambda z: z / (1 + z * z), **how)


@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value):RuntimeWarning")  # of the simulator
def test_a_device_measures_what_it_trained(monkeypatch):
    """Also where that is no number: nothing is left to the CPU."""
    monkeypatch.setattr("neuralstat.training.ending.Ending.measure", lambda *args: pytest.fail("a pass on the CPU"))
    network = chain_network(DENSE, "sse")
    theta, x, y = draw(network, 5, b=1, scale=0.5)
    rows = make_rows(rows_of(x).T, y.T)
    for rate in (0.1, 1e200):
        training = Training(SGD(learning_rate=rate), epochs=2, batch_size=2)
        fit = train_epochs(network, rows, theta, np.ones(network.n_params, bool), training, KEYS[:1], device="cuda")
        assert np.isfinite(fit.loss[0]) == np.isfinite(fit.reached[0]) == (rate < 1)


def test_through_the_public_interface():
    rng = np.random.default_rng(1)
    data = {"images": rng.standard_normal((5, 3, 3, 1)), "z": rng.standard_normal(5), "y": rng.standard_normal(5)}
    layers = [L.Conv2D(2, 2, "relu"), L.Flatten(), L.Dropout(0.2), L.Dense(2)]
    how = {"layers": layers, "algorithm": "adam", "epochs": 1, "batch_size": 3, "random_state": 1}
    here, there = (raw.neuralnet("y ~ images + z", data, **how, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.fit.theta, here.fit.theta, atol=1e-9)
    np.testing.assert_allclose(there.predict(data), here.predict(data), atol=1e-9)
    assert there.device.startswith("cuda:0 (")
    risks = [ns.risk(fit, "cv", k=2, random_state=1) for fit in (here, there)]
    assert risks[1] == pytest.approx(risks[0], rel=1e-6)
