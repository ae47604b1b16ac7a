"""Saving and loading fits: bit-identical round trips; damaged and hostile files refused."""

import io
import json
import pickle
import subprocess
import sys
import warnings
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import raw
from fits import quiet
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralstat as ns
from neuralstat.checks.arrays import read_array
from neuralstat.errors import ArgumentError, ConvergenceWarning, FileFormatError
from neuralstat.io.encoding import Reader, Writer, write_array


def data(n=60, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.uniform(-1, 1, n), "z": rng.normal(size=n), "e": rng.uniform(0.1, 0.2, n)})
    frame["g"] = rng.choice(["low", "mid", "high"], n)
    frame["c"] = pd.Categorical(frame["g"], ["low", "mid", "high"], ordered=True)
    frame["y"] = np.sin(2 * frame["x"]) + 0.1 * rng.normal(size=n)
    frame["case"] = (frame["y"] + 0.3 * rng.normal(size=n) > 0).astype(int)
    return frame


def fit_of(formula, frame=None, **options):
    options = {"hidden": 2, "threshold": 0.1, "stepmax": 300, "random_state": 1, **options}
    return quiet(formula, data() if frame is None else frame, **options)


def assert_same(a, b, new):
    """All that a user sees is equal to the last bit."""
    assert str(a.summary()) == str(b.summary())
    assert a.call == b.call
    for name in ("reps", "result_matrix"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_exact=True)
    for left, right in ((a.weights, b.weights), (a.startweights, b.startweights)):
        for one, other in zip(left, right, strict=True):
            for w, v in zip(one, other, strict=True):
                np.testing.assert_array_equal(w, v)
    rep = "mean" if a.fit.converged.any() else "best"
    for data_ in (None, new):
        left, right = a.predict(data_, rep=rep), b.predict(data_, rep=rep)
        same = (
            pd.testing.assert_series_equal if isinstance(left, pd.Series) else pd.testing.assert_frame_equal
        )
        same(left, right, check_exact=True)
    pd.testing.assert_frame_equal(a.generalized_weights[0], b.generalized_weights[0], check_exact=True)
    pd.testing.assert_frame_equal(a.design.frame, b.design.frame)
    assert a.seeds.entropy == b.seeds.entropy and a.seeds.spawn_key == b.seeds.spawn_key
    for (s, e), (t, f) in zip(a.fit.trace, b.fit.trace, strict=True):
        np.testing.assert_array_equal(s, t)
        np.testing.assert_array_equal(e, f)


CASES = {
    "plain": ("y ~ x + z", {"rep": 2}),
    "transforms": ("y ~ poly(x, 3) + bs(z, df=4) + C(g)", {"standardize": True}),
    "ordered": ("y ~ c*x", {}),
    "factor": ("g ~ x + z", {"family": "multinomial", "rep": 2}),
    "two outputs": ("y + z ~ x", {"standardize": True}),
    "R's ce": ("case ~ x + z", {"err_fct": "ce", "linear_output": False, "likelihood": True, "compat": "R"}),
    "binomial": ("case ~ x + offset(e)", {"family": "binomial", "weights": "e"}),
    "excluded": (
        "y ~ x",
        {"exclude": ["x.to.1layhid1"], "constant_weights": [0.5], "penalty": ns.decay(0.01)},
    ),
    "rows": (
        "y ~ x",
        {"exclude": [[1, 2, 2], [2, 3, 1]], "penalty": ns.elimination(0.1) + ns.l1(0.01, biases=False)},
    ),
    "custom": ("y ~ x", {"act_fct": lambda x: x / (1 + abs(x)), "err_fct": lambda x, y: (y - x) ** 2 / 2}),
    "no hidden": ("y ~ x", {"hidden": 0}),
    "float32": ("y ~ x", {"dtype": "float32"}),
    "backprop": ("y ~ x", {"algorithm": "backprop", "learningrate": 0.001, "stepmax": 30}),
    "diverged": ("y ~ x", {"algorithm": "backprop", "learningrate": 100.0, "stepmax": 30}),
    "start": ("y ~ x", {"startweights": np.arange(7.0) / 7, "random_state": np.random.default_rng(3)}),
}


@pytest.mark.parametrize("case", CASES)
def test_round_trip(case, tmp_path):
    formula, options = CASES[case]
    fit = fit_of(formula, **options)
    fit.save(tmp_path / "fit.nst")
    again = ns.load(str(tmp_path / "fit.nst"))
    assert_same(fit, again, data(9, 5))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nst"]
    again.save(tmp_path / "again.nst")
    assert_same(fit, ns.load(tmp_path / "again.nst"), data(9, 6))


def test_pickles_compile_a_users_functions_again(tmp_path):
    """Kernels call them by an address, which means nothing in another process."""
    data = ns.datasets.sine(n=30, noise=0.1, random_state=1)
    act, err = ns.Activation(lambda z: np.log(1 + np.exp(z))), ns.Loss(lambda x, y: (x - y) ** 4)
    fit = raw.neuralnet("y ~ x", data, hidden=2, act_fct=act, err_fct=err, threshold=0.5, random_state=1)
    expected = fit.predict(data)
    (tmp_path / "fit.pickle").write_bytes(pickle.dumps((fit, data)))
    code = (
        "import pickle, sys; fit, data = pickle.load(open(sys.argv[1], 'rb')); assert fit.network.objective.address\n"
        "print(*fit.predict(data).tolist(), fit.update(stepmax=5, threshold=1e9).fit.loss[0])"
    )
    out = subprocess.run([sys.executable, "-c", code, tmp_path / "fit.pickle"], capture_output=True, text=True, check=True)
    numbers = np.array(out.stdout.split(), dtype=float)
    np.testing.assert_allclose(numbers[:-1], expected, rtol=1e-12)
    assert numbers[-1] == pytest.approx(fit.fit.loss[0])


def test_array_arguments_and_missing_rows(tmp_path):
    frame = data()
    frame.loc[[3, 7], "x"] = np.nan
    frame.index = pd.date_range("2024-03-30", periods=len(frame), freq="h", tz="Europe/Berlin", name="when")
    fit = fit_of("y ~ x", frame, weights=np.linspace(0.5, 1, len(frame)), offset=frame["e"].to_numpy())
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_series_equal(fit.fittedvalues, again.fittedvalues, check_exact=True)
    np.testing.assert_array_equal(fit.design.weights, again.design.weights)
    new = data(5, 2)
    pd.testing.assert_series_equal(
        fit.predict(new, offset=np.ones(5)), again.predict(new, offset=np.ones(5)), check_exact=True
    )


def test_arrays_model(tmp_path):
    frame = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = raw.NeuralNet(
            frame["y"].to_numpy(), frame[["x", "z"]].to_numpy(), stepmax=50, random_state=2
        ).fit()
    fit.save(tmp_path / "fit.nst")
    new = np.ones((3, 2))
    again = ns.load(tmp_path / "fit.nst")
    pd.testing.assert_series_equal(fit.predict(new, rep=1), again.predict(new, rep=1), check_exact=True)
    assert str(fit) == str(again)


def test_saved_says_how(tmp_path):
    fit_of("y ~ x").save(tmp_path / "fit.nst")
    saved = ns.load(tmp_path / "fit.nst").saved
    assert saved["neuralstat"] == ns.__version__ and saved["numpy"] == np.__version__
    assert saved["data"].startswith("sha256:")

OLD_PANDAS = tuple(map(int, pd.__version__.split(".")[:2])) < (2, 2)
INDEXES = {
    "range": pd.RangeIndex(3, 12, 3, name="r"),
    "int": pd.Index([5, -2, 7], name=("a", 1)),
    "uint8": pd.Index(np.array([1, 2, 3], np.uint8)),
    "float": pd.Index([0.1, np.nan, np.inf]),
    "bool": pd.Index([True, False, True]),
    "str": pd.Index(["a", "ß", None]),
    "object": pd.Index(["a", 1, 2.5], dtype=object),
    "none": pd.Index([None, float("nan"), ("t", 1)], dtype=object, tupleize_cols=False),
    "nullable": pd.Index(pd.array([1, None, 2**60], dtype="Int64")),
    "dates": pd.date_range("2020-01-31", periods=3, freq=pd.offsets.MonthEnd()),
    "naive": pd.DatetimeIndex(["2020-01-01 00:00:00.123456789", None, "1950-05-05"]).as_unit("ns"),
    "zone": pd.date_range("2020-03-28", periods=3, tz="Europe/Rome"),
    "delta": pd.to_timedelta([1, 2, 5], unit="s"),
    "period": pd.period_range("2020-01", periods=3, freq="M"),
    "category": pd.CategoricalIndex(["b", "a", None], ["b", "a", "c"], ordered=True),
    "interval": pd.IntervalIndex.from_breaks([0.0, 1, 2, 3]),
    "multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 2)], names=["g", None]),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_index_round_trip(kind):
    index = INDEXES[kind]
    writer = Writer()
    entry = json.loads(json.dumps(writer.index(index, "index"), allow_nan=False))
    again = Reader(writer.arrays).index(entry)
    pd.testing.assert_index_equal(index, again, exact=True)
    assert again.names == index.names
    assert getattr(index, "freq", None) == getattr(again, "freq", None)


DATES = [("M", "ME"), ("2Q-NOV", "2QE-NOV"), ("A-DEC", "YE-DEC"), ("AS-JUN", "YS-JUN"), ("BM", "BME"), ("15T", "15min"),
         ("H", "h"), ("SM-20", "SME-20"), ("-1D", "-1D")]  # fmt: skip
PERIODS = [("A-DEC", "Y-DEC"), ("2M", "2M"), ("15T", "15min"), ("H", "h"), ("Q-NOV", "Q-NOV")]


@pytest.mark.parametrize(("make", "old", "new"), [(pd.date_range, *names) for names in DATES]
                         + [(pd.period_range, *names) for names in PERIODS])  # fmt: skip
def test_frequencies_of_other_versions_of_pandas(make, old, new):
    """pandas 2.2 renamed them; a file says them in the words of the pandas that wrote it."""
    index = make("2020-01-31", periods=4, freq=old if OLD_PANDAS else new)
    writer = Writer()
    entry = writer.index(index, "index")
    for said in (old, new):
        again = Reader(writer.arrays).index({**entry, "freq": said})
        assert again.equals(index) and again.freq == index.freq


def test_frequencies_that_nobody_knows_are_refused():
    writer = Writer()
    entry = {**writer.index(pd.date_range("2020-01-31", periods=4, freq="D"), "index"), "freq": "XQ"}
    with pytest.raises(ValueError, match="XQ"):
        Reader(writer.arrays).index(entry)


def test_unusual_labels_are_refused():
    with pytest.raises(ArgumentError, match="index holds date, which cannot be saved"):
        Writer().index(pd.Index([date(2020, 1, 1)], dtype=object), "index")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda v: st.lists(v) | st.tuples(v, v) | st.dictionaries(st.text() | st.integers(), v),
        max_leaves=12,
    )
)
@settings(max_examples=50, deadline=None)
def test_plain_data_round_trip(value):
    entry = json.loads(json.dumps(Writer().value(value, "v"), allow_nan=False))
    again = Reader({}).value(entry)
    assert again == value and repr(again) == repr(value)


# damaged and hostile files -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("io") / "fit.nst"
    fit_of("y ~ x + g", rep=2).save(path)
    return path


def parts_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewrite(path, parts, target):
    with zipfile.ZipFile(target, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return target


def refused(path, match=None):
    with pytest.raises(FileFormatError, match=match) as caught:
        ns.load(path)
    assert str(path) in str(caught.value)


def with_model(saved, tmp_path, change):
    parts = parts_of(saved)
    document = json.loads(parts["model.json"])
    change(document)
    parts["model.json"] = json.dumps(document).encode()
    return rewrite(saved, parts, tmp_path / "bad.nst")


def test_other_files(tmp_path, saved):
    text = tmp_path / "text.nst"
    text.write_text("hello")
    refused(text, "not a saved fit")
    text.write_bytes(b"")
    refused(text, "not a saved fit")
    text.write_bytes(pickle.dumps({"a": 1}))
    refused(text, "not a saved fit")
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    refused(tmp_path / "a.npz", "lacks model.json")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        ns.load(tmp_path / "nothing.nst")
    with pytest.raises(ArgumentError, match="path must be a path"):
        ns.load(3)


def test_every_truncation_is_refused(saved, tmp_path):
    raw = saved.read_bytes()
    bad = tmp_path / "cut.nst"
    for end in range(0, len(raw), max(len(raw) // 60, 1)):
        bad.write_bytes(raw[:end])
        refused(bad)


def test_flipped_bytes_never_execute_and_never_crash(saved, tmp_path):
    raw = saved.read_bytes()
    bad = tmp_path / "flip.nst"
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(raw), 150):
        changed = bytearray(raw)
        changed[at] ^= 1 << rng.integers(0, 8)
        bad.write_bytes(changed)
        try:
            ns.load(bad)  # a time stamp or an unused flag may change without harm
        except FileFormatError as error:
            assert str(bad) in str(error)


class Bomb:
    def __reduce__(self):
        return (Path("/tmp/neuralstat-was-executed").write_text, ("x",))


def test_pickles_in_arrays_are_refused(saved, tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    parts = parts_of(saved)
    parts["theta.npy"] = buffer.getvalue()
    refused(rewrite(saved, parts, tmp_path / "bad.nst"), r"theta.npy.*only booleans and numbers")
    parts["theta.npy"] = pickle.dumps(Bomb())
    refused(rewrite(saved, parts, tmp_path / "bad.nst"), r"theta.npy.*not an array")
    assert not Path("/tmp/neuralstat-was-executed").exists()


def test_huge_claims_are_refused(saved, tmp_path):
    parts = parts_of(saved)
    honest = parts["x.npy"]
    array = read_array(honest, "x")
    shape = str(array.shape).encode()
    claimed = str((array.shape[0], 10**12)).encode()
    parts["x.npy"] = honest.replace(shape + b", }" + b" " * (len(claimed) - len(shape)), claimed + b", }")
    assert len(parts["x.npy"]) == len(honest) and parts["x.npy"] != honest
    refused(rewrite(saved, parts, tmp_path / "bad.nst"), "claims the shape")
    with zipfile.ZipFile(tmp_path / "bomb.nst", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.json", b" " * 50_000_000)
    assert (tmp_path / "bomb.nst").stat().st_size < 100_000
    refused(tmp_path / "bomb.nst", "is compressed")


def test_members(saved, tmp_path):
    parts = parts_of(saved)
    for name in parts:
        refused(rewrite(saved, {k: v for k, v in parts.items() if k != name}, tmp_path / "bad.nst"), "lacks")
    extra = {**parts, "more.npy": write_array(np.ones(2))}
    refused(rewrite(saved, extra, tmp_path / "bad.nst"), "do not belong to it: more")
    refused(rewrite(saved, {**parts, "run.py": b"1"}, tmp_path / "bad.nst"), "'run.py' does not belong")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "bad.nst", "w") as file:
        file.writestr("model.json", "{}")
        file.writestr("model.json", "{}")
    refused(tmp_path / "bad.nst", "same name")


@pytest.mark.parametrize(
    "name", ["theta", "start", "x", "y", "kept", "steps", "status", "free", "loss", "trace.steps"]
)
def test_wrong_shapes_and_kinds(saved, tmp_path, name):
    parts = parts_of(saved)
    array = read_array(parts[f"{name}.npy"], name)
    for wrong in (
        array[..., :-1],
        array[np.newaxis],
        array.astype(np.complex64),
        array.astype(np.int8) * 0 + 9,
    ):
        parts[f"{name}.npy"] = write_array(wrong)
        refused(rewrite(saved, parts, tmp_path / "bad.nst"))


def test_versions(saved, tmp_path):
    def newer(document):
        document["version"] = 3
        document["saved"]["neuralstat"] = "9.9"
        document["model"] = {"of": "the future"}

    refused(with_model(saved, tmp_path, newer), r"newer neuralstat \(9.9, file version 3\).*upgrade")
    for version in (0, "1", None, 1.0, True, [1]):
        refused(with_model(saved, tmp_path, lambda d, v=version: d.update(version=v)), "its version is")
    refused(with_model(saved, tmp_path, lambda d: d.update(format="other")), "does not have the format")
    refused(with_model(saved, tmp_path, lambda d: d.update(saved=3)), "how it was saved")


ELDER = [  # activations as files have them, and as those of before do, where the slope was 0.3
    ({"hidden": (2, 3), "act_fct": "leaky_relu"}, lambda s: s.update(act_fct="leaky_relu"), (0.3, 0.3)),
    ({"hidden": (2, 3), "act_fct": ["tanh", "leaky_relu"]}, lambda s: s["act_fct"].__setitem__(1, "leaky_relu"), (0.0, 0.3)),
    ({"layers": [ns.layers.Dense(2, "leaky_relu"), ns.layers.Residual([ns.layers.Dense(2)], activation="leaky_relu"),
                 ns.layers.LeakyReLU(0.1)], "algorithm": "adam", "epochs": 1},
     lambda s: [layer.update(activation="leaky_relu") for layer in s["layers"][:2]], (0.3, 0.3, 0.1)),
]  # fmt: skip


@pytest.mark.parametrize("options, elder, slopes", ELDER, ids=["one", "several", "layers"])
def test_slopes_of_leaky_relu_are_those_of_the_fit(tmp_path, options, elder, slopes):
    fit = quiet("y ~ x + z", data(), **{"stepmax": 5, "random_state": 1, **options})
    path = tmp_path / "fit.nst"
    fit.save(path)
    again = ns.load(path)
    assert again.settings == fit.settings
    np.testing.assert_array_equal(again.predict(data()), fit.predict(data()))
    parts = parts_of(path)
    model = json.loads(parts["model.json"])
    assert '{"named": "leaky_relu", "parameter": 0.2}' in json.dumps(model)
    elder(model["model"]["settings"])
    old = ns.load(rewrite(path, {**parts, "model.json": json.dumps(model).encode()}, tmp_path / "old.nst"))
    assert [float(p) for p in old.network._built["constants"] if p] == [p for p in slopes if p]
    assert np.abs(np.asarray(old.predict(data())) - np.asarray(fit.predict(data()))).max() > 1e-6
    old.save(tmp_path / "new.nst")
    np.testing.assert_array_equal(ns.load(tmp_path / "new.nst").predict(data()), old.predict(data()))


def walk(value, path=()):
    """Paths of all entries of nested lists and dicts."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from walk(inner, (*path, key))


def test_unexpected_types_everywhere(saved, tmp_path):
    """Whatever entry of the JSON is replaced by whatever: refused, or harmless and loaded."""
    parts = parts_of(saved)
    document = json.loads(parts["model.json"])
    refusals = 0
    for path in walk(document["model"]):
        for wrong in (None, {}, "text", 1e300):
            changed = json.loads(parts["model.json"])
            place = changed["model"]
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = wrong
            bad = rewrite(saved, {**parts, "model.json": json.dumps(changed).encode()}, tmp_path / "bad.nst")
            try:
                ns.load(bad)
            except FileFormatError as error:
                assert str(bad) in str(error)
                refusals += 1
    assert refusals > 200


def test_json_of_no_kind(saved, tmp_path):
    parts = parts_of(saved)
    for piece in (
        b"[" * 100_000,
        b'{"format": NaN}',
        b"\xff\xfe",
        b"[1]",
        b"null",
        b'{"version": ' + b"9" * 5000 + b"}",
    ):
        refused(rewrite(saved, {**parts, "model.json": piece}, tmp_path / "bad.nst"))


def test_hostile_formula_is_refused(saved, tmp_path):
    def hostile(document):
        spec = document["model"]["spec"]
        document["model"]["spec"] = spec.replace('"x"', '"__import__(1)"').replace('"lookup"', '"python"')

    refused(with_model(saved, tmp_path, hostile))


# where to save -----------------------------------------------------------------------------------------


def test_where(tmp_path):
    fit = fit_of("y ~ x", stepmax=20)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing"):
        fit.save(tmp_path / "missing" / "fit.nst")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        fit.save(tmp_path)
    with pytest.raises(ArgumentError, match="path must be a path"):
        fit.save(None)
    fit.save(tmp_path / "fit.nst")
    before = (tmp_path / "fit.nst").read_bytes()
    other = fit_of("y ~ f(x)", stepmax=20, context={"f": np.cbrt})
    with pytest.raises(ArgumentError, match="a function of yours"):
        other.save(tmp_path / "fit.nst")
    assert (tmp_path / "fit.nst").read_bytes() == before  # a failed save leaves the old file
    assert len(list(tmp_path.iterdir())) == 1
