"""Arguments of effects: nonsense is refused by name, and sizes before the work."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import effects
from neuralstat.errors import ArgumentError, NeuralStatError, TooLargeError

RNG = np.random.default_rng(5)
DATA = pd.DataFrame({"y": RNG.normal(size=30), "x": RNG.normal(size=30), "z": RNG.normal(size=30),
                     "g": RNG.choice(["a", "b", "c"], 30)})  # fmt: skip
RAISES = type("Raises", (), {"__eq__": lambda *_: 1 / 0, "__hash__": None, "__repr__": lambda _: 1 / 0})()
NONSENSE = [np.nan, np.inf, -1, 0, 10**30, "nonsense", "", b"x", [], [None], [1, [2]], {"x": 1}, set(), np.ones((2, 2)),
            np.array([RAISES], dtype=object), pd.NA, pd.Timestamp(0), 1j, int, RAISES, DATA["y"].astype(str),
            range(10**12)]  # fmt: skip
FUNCTIONS = {
    "marginal_effects": ("at", "method", "variables", "response", "rep", "alpha", "cov_type", "dummy"),
    "partial_dependence": ("variable", "response", "rep", "alpha", "cov_type", "se"),
    "ice": ("variable", "response", "rep", "centred"),
    "ale": ("variable", "bins", "response", "rep", "alpha", "cov_type", "se"),
    "importance": ("method", "response", "rep", "scaled", "repeats", "loss"),
    "lek_profile": ("variable", "response", "rep"),
}
NEEDS = {name: {"variable": "x"} for name in ("partial_dependence", "ice", "ale")} | {"lek_profile": {"grid": 2}}


@pytest.fixture(scope="module")
def fit():
    return ns.neuralnet("y ~ x + z + g", DATA, hidden=2, rep=2, random_state=1, penalty=ns.decay(0.1))


@pytest.mark.parametrize("function, argument", [(f, a) for f, names in FUNCTIONS.items() for a in names])
def test_nonsense_is_refused_by_name(fit, function, argument):
    for value in NONSENSE:
        arguments = {**NEEDS.get(function, {}), argument: value}
        with pytest.raises(ArgumentError) as caught:
            getattr(fit, function)(**arguments)
        assert argument.rstrip("s") in str(caught.value) and len(str(caught.value)) < 400, str(caught.value)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_data(fit, function):
    for value in [*NONSENSE, DATA.iloc[:0], DATA[["x"]], DATA.assign(x="s"), DATA.assign(g="zz"), DATA.assign(x=np.nan)]:
        with pytest.raises(NeuralStatError):
            getattr(fit, function)(**NEEDS.get(function, {}), data=value)
    with pytest.raises(ArgumentError, match="fit must be a fit"):
        getattr(effects, function)("no fit", **NEEDS.get(function, {}))


def test_grids(fit):
    numbers = [v for v in NONSENSE if not isinstance(v, float | pd.Series)] + [1, True, [np.nan], [np.inf], "x"]
    for value in numbers:
        for call in (fit.partial_dependence, fit.ice, fit.lek_profile):
            with pytest.raises(ArgumentError, match="grid"):
                call("x", value)
    for value in ([], ["a", "q"], ["a", RAISES], {"a": 1}, 3.5):
        with pytest.raises(ArgumentError, match=r"grid|level"):
            fit.partial_dependence("g", value)
        with pytest.raises(ArgumentError, match="bins"):
            fit.ale("g", value)
    for value in ([1, 2, 3], [0.5, 0.5], "ab", {1: 2}, [[0.0], None]):
        with pytest.raises(ArgumentError, match="grid"):
            fit.partial_dependence(["x", "z"], value)
    assert fit.partial_dependence("g", np.array(["b", "a"])).index.tolist() == ["b", "a"]
    assert len(fit.ale("x", 10**6)) == len(fit.ale("x", 30)) == 30  # there are no more ends than rows
    with pytest.raises(ArgumentError, match="grid must be at most 100,000 points"):
        fit.ice("x", 10**8)


def test_sizes_before_work(fit, monkeypatch):
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**20)
    for call in (
        lambda: fit.partial_dependence("x", 10**5), lambda: fit.ice("x", 10**5),
        lambda: fit.lek_profile("x", 10**5, quantiles=np.linspace(0, 1, 100)),
        lambda: fit.partial_dependence(["x", "z"], 1000),
    ):  # fmt: skip
        with pytest.raises(TooLargeError, match="would be needed"):
            call()


@pytest.mark.parametrize("quantiles", [[], -0.1, 1.5, np.nan, "half", [0.5, "x"], np.ones((2, 2, 2)), None, [[0.1], [0.2]]])
def test_quantiles(fit, quantiles):
    with pytest.raises(ArgumentError, match="quantiles"):
        fit.lek_profile("x", 2, quantiles=quantiles)


def test_arguments_that_are_not_used(fit):
    for call, words in [
        (lambda: fit.importance(response="y"), "response belongs to"),
        (lambda: fit.importance(scaled=False), "scaled belongs"),
        (lambda: fit.importance("garson", repeats=3), "repeats belongs to method='permutation'"),
        (lambda: fit.importance("olden", random_state=3), "random_state belongs"),
        (lambda: fit.partial_dependence("x", se=False, cov_type="hessian"), "cov_type belongs to standard errors"),
        (lambda: fit.ale("x", se=False, cov_type="hessian"), "cov_type belongs to standard errors"),
        (lambda: fit.plot_effects("x", "importance"), "takes no variable"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_means_of_zero():
    data = DATA.assign(y=0.0)
    fit = ns.neuralnet("y ~ x", data, hidden=0)
    with pytest.raises(ArgumentError, match="needs means that are not 0"):
        fit.marginal_effects(method="eydx")
