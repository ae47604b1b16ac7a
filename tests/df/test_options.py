"""Options of degrees of freedom: only those that the method takes, and what they may be."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.df.registry import DF, LOCAL, OPTIONS
from neuralstat.errors import ArgumentError

RNG = np.random.default_rng(4)
DATA = pd.DataFrame({"x": RNG.normal(size=20), "y": RNG.normal(size=20), "y2": RNG.normal(size=20)})


@pytest.fixture(scope="module")
def fit():
    return ns.neuralnet("y ~ x", DATA, hidden=0)


@pytest.mark.parametrize("method", sorted(DF))
def test_other_options_are_errors(fit, method):
    with pytest.raises(ArgumentError, match=f"method='{method}'.* has no option 'zeal'; it takes"):
        fit.df(method, zeal=1)
    if method in LOCAL and "sigma" not in OPTIONS[method]:
        with pytest.raises(ArgumentError, match=f"method='{method}'.* has no option 'sigma'"):
            fit.df(method, sigma="abc")


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf, "abc", True, [], [1.0, 2.0], {}, np.ones((2, 2)), pd.NA, 1j])
def test_sigma(fit, sigma):
    for call in (
        lambda: fit.df("gdf", sigma=sigma, draws=3), lambda: fit.df("covariance", sigma=sigma, draws=3),
        lambda: fit.df("sure", sigma=sigma, draws=3), lambda: fit.df("nic", sigma=sigma),
        lambda: fit.info_criteria("cp", sigma=sigma), lambda: fit.criteria(sigma=sigma),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="sigma must be"):
            call()


def test_sigma_of_every_output():
    fit = ns.neuralnet("y + y2 ~ x", DATA, hidden=0)
    both = fit.df("gdf", sigma=[1.0, 2.0], draws=4, random_state=1)
    assert both.sigma.tolist() == pytest.approx([1.0, 2.0])
    with pytest.raises(ArgumentError, match="or 2 of them, one per output"):
        fit.df("gdf", sigma=[1.0, 2.0, 3.0], draws=4)


@pytest.mark.parametrize("df", [-1, np.nan, np.inf, -np.inf, True, 1j, [3], "ye", pd.NA, np.array([1.0, 2.0])])
def test_a_number_instead_of_a_method(fit, df):
    for call in (lambda: fit.info_criteria("aic", df=df), lambda: fit.criteria(df)):
        with pytest.raises(ArgumentError, match="df"):
            call()


def test_a_number_takes_no_options(fit):
    assert fit.info_criteria("aic", df=3) > fit.info_criteria("aic", df=2)
    with pytest.raises(ArgumentError, match="draws belongs to a method of df"):
        fit.criteria(3.0, draws=5)


@pytest.mark.parametrize("options, words", [
    ({"tau": 0}, "tau must be"), ({"tau": np.inf}, "tau must be"), ({"draws": 2}, "draws must be"),
    ({"draws": 10**12}, "draws must be at most"), ({"restarts": "hot"}, "restarts must be one of"),
    ({"random_state": "a"}, "random_state must be"), ({"n_jobs": 0}, "n_jobs must be"), ({"n_jobs": "two"}, "n_jobs must be"),
    ({"rep": "all"}, "rep must be"), ({"rep": [1]}, "rep must be"),
])  # fmt: skip
def test_draws(fit, options, words):
    with pytest.raises(ArgumentError, match=words):
        fit.df("gdf", **options)


def test_a_procedure():
    y = np.arange(8.0)
    for change, words in [
        ({"procedure": 3}, "procedure must be a function"), ({"y": "abc"}, "y must be"), ({"y": [1.0]}, "y must be"),
        ({"y": [1.0, np.nan]}, "y must be"), ({"sigma": "a"}, "sigma must be"), ({"sigma": 0}, "sigma must be > 0"),
        ({"sigma": [1.0, 2.0]}, "as long as y"), ({"tau": -1}, "tau must be"), ({"draws": 10**9}, "draws must be at most"),
        ({"procedure": lambda v: "text"}, "procedure must return 8 finite numbers"),
        ({"procedure": lambda v: v[:2]}, "procedure must return 8 finite numbers"), ({"n_jobs": 10**9}, "n_jobs must be"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            ns.gdf(**{"procedure": lambda v: v, "y": y, "sigma": 1.0, "draws": 3, **change})
