"""Fits by epochs whose observations are read window by window are fits of the same numbers, bit for bit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import neuralstat as ns
from neuralstat.augment import ImageAugmenter
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import sequences, sources
from neuralstat.formula.gathered import ByRow, Gathered
from neuralstat.layers import Dense, Flatten
from neuralstat.training import read_ahead

pytestmark = pytest.mark.filterwarnings(
    "ignore::neuralstat.errors.FitWarning", "ignore::neuralstat.errors.ConvergenceWarning"
)  # of fits of few epochs
N = 75
RNG = np.random.default_rng(5)
X = RNG.integers(0, 256, (N, 4, 4, 1), dtype=np.uint8)
RESPONSES = {
    None: X.mean((1, 2, 3)) / 50 + RNG.normal(0, 0.1, N),
    "binomial": (X[:, 0].mean((1, 2)) > 127).astype(int),
    "multinomial": np.array(["a", "b", "c"])[RNG.integers(0, 3, N)],
    "poisson": RNG.poisson(2, N),
}


@pytest.fixture
def by_rows(monkeypatch):
    """All arrays per row count as large; windows are of two batches, or of one block."""

    def begin():
        monkeypatch.setattr(sources, "LARGE", 1)
        monkeypatch.setattr(read_ahead, "NUMBERS", 2 * 8 * 16)

    return begin


def fit(x=X, family=None, formula="y ~ {x / 255}", data=None, **settings):
    given = {"layers": [Flatten(), Dense(3, "tanh")], "algorithm": "adam", "epochs": 3, "batch_size": 8, "random_state": 4,
             "family": family, **settings}  # fmt: skip
    return ns.neuralnet(formula, {"y": RESPONSES[family], "x": x} if data is None else data, **given)


def same(one, other):
    assert isinstance(other.fitted.design.x, Gathered)
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)
    np.testing.assert_array_equal(other.fitted.fit.loss, one.fitted.fit.loss)
    np.testing.assert_array_equal(other.fitted.fit.reached, one.fitted.fit.reached)
    pd.testing.assert_frame_equal(other.history, one.history, check_exact=True)
    np.testing.assert_array_equal(other.predict(), one.predict())


@pytest.mark.parametrize("family", RESPONSES)
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_families_and_kinds_of_numbers(family, kind, by_rows):
    x, check = X.astype(kind), (X[:20].astype(kind), RESPONSES[family][:20])
    table = {"x": check[0], "y": check[1]}
    one = fit(x, family, validation=table)
    by_rows()
    other = fit(x, family, validation=table)
    same(one, other)
    np.testing.assert_array_equal(one.predict({"x": x[:9]}), other.predict({"x": x[:9]}))
    pd.testing.assert_series_equal(one.evaluate(table), other.evaluate(table))
    pd.testing.assert_series_equal(one.evaluate(), other.evaluate())


SETTINGS = {
    "share": {"validation": 0.3, "metrics": ["accuracy"]},
    "float32": {"dtype": "float32", "validation": 0.2},
    "repetitions": {"rep": 3, "n_jobs": 2},
    "order": {"shuffle": False, "batch_size": 11},
    "all at once": {"batch_size": None},
    "class_weight": {"class_weight": "balanced"},
    "early stopping": {"early_stopping": ns.EarlyStopping(1, restore_best=True), "validation": 0.2, "epochs": 8},
    "metric": {"early_stopping": ns.EarlyStopping(1, monitor="val_accuracy"), "validation": 0.2, "metrics": ["accuracy"]},
    "stepmax": {"stepmax": 13, "epochs": 5},
    "threshold": {"threshold": 20.0, "epochs": 30, "learningrate": 0.01},
    "penalty": {"penalty": ns.decay(0.1)},
    "plateau": {"learningrate": ns.schedules.Performance(0.05, patience=1), "validation": 0.2, "epochs": 6},
    "callbacks": {"callbacks": [lambda epoch, logs: epoch == 2]},
    "augmented": {"augment": ImageAugmenter(shift=0.2, noise=0.1, random_state=3)},
    "augmented repetitions": {"augment": ImageAugmenter(flip=True, random_state=3), "rep": 2, "dtype": "float32"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name, by_rows):
    one = fit(family="binomial", **SETTINGS[name])
    by_rows()
    same(one, fit(family="binomial", **SETTINGS[name]))


def test_weights_offsets_missing_rows_and_other_terms(by_rows):
    z, w = RNG.normal(size=N), RNG.uniform(0.5, 2, N)
    z[[3, 40]] = np.nan
    data = pd.DataFrame({"y": RESPONSES[None], "z": z, "w": w, "o": w / 10})
    data = {**{name: data[name].to_numpy() for name in data}, "x": X}
    how = {"formula": "y ~ {x / 255} + z + offset(o)", "data": data, "weights": "w", "validation": 0.2}
    one = fit(**how)
    by_rows()
    same(one, fit(**how))


def test_images_are_changed_as_they_were_where_all_lie_in_memory():
    """Windows also serve ordinary arrays: changes of images are made ahead of the kernels."""
    augment = ImageAugmenter(shift=0.2, noise=0.1, random_state=3)

    def without_index(images, epoch=0, stream=0):
        return augment(images, epoch=epoch, stream=stream)

    one, other = fit(augment=without_index), fit(augment=augment)
    assert not read_ahead.by_index(without_index) and read_ahead.by_index(augment)
    np.testing.assert_array_equal(one.fitted.fit.theta, other.fitted.fit.theta)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)


@pytest.mark.parametrize("augment", [
    lambda images, epoch, stream: images, lambda images, **more: images, lambda images, epoch, stream, **more: images,
    lambda index, /, epoch, stream: index,
], ids=["none", "any", "more", "by place"])  # fmt: skip
def test_a_function_that_changes_all_images_at_once_is_refused(by_rows, augment):
    """One that takes arguments of any name need not do anything with the images' numbers."""
    fit(augment=augment)
    by_rows()
    with pytest.raises(ArgumentError, match="augment must take index="):
        fit(augment=augment)


def test_a_function_of_any_arguments_changes_all_images_at_once():
    """Noise of a function that knows no numbers is drawn once an epoch, and not anew for every window."""
    seen = []

    def noise(images, **more):
        seen.append((len(images), *sorted(more)))
        return images

    fit(augment=noise)
    assert set(seen) == {(N, "epoch", "stream")}


def test_goes_on_bit_for_bit(by_rows, tmp_path):
    one = fit(epochs=4)
    by_rows()
    half = fit(epochs=2)
    np.testing.assert_array_equal(half.update(resume=True, epochs=2).fitted.fit.theta, one.fitted.fit.theta)
    fit(epochs=2, checkpoint=tmp_path / "c.npz")
    np.testing.assert_array_equal(fit(epochs=4, checkpoint=tmp_path / "c.npz").fitted.fit.theta, one.fitted.fit.theta)


def test_the_rest_of_the_package_reads_them_as_arrays(by_rows, tmp_path):
    one = fit(family="binomial")
    by_rows()
    other = fit(family="binomial")
    np.testing.assert_array_equal(np.asarray(other.resid), np.asarray(one.resid))
    assert str(other.summary()) == str(one.summary())
    assert other.diagnose().equals(one.diagnose())
    np.testing.assert_allclose(other.predict(type="units")[-1], one.predict(type="units")[-1])
    other.save(tmp_path / "without")
    other.save(tmp_path / "with", data=True)
    np.testing.assert_array_equal(ns.load(tmp_path / "with").predict(), one.predict())
    np.testing.assert_array_equal(ns.load(tmp_path / "without").predict({"x": X}), one.predict())


# data that are read from functions ------------------------------------------------------------------------


class Source:
    """Rows that are made when they are asked for."""

    shape, dtype = X.shape, X.dtype

    def __init__(self):
        self.read_rows, self.largest = 0, 0

    def read(self, rows):
        self.read_rows, self.largest = self.read_rows + len(rows), max(self.largest, len(rows))
        return X[rows]


class Sequence:
    """As Keras': batches of 16 by number."""

    def __init__(self, family, size=16, weights=None, y=None):
        self.size, self.weights, self.y, self.asked = size, weights, RESPONSES[family] if y is None else y, []

    def __len__(self):
        return -(-N // self.size)

    def __getitem__(self, k):
        self.asked.append(k)
        own = slice(k * self.size, (k + 1) * self.size)
        return (X[own], self.y[own]) if self.weights is None else (X[own], self.y[own], self.weights[own])


def test_large_rows_are_asked_for_in_blocks():
    """An object is not asked for each picture by itself, however large they are."""
    large, asked = 70_000, []

    class Pictures:
        shape, dtype = (80, large), np.dtype("uint8")

        def read(self, rows):
            asked.append(len(rows))
            return np.repeat(np.asarray(rows, np.uint8)[:, np.newaxis], large, axis=1)

    data = {"y": np.arange(80.0), "x": Pictures()}
    x = fit(data=data, formula="y ~ {x / 255}", layers=[Dense(1)], epochs=0).fitted.design.x
    asked.clear()
    out = np.empty((70, large), np.float32)
    order = np.random.default_rng(1).permutation(80)[:70]
    ByRow(x, np.float32).read(order, out)
    assert asked == [32, 32, 6]
    np.testing.assert_array_equal(out, np.repeat((order / 255).astype(np.float32)[:, np.newaxis], large, axis=1))
    assert [len(part) for part in x.parts()] == [32, 32, 16]


@pytest.mark.parametrize("family", [None, "binomial", "multinomial"])
def test_rows_of_an_object(family, monkeypatch):
    monkeypatch.setattr(read_ahead, "NUMBERS", 2 * 8 * 16)
    source = Source()
    one = fit(family=family, validation=0.2)
    other = fit(source, family=family, validation=0.2)
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)
    pd.testing.assert_frame_equal(other.history, one.history, check_exact=True)
    assert source.largest < N
    np.testing.assert_array_equal(other.predict(), one.predict())


@pytest.mark.parametrize("family", [None, "binomial", "multinomial"])
def test_sequences_in_their_order_are_arrays(family):
    one = fit(family=family, shuffle=False, batch_size=16, validation={"x": X, "y": RESPONSES[family]})
    sequence = Sequence(family)
    other = fit(family=family, shuffle=False, data=sequence, batch_size=32, validation=Sequence(family))
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)
    pd.testing.assert_frame_equal(other.history, one.history, check_exact=True)
    np.testing.assert_array_equal(other.predict(Sequence(family)), one.predict())
    pd.testing.assert_series_equal(other.evaluate(Sequence(family)), one.evaluate({"x": X, "y": RESPONSES[family]}))


def test_batches_of_a_sequence_are_shuffled_as_a_whole(monkeypatch):
    monkeypatch.setattr(sequences, "HELD", 1)
    sequence = Sequence(None)
    other = fit(data=sequence, epochs=4, batch_size=32)
    again = fit(data=Sequence(None), epochs=4, batch_size=16)
    np.testing.assert_array_equal(other.fitted.fit.theta, again.fitted.fit.theta)
    epochs = np.array(sequence.asked[5 : 5 + 4 * 5]).reshape(4, 5)  # the first pass is for the responses
    assert (np.sort(epochs, axis=1) == np.arange(5)).all() and (epochs[:, -1] == 4).all()  # the last has fewer rows
    assert len({tuple(e) for e in epochs.tolist()}) > 1
    own = _rows(epochs[0])
    want = fit(shuffle=False, batch_size=16, epochs=1, data={"x": X[own], "y": RESPONSES[None][own]})
    np.testing.assert_array_equal(fit(data=Sequence(None), epochs=1, batch_size=16).fitted.fit.theta, want.fitted.fit.theta)


def _rows(batches):
    return np.concatenate([np.arange(N)[k * 16 : (k + 1) * 16] for k in batches])


def test_sequences_bring_weights_and_several_outputs():
    w = RNG.uniform(0.5, 2, N)
    one = fit(shuffle=False, batch_size=16, data={"x": X, "y": RESPONSES[None], "w": w}, weights="w")
    other = fit(shuffle=False, data=Sequence(None, weights=w), batch_size=16)
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)
    hot = (RESPONSES["multinomial"][:, np.newaxis] == np.array(["a", "b", "c"])).astype(float)
    other = fit(shuffle=False, data=Sequence(None, y=hot), family="multinomial", batch_size=16)
    one = fit(shuffle=False, batch_size=16, family="multinomial")
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)


def test_parts_with_arrays_are_the_whole():
    one = fit(family="binomial", validation=0.2)
    y = RESPONSES["binomial"]
    parts = ns.chunks(lambda: ({"x": X[a : a + 20], "y": y[a : a + 20]} for a in range(0, N, 20)))
    other = fit(family="binomial", data=parts, validation=0.2)
    np.testing.assert_array_equal(other.fitted.fit.theta, one.fitted.fit.theta)
    pd.testing.assert_frame_equal(other.history, one.history, check_exact=True)
    with pytest.raises(DataError, match="column 'x' holds arrays of shape"):
        fit(data=ns.chunks([{"x": X[:20], "y": y[:20]}, {"x": X[20:, :2], "y": y[20:]}]))


@pytest.mark.parametrize(("settings", "said"), [
    ({"algorithm": "rprop+", "epochs": None, "batch_size": 32}, "reads all rows at every step"),
    ({"batch_size": None}, "batch_size=None is all rows"),
])  # fmt: skip
def test_what_needs_all_rows_is_refused(settings, said):
    with pytest.raises(ArgumentError, match=said):
        fit(Source(), **settings)


def test_sequences_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="one response and one covariate"):
        fit(data=Sequence(None), formula="y ~ {x / z}")
    with pytest.raises(ArgumentError, match="the batches of these data have 16 rows"):
        fit(data=Sequence(None), batch_size=5)

    class Wrong(Sequence):
        def __getitem__(self, k):
            return X[k * 9 : (k + 1) * 9 - k], self.y[k * 9 : (k + 1) * 9 - k]

    with pytest.raises(DataError, match="same number of rows"):
        fit(data=Wrong(None, 9))
    with pytest.raises(ArgumentError, match=r"or batches \(x, y\) by number: data\[0\] is a ndarray"):
        fit(data=type("None_", (Sequence,), {"__getitem__": lambda self, k: X})(None))


# sparse rows -------------------------------------------------------------------------------------------------


WORDS = np.where(RNG.random((N, 40)) < 0.1, RNG.normal(size=(N, 40)), 0)
LAYERS = {
    "two layers": [Dense(4, "relu"), Dense(3, "tanh")],
    "one layer": [Dense(3)],
    "none": [],
    "behind": [Dense(4, "softmax"), ns.layers.BatchNorm(), ns.layers.Dropout(0.2)],
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("family", [None, "binomial", "multinomial"])
def test_the_first_dense_layer_reads_what_is_not_zero(name, family, by_rows):
    how = {"layers": LAYERS[name], "formula": "y ~ x", "validation": 0.2, "epochs": 4, "penalty": ns.decay(0.01)}
    one = fit(WORDS, family, **how)
    by_rows()
    other = fit(scipy.sparse.csr_matrix(WORDS), family, **how)
    assert other.fitted.design.x.sparse is not None
    np.testing.assert_allclose(other.fitted.fit.theta, one.fitted.fit.theta, rtol=1e-8, atol=1e-11)
    pd.testing.assert_frame_equal(other.history, one.history, rtol=1e-9)
    new = {"x": scipy.sparse.csr_matrix(WORDS[:9])}
    np.testing.assert_allclose(other.predict(new), one.predict({"x": WORDS[:9]}), rtol=1e-7)


def test_sparse_rows_in_expressions_beside_others_and_with_layers_held(by_rows):
    z = RNG.normal(size=N)
    how = [{"formula": "y ~ {x * 2}"}, {"formula": "y ~ x + z", "layers": None, "hidden": 3}, {"freeze": ["dense_1"]}]
    data = {"x": WORDS, "z": z, "y": RESPONSES[None]}
    ones = [fit(**{"formula": "y ~ x", "layers": [Dense(3, "tanh")], "data": data} | own) for own in how]
    by_rows()
    for own, one in zip(how, ones, strict=True):
        data = {"x": scipy.sparse.csr_array(WORDS), "z": z, "y": RESPONSES[None]}
        other = fit(**{"formula": "y ~ x", "layers": [Dense(3, "tanh")], "data": data} | own)
        np.testing.assert_allclose(other.fitted.fit.theta, one.fitted.fit.theta, rtol=1e-10, atol=1e-14)
