"""Methods of fits refuse what is no argument of theirs, and name it."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, TooLargeError

RNG = np.random.default_rng(3)
DATA = pd.DataFrame({
    "y": RNG.normal(size=24), "x": RNG.normal(size=24), "g": RNG.choice(["a", "b"], 24), "k": RNG.choice(["u", "v", "w"], 24),
})  # fmt: skip


class Spite:
    """An object whose comparisons, hash and text raise."""

    def __eq__(self, other):
        raise RuntimeError("==")

    def __hash__(self):
        raise RuntimeError("hash")

    def __bool__(self):
        raise RuntimeError("bool")

    def __repr__(self):
        raise RuntimeError("repr")


class SpitefulWord(str):
    """A string that cannot be compared."""

    def __eq__(self, other):
        raise RuntimeError("==")

    __hash__ = None


LOOP = []
LOOP.append(LOOP)
NONSENSE = {
    "nan": np.nan, "infinity": np.inf, "minus": -1, "huge": 10**30, "word": "nonsense", "empty": "", "bytes": b"best",
    "list": [1, 2], "loop": LOOP, "set": {1}, "dict": {"x": 1}, "array": np.ones(5), "matrix": np.ones((2, 2)),
    "objects": np.array([Spite()], dtype=object), "table": DATA, "series": DATA["x"], "na": pd.NA, "date": pd.Timestamp(0),
    "span": np.timedelta64(1, "D"), "complex": 1j, "class": int, "spite": Spite(), "spiteful word": SpitefulWord("nonsense"),
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    return ns.neuralnet("y ~ x + g", DATA, hidden=2, rep=2, random_state=1, penalty=ns.decay(0.1))


@pytest.fixture(scope="module")
def classes():
    return ns.neuralnet("k ~ x", DATA, hidden=0, family="multinomial", penalty=ns.decay(0.1))


METHODS = {
    "conf_int": ("alpha", "cov_type", "rep", "use_t"), "cov_params": ("cov_type", "rep", "scale"),
    "standard_errors": ("cov_type", "rep"), "wald_test_terms": ("cov_type", "rep", "use_f", "df", "scale"),
    "stability": ("alpha", "cov_type"), "predict": ("rep", "type"), "get_influence": ("rep", "curvature"),
    "get_prediction": ("method", "rep", "cov_type", "use_t", "weights"), "confidence_interval": ("alpha",),
    "hessian_spectrum": ("rep", "cutoff"), "loglike": ("rep", "scale"), "pseudo_rsquared": ("kind",),
    "residuals": ("kind", "rep"), "slopes": ("rep", "scale"), "r_criterion": ("per_weight",),
    "criteria": ("df", "dk_params", "rep", "sigma"), "df": ("method", "rep"), "get_weights": ("rep",),
    "coverage": ("method", "alpha", "draws", "restarts", "inner_draws", "rep"),
}  # fmt: skip
MEANT = {  # what is right after all
    ("cov_params", "scale"): {"huge"}, ("wald_test_terms", "scale"): {"huge"}, ("loglike", "scale"): {"huge"},
    ("r_criterion", "per_weight"): {"minus", "huge"},
    ("criteria", "dk_params"): {"huge"}, ("criteria", "sigma"): {"huge"}, ("criteria", "df"): {"huge"},
    ("df", "method"): {"huge"},
    ("get_prediction", "weights"): {"huge"}, ("predict", "rep"): set(),
}  # fmt: skip


@pytest.mark.parametrize("method, argument", [(m, a) for m, names in METHODS.items() for a in names])
def test_nonsense_is_refused_by_name(fit, classes, method, argument):
    for what, value in NONSENSE.items():
        if what in MEANT.get((method, argument), ()):
            continue
        for one in (fit, classes) if method not in ("get_influence",) else (fit,):
            with pytest.raises(ArgumentError) as caught:
                getattr(one, method)(**{argument: value})
            assert any(name in str(caught.value) for name in (argument, method)), (what, str(caught.value))
            assert len(str(caught.value)) < 400


@pytest.mark.parametrize("alpha", [None, 0, 1, True, "0.05", np.array([0.05])])
def test_alpha_of_what_is_returned(fit, alpha):
    found = fit.get_prediction(DATA.iloc[:2])
    for call in (found.conf_int, found.summary_frame):
        with pytest.raises(ArgumentError, match="alpha must be"):
            call(alpha=alpha)
    with pytest.raises(ArgumentError, match="obs must be True or False"):
        found.conf_int(obs="no")
    with pytest.raises(ArgumentError, match="dfbetas must be"):
        fit.get_influence().summary_frame(dfbetas="yes")


def test_options_belong_to_methods(fit):
    for call, words in [
        (lambda: fit.get_prediction(draws=3), "method='delta' has no option 'draws'; it takes 'combine'"),
        (lambda: fit.get_prediction(method="bootstrap", k=3), "has no option 'k'; it takes 'draws', 'kind'"),
        (lambda: fit.get_prediction(method="cv+", test_size=0.3), "no option 'test_size'; it takes 'k'"),
        (lambda: fit.get_prediction(method="split", k=3), "no option 'k'; it takes 'test_size'"),
        (lambda: fit.get_prediction(method="split", use_t=True), "use_t belongs to"),
        (lambda: fit.coverage("delta", draws=2, inner_draws=5), "inner_draws belongs to method='bootstrap'"),
        (lambda: fit.coverage("delta", draws=2, zeal=5), "no option 'zeal'"),
        (lambda: fit.info_criteria("aic", sigma=1.0), "crit='aic' does not take sigma"),
        (lambda: fit.info_criteria("gcv", scale=1.0), "crit='gcv' does not take scale"),
        (lambda: fit.info_criteria("tic", df=3), "crit='tic' does not take df"),
        (lambda: fit.info_criteria("aic", df=3, convention="neuralnet"), "convention='neuralnet' does not take df"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()


def test_draws_are_bounded(fit):
    for call in (
        lambda n: fit.get_prediction(method="bootstrap", draws=n), lambda n: fit.coverage(draws=n),
        lambda n: fit.df("gdf", draws=n), lambda n: fit.df("covariance", draws=n), lambda n: fit.df("sure", draws=n),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="draws must be at most 1000000"):
            call(10**10)


def test_draws_are_compared_with_memory(fit, monkeypatch):
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**20)
    for call, words in [
        (lambda: fit.get_prediction(method="bootstrap", draws=10**6), "draws=1000000 bootstrap samples"),
        (lambda: fit.coverage(draws=10**6), "draws=1000000 simulated data sets"),
        (lambda: fit.df("gdf", draws=10**6), "draws=1000000 responses"),
    ]:  # fmt: skip
        with pytest.raises(TooLargeError, match=words):
            call()


def test_what_is_whole_or_a_subclass_is_taken(fit):
    assert fit.predict(rep=1.0).equals(fit.predict(rep=1))
    assert fit.predict(rep=np.str_("best")).equals(fit.predict(rep="best"))
    assert fit.predict(rep=SpitefulWord("best")).equals(fit.predict(rep="best"))
    assert fit.conf_int(alpha=np.float32(0.5)).equals(fit.conf_int(alpha=0.5))
