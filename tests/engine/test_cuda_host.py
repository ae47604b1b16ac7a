"""The host's side of the CUDA driver, without a device or simulator: layouts, parts of stacks, launches."""

from __future__ import annotations

from types import SimpleNamespace

import numba
import numpy as np
import pytest
from chains import CHAINS, L, chain_network, draw, kernel_data, make_data

from neuralstat.engine import cuda
from neuralstat.engine.cuda import memory
from neuralstat.engine.cuda.batches import geometry, graph, program
from neuralstat.engine.cuda.batches.program import Products
from neuralstat.engine.cuda.plan import is_dense_chain, make_plan, tiles_of
from neuralstat.errors import DeviceError
from neuralstat.layers import codes
from neuralstat.optimizers import first_order
from neuralstat.optimizers.minibatch import AdamW

MB = 2**20
DENSE = [chain_network(chain) for chain in CHAINS["Dense"]]
DOPPLER = chain_network(
    ((L.Dense(10, "logistic"), L.Dense(5, "logistic"), L.Dense(15, "logistic"), L.Dense(1)), (1,))
)


@pytest.mark.parametrize("network", [*DENSE, DOPPLER])
def test_tiles_hold_every_weight_once(network):
    table, p = network.table, network.n_params
    tiles = tiles_of(table, network.width, p)
    places = tiles[:, 8:].reshape(-1, 4, 4)
    np.testing.assert_array_equal(np.sort(places[places < p]), np.arange(p))
    product = {}
    for tile, square in zip(tiles, places, strict=True):
        for r, c in np.argwhere(square < p):
            product[square[r, c]] = tile[r], tile[4 + c]
    for row in table:
        step = row[codes.N_IN] + 1
        for o in range(row[codes.N_OUT]):
            first = row[codes.PARAM] + o * step
            assert product[first] == (row[codes.TARGET] + o, network.width)
            for j in range(row[codes.N_IN]):
                assert product[first + 1 + j] == (row[codes.TARGET] + o, row[codes.SOURCE] + j)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 31, 200, 5000])
def test_parts_of_a_workspace_do_not_overlap(n, dtype):
    _, x, y = draw(DOPPLER, n)
    plan, shared = make_plan(DOPPLER.net(), kernel_data(x, y, dtype=dtype), DOPPLER.n_params, 128, 223 * 1024)
    assert shared
    assert plan.size * np.dtype(dtype).itemsize <= 223 * 1024 // 2  # two blocks to a multiprocessor
    first = int(DOPPLER.table[:, codes.TARGET].min())
    parts = [(plan.value, plan.rows * plan.stride), (plan.slope + first * plan.stride, (plan.rows - 1 - first) * plan.stride),
             (plan.delta, plan.stride), (plan.target, plan.stride), (plan.case, plan.stride),
             *((at, DOPPLER.n_params) for at in (plan.theta, plan.grad, plan.before, plan.rate)),
             (plan.part, plan.slices * (DOPPLER.n_params + 1))]  # fmt: skip
    taken = np.zeros(plan.size, int)
    for at, length in parts:
        taken[at : at + length] += 1
    assert np.all(taken == 1)
    assert plan.tile <= plan.stride
    assert plan.tile >= min(n, 32)



def test_what_does_not_fit_or_is_not_dense_lies_in_global_memory():
    _, x, y = draw(DOPPLER, 200)
    arguments = DOPPLER.net(), kernel_data(x, y), DOPPLER.n_params, 128
    assert make_plan(*arguments, 60_000)[1]
    assert make_plan(*arguments, 60_000)[0].tile < 200
    assert not make_plan(*arguments, 10_000)[1]
    assert not make_plan(*arguments, 60_000, lambda stride: 10**6)[1]
    conv = chain_network(CHAINS["Conv2D"][0])
    _, x, y = draw(conv, 5)
    assert not is_dense_chain(conv.table)
    assert not make_plan(conv.net(), kernel_data(x, y), conv.n_params, 128, 10**6)[1]


def test_a_softmax_inside_is_no_chain_of_the_fast_kernels():
    assert is_dense_chain(chain_network(((L.Dense(3, "softmax"),), (2,)), "multinomial").table)
    assert not is_dense_chain(chain_network(((L.Dense(3, "softmax"), L.Dense(1)), (2,))).table)


def test_arrays_are_sent_with_strides_of_c_order():
    array = np.arange(6.0).reshape(2, 3)
    assert cuda.packed(array) is array
    for odd in (array[np.newaxis], array.T, np.broadcast_to(array[:1], (4, 3))):
        found = cuda.packed(odd)
        np.testing.assert_array_equal(found, odd)
        assert found.strides == np.empty(odd.shape).strides


def test_stacks_are_cut_to_the_memory():
    assert memory.chunks(10, 1 * MB, 10 * MB, float("inf"), "x") == [(0, 10)]
    assert memory.chunks(10, 1 * MB, 10 * MB, (10 + 4.5) * MB / memory.SHARE, "x") == [(0, 4), (4, 8), (8, 10)]
    with pytest.raises(DeviceError, match=r"x: one network needs 11\.0 MB.* 12\.0 MB are free"):
        memory.chunks(10, 1 * MB, 10 * MB, 12 * MB, "x")


def test_bytes_of_a_stack():
    x, y, theta = np.zeros((7, 9)), np.zeros((6, 1, 9)), np.zeros((6, 5))
    data, stack = make_data(x, y), SimpleNamespace(theta=theta, free=np.ones((1, 5), bool), steps=np.zeros(6, int))
    assert memory.per_network(stack, data) == 5 * 8 + 8 + 9 * 8
    assert memory.shared_by_all(data, 6) == x.nbytes
    assert memory.shared_by_all(data, 3) == x.nbytes + y.nbytes


def test_a_part_of_a_stack_sees_its_own_data():
    rng = np.random.default_rng(1)
    x, y, weights = rng.standard_normal((2, 9)), rng.standard_normal((6, 1, 9)), rng.uniform(size=(3, 9))
    data = make_data(x, y, weights, rows=rng.integers(0, 9, (6, 4)))
    part = memory.part_of(data, 2, 5, 6)
    np.testing.assert_array_equal(part.y, y[2:5])
    np.testing.assert_array_equal(part.weight, weights[[2, 0, 1]])  # rows of weights go round
    np.testing.assert_array_equal(part.rows, data.rows[2:5])
    assert part.x is data.x
    assert memory.part_of(data, 0, 6, 6) is data


@pytest.fixture
def device(monkeypatch):
    """A device of which only the numbers are known."""
    if cuda.simulated() or numba.config.DISABLE_JIT:
        pytest.skip("needs numba-cuda's driver functions")
    numba_cuda = pytest.importorskip("numba.cuda")
    pretended = SimpleNamespace(
        id=0, MULTIPROCESSOR_COUNT=132, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=232448,
        MAX_SHARED_MEMORY_PER_MULTIPROCESSOR=233472, MAX_THREADS_PER_MULTIPROCESSOR=2048,
    )  # fmt: skip
    monkeypatch.setattr(numba_cuda, "get_current_device", lambda: pretended)
    return pretended


def test_blocks_and_shared_memory_of_a_device(device):
    assert memory.shared_limit(False) == 232448 - memory.STATIC
    assert cuda.resident_blocks(84 * 1024) == 2 * 132
    assert cuda.resident_blocks(200 * 1024) == 132
    assert cuda.resident_blocks(1024) == 132 * 2048 // cuda.LANES


def test_attributes_that_are_asked_for_exist():
    binding = pytest.importorskip("cuda.bindings.driver")
    for name in ("MULTIPROCESSOR_COUNT", "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR",
                 "MAX_THREADS_PER_MULTIPROCESSOR", "CLOCK_RATE"):  # fmt: skip
        assert hasattr(binding.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")


def test_more_shared_memory_than_usual_is_asked_for(device, monkeypatch):
    from cuda.bindings import driver

    asked, done = [], []

    def set_attribute(attribute, size, handle, number):
        asked.append((attribute, size, handle, number))
        return (driver.CUresult.CUDA_SUCCESS,)

    class Kernel:
        def __init__(self):
            library = SimpleNamespace(get_cufunc=lambda: SimpleNamespace(handle="handle"))
            self.overloads = {"types": SimpleNamespace(_codelibrary=library)}

        def typeof_pyval(self, value):
            return type(value)

        def compile(self, types):
            done.append(types)

        def __getitem__(self, launch):
            done.append(launch)
            return lambda *arguments: done.append(arguments)

    monkeypatch.setattr(driver, "cuKernelSetAttribute", set_attribute)
    there = SimpleNamespace(blocks=7, shared=100_000)
    cuda.launch(Kernel(), there, (1, 2.0))
    attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    assert asked == [(attribute, 100_000, "handle", 0)]
    assert done == [(int, float), (7, cuda.LANES, 0, 100_000), (1, 2.0)]
    there.shared = 1000
    cuda.launch(Kernel(), there, ())
    assert len(asked) == 1
    monkeypatch.setattr(driver, "cuKernelSetAttribute", lambda *a: (driver.CUresult.CUDA_ERROR_INVALID_VALUE,))
    with pytest.raises(DeviceError, match="100000 bytes of shared memory"):
        memory.allow_shared(Kernel(), 100_000)


# Minibatches

LAYERED = [chain_network(chain) for name in ("Conv2D", "LSTM", "GRU", "SimpleRNN", "Dense") for chain in CHAINS[name]]


@pytest.mark.parametrize("network", LAYERED)
def test_products_hold_every_weight_once(network):
    """Gradients of all products together: every weight and bias has its place, and those of one product differ."""
    products = Products(network.table, "float64")
    places = []
    for k, numbers in products.gradient.items():
        assert set(products.forward[k]) <= set(numbers)
        own = set()
        for g in products.table[numbers]:
            filters = np.arange(g[geometry.F])[:, np.newaxis] * g[geometry.WF]
            length = int(g[[geometry.KR, geometry.KC, geometry.C]].prod())
            found = (g[geometry.W0] + filters + np.arange(length)).ravel()
            if g[geometry.BIAS] >= 0:
                found = np.append(found, g[geometry.BIAS] + filters)
            assert np.unique(found).size == found.size
            own |= set(found.tolist())
        places += sorted(own)
    assert places == list(range(network.n_params))


def test_tiles_and_shares_of_a_device(monkeypatch):
    from neuralstat.engine.cuda.batches import products as tiles

    monkeypatch.setattr(program, "simulated", lambda: False)
    for tile in (*tiles.TILES.values(), *tiles.SHARES.values()):
        assert tile.lanes == 128
        assert tile.rows % tile.tall == tile.columns % tile.wide == 0
    assert program.tiles_for(64, 512, "float32") == tiles.TILES["large"]
    assert program.tiles_for(64, 512, "float64") == program.tiles_for(32, 512, "float32") == tiles.TILES["flat"]
    assert program.tiles_for(64, 32, "float32") == tiles.TILES["small"]
    convolutional = chain_network(((L.Conv2D(64, 3), L.Flatten(), L.Dense(10)), (13, 13, 32)))
    products = Products(convolutional.table, "float32")
    assert products.lengths().tolist() == [288, 11 * 11 * 64]
    assert products.splits(0, 512, 1) == 128  # 3 tiles: as many shares as there may be
    assert products.splits(0, 512, 1000) == 1  # enough members
    assert products.splits(1, 16, 1) == 1  # one pass over the observations
    assert products.room(512, 1) == max(128 * 64 * 289, products.splits(1, 512, 1) * 10 * 7745)


def test_a_step_is_recorded_once_and_then_replayed(monkeypatch):
    monkeypatch.setattr(graph, "simulated", lambda: False)
    monkeypatch.setattr(program, "simulated", lambda: False)
    done, good = [], (0,)
    modes = SimpleNamespace(CU_STREAM_CAPTURE_MODE_RELAXED=2)
    driver = SimpleNamespace(
        CUstreamCaptureMode=modes,
        cuStreamBeginCapture=lambda stream, mode: done.append("begin") or good,
        cuStreamEndCapture=lambda stream: done.append("end") or (0, "graph"),
        cuGraphInstantiate=lambda found, flags: (0, found + "!"),
        cuGraphDestroy=lambda found: done.append("destroy") or good,
        cuGraphExecDestroy=lambda found: done.append("destroy " + found),
        cuGraphLaunch=lambda found, stream: done.append(found) or good,
    )
    monkeypatch.setattr(graph, "_driver", lambda: driver)

    class Kernel:
        def __getitem__(self, configuration):
            return lambda *arguments: done.append(arguments)

    launch = program.Launch(Kernel(), (1, 1, 1), 32, 0, ("k",))
    step = graph.Repeated([launch, launch], SimpleNamespace(handle=7))
    for _ in range(3):
        step()
    assert done == [("k",), ("k",), "begin", ("k",), ("k",), "end", "destroy", "graph!", "graph!"]
    del step
    assert done.pop() == "destroy graph!"
    done.clear()
    driver.cuStreamEndCapture = lambda stream: (900, None)
    step = graph.Repeated([launch], SimpleNamespace(handle=7))
    step()
    with pytest.warns(RuntimeWarning, match="records no graph of launches"):
        step()
    step()
    assert done == [("k",), "begin", ("k",), ("k",), ("k",)]


def test_constants_of_steps():
    """Adam's rate with its bias corrections, and the decay of the plain one."""
    pytest.importorskip("numba.cuda")
    from neuralstat.engine.cuda.batches.update import constants_of

    settings = AdamW(0.1, weight_decay=0.5).settings()
    found = constants_of(first_order.ADAM, settings, np.array([0.1, 0.2]), 3)
    t = np.array([4, 5])
    np.testing.assert_allclose(found[:, 1], [0.1, 0.2] * np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
    np.testing.assert_allclose(found[:, 2], [0.05, 0.1])
