"""Tests of terms by simulation: what they say, of whom, and when not; their sizes are in `benchmarks/term_tests.py`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
import statsmodels.formula.api as smf
from glms import FAMILIES
from glms import GROUPED as FRAME

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.inference import conditional_permutation as exchange
from neuralstat.inference.nested import nested

COLUMNS = ["term", "statistic", "df", "pvalue", "method", "note"]


def _data(n=120, seed=3):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "z"])
    data["near"] = 0.8 * data["x"] + 0.4 * rng.normal(size=n)
    data["g"] = np.where(rng.random(n) < 0.5, "a", "b")
    data["y"] = np.sin(1.5 * data["x"]) + 0.3 * rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.5 * data["x"]))
    data["c"] = np.where(data["x"] + rng.logistic(size=n) > 0, "yes", "no")
    return data


DATA = _data()
NET = ns.neuralnet("y ~ x + near + z + g", DATA, hidden=2, rep=2, algorithm="lm", random_state=1, penalty=ns.decay(0.01))


# no hidden units --------------------------------------------------------------------------------------------


def test_without_units_it_is_the_f_test():
    found = ns.neuralnet("gaussian ~ u + v + g", FRAME, hidden=0).term_tests()
    expected = sm.stats.anova_lm(smf.ols("gaussian ~ u + v + g", FRAME).fit(), typ=2).drop("Residual")
    assert list(found) == COLUMNS and set(found["method"]) == {"lr"} and (found["note"] == "").all()
    for ours, theirs in (("statistic", "F"), ("pvalue", "PR(>F)"), ("df", "df")):
        np.testing.assert_allclose(found[ours], expected.loc[found.index, theirs], rtol=1e-6)


@pytest.mark.parametrize("name", ["poisson", "binomial"])
def test_without_units_it_is_the_likelihood_ratio(name):
    found = ns.neuralnet(f"{name} ~ u + v + g", FRAME, hidden=0, family=name).term_tests()
    whole = smf.glm(f"{name} ~ u + v + g", FRAME, family=FAMILIES[name]).fit()
    for term, rest in (("u", "v + g"), ("v", "u + g"), ("g", "u + v")):
        part = smf.glm(f"{name} ~ {rest}", FRAME, family=FAMILIES[name]).fit()
        assert found.loc[term, "statistic"] == pytest.approx(part.deviance - whole.deviance, rel=1e-6)
        assert found.loc[term, "pvalue"] == pytest.approx(
            sm.stats.stattools.stats.chi2.sf(part.deviance - whole.deviance, found.loc[term, "df"]), rel=1e-5
        )


# the default ------------------------------------------------------------------------------------------------


def test_a_covariate_that_matters_and_one_that_goes_with_it():
    found = NET.term_tests(random_state=1)
    assert list(found.index) == ["x", "near", "z", "g"] and set(found["method"]) == {"permutation"}
    assert found.loc["x", "pvalue"] == 1 / 200 and found.loc["x", "note"] == "0 of 199 draws as large"
    assert (found.drop(index="x")["pvalue"] > 0.05).all()
    assert found["df"].tolist() == [2, 2, 2, 2]


def test_draws_depend_on_nothing_but_the_seed():
    one = NET.term_tests(terms=["z", "near"], draws=39, random_state=5, n_jobs=1)
    two = NET.term_tests(terms=["near"], draws=39, random_state=5, n_jobs=2)
    assert one.loc["near"].equals(two.loc["near"])


@pytest.mark.parametrize(("formula", "options"), [
    ("k ~ x + z", {"family": "poisson"}), ("c ~ x + g", {"family": "binomial"}),
    ("g ~ x + z", {"family": "multinomial"}), ("y ~ x + offset(z) + near", {}), ("y + z ~ x + near", {}),
])  # fmt: skip
def test_families_offsets_several_responses(formula, options):
    fit = ns.neuralnet(formula, DATA, hidden=2, rep=2, algorithm="lm", random_state=1, penalty=ns.decay(0.1), **options)
    found = fit.term_tests(draws=39, random_state=1)
    assert found["pvalue"].between(1 / 40, 1).all() and (found["statistic"] > -1e-8).all()


def test_weights_and_rows_that_do_not_count():
    """Rows of weight 0 are as good as absent."""
    weights = np.where(np.arange(120) < 80, 1.0, 0.0)
    same = {"hidden": 2, "rep": 2, "algorithm": "lm", "random_state": 1, "penalty": ns.decay(0.05), "standardize": False}
    zero = ns.neuralnet("y ~ x + z", DATA, weights=weights, **same).term_tests(draws=19, random_state=2)
    rest = ns.neuralnet("y ~ x + z", DATA.iloc[:80], **same).term_tests(draws=19, random_state=2)
    np.testing.assert_allclose(zero["statistic"], rest["statistic"], rtol=1e-3)


def test_terms_that_share_a_variable_are_bootstrapped():
    fit = ns.neuralnet("y ~ x + z + x:z", DATA, hidden=1, rep=1, algorithm="lm", random_state=1, penalty=ns.decay(0.05))
    found = fit.term_tests(draws=19, random_state=1)
    assert set(found["method"]) == {"bootstrap"}
    assert "'x' is also in the term" in found.loc["x", "note"]
    forced = fit.term_tests("permutation", terms="x", draws=19)
    assert np.isnan(forced.loc["x", "pvalue"]) and forced.loc["x", "note"].startswith("rows cannot be permuted")


def test_a_copy_of_another_covariate_cannot_be_permuted():
    fit = ns.neuralnet("y ~ x + twin", DATA.assign(twin=2 * DATA["x"] + 1), hidden=1, rep=1, algorithm="lm", random_state=1,
                       penalty=ns.decay(0.05))  # fmt: skip
    found = fit.term_tests(terms="twin", draws=19, random_state=1)
    assert "the other covariates determine it" in found.loc["twin", "note"]


def test_fits_by_epochs():
    fit = raw.neuralnet("y ~ x + z", DATA, hidden=2, algorithm="adam", epochs=3, random_state=1)
    found = fit.term_tests(terms="z", draws=19, random_state=1)
    assert found.loc["z", "method"] == "bootstrap" and "the fit ends by epochs" in found.loc["z", "note"]
    assert 0 < found.loc["z", "pvalue"] <= 1


def test_held_weights_are_not_tested():
    fit = ns.neuralnet("y ~ x + z", DATA, hidden=1, rep=1, algorithm="lm", random_state=1, exclude=["z.to.1layhid1"])
    found = fit.term_tests(terms="z", draws=19)
    assert np.isnan(found.loc["z", "pvalue"]) and found.loc["z", "note"] == "no weight of the term is trained"


# other methods ----------------------------------------------------------------------------------------------


def test_bootstrap_wald_and_lr():
    boot = NET.term_tests("bootstrap", terms=["x", "z"], draws=39, random_state=1)
    assert boot.loc["x", "pvalue"] == 1 / 40 and boot.loc["z", "pvalue"] > 0.05
    wald = NET.term_tests("wald")
    np.testing.assert_allclose(wald["statistic"], NET.wald_test_terms().table["statistic"])
    assert wald["note"].str.contains("may reject noise").all()
    assert NET.term_tests("lr", terms="z")["note"].str.contains("may reject noise").all()


def test_wald_of_a_network_says_why_not_to_trust_it_and_of_a_glm_does_not():
    assert "term_tests() is calibrated" in str(NET.wald_test_terms())
    assert "trust" not in str(ns.neuralnet("y ~ x", DATA, hidden=0).wald_test_terms())
    assert ns.neuralnet("y ~ x", DATA, hidden=0).wald_test_terms().distribution == "F"
    assert ns.neuralnet("k ~ x", DATA, hidden=0, family="poisson").wald_test_terms().distribution == "chi2"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("algorithm", [None, "lm", "bfgs"])
def test_wald_of_a_softmax_is_that_of_contrasts(seed, algorithm):
    """statsmodels 0.15: MNLogit of anes96, W of the age coefficients' block."""
    data = sm.datasets.anes96.load_pandas().data
    data["pid"] = data["PID"].astype(int).astype(str)
    given = {} if algorithm is None else {"algorithm": algorithm, "threshold": 1e-6}
    fit = ns.neuralnet("pid ~ logpopul + selfLR + age + educ + income", data, hidden=0, family="multinomial",
                       random_state=seed, **given)  # fmt: skip
    table = fit.wald_test_terms().table
    assert (table["df_constraint"] == 6).all()
    np.testing.assert_allclose(table.loc["age", ["statistic", "pvalue"]], [19.00864535, 0.004149], rtol=1e-3)


def test_wald_names_directions_that_data_do_not_determine():
    data = DATA.assign(twin=DATA["x"])
    with pytest.warns(Warning):
        fit = ns.neuralnet("y ~ x + twin + z", data, hidden=0)
        tests = fit.wald_test_terms()
    assert np.isnan(tests.table.loc["x", "pvalue"]) and tests.table.loc["z", "pvalue"] > 0
    assert "collinear with 'twin'" in tests.inestimable["x"] and "collinear with 'twin'" in str(tests)


@pytest.mark.parametrize(("options", "match"), [
    ({"method": "score"}, "method"), ({"terms": "w"}, "terms: the formula has no term 'w'"), ({"draws": 5}, "draws"),
    ({"draws": 10**12}, "draws"), ({"random_state": "a"}, "random_state"), ({"method": ["wald"]}, "method"),
])  # fmt: skip
def test_nonsense_is_refused(options, match):
    with pytest.raises(ArgumentError, match=match):
        NET.term_tests(**options)


# nested fits ------------------------------------------------------------------------------------------------


def test_anova_in_any_order():
    fits = [ns.neuralnet(f"y ~ {rest}", DATA, hidden=0) for rest in ("x", "x + z", "x + z + near")]
    expected = sm.stats.anova_lm(*(smf.ols(f"y ~ {rest}", DATA).fit() for rest in ("x", "x + z", "x + z + near")))
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        table = ns.anova(*(fits[k] for k in order))
        np.testing.assert_allclose(table["F"].iloc[1:], expected["F"].iloc[1:], rtol=1e-6)
        p = sm.stats.stattools.stats.f.sf(expected["F"].iloc[1:], 1, 116)  # as R: on the largest fit's residual df
        np.testing.assert_allclose(table["Pr(>F)"].iloc[1:], p, rtol=1e-6)
        assert table.index[0] == "y ~ x, 1-1"


@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
def test_what_is_nested():
    def net(formula, hidden=0, **options):
        return ns.neuralnet(formula, DATA, hidden=hidden, rep=1, algorithm="lm", random_state=1, **options)

    line, both, other = net("y ~ x"), net("y ~ x + z"), net("y ~ z")
    assert nested(line.fitted, both.fitted) and not nested(both.fitted, line.fitted)
    assert not nested(line.fitted, other.fitted) and not nested(line.fitted, line.fitted)
    assert nested(line.fitted, net("y ~ poly(x, 2)").fitted)  # by the columns, not by their names
    assert nested(line.fitted, net("y ~ x", 2).fitted) and nested(net("y ~ x", 1).fitted, net("y ~ x", 2).fitted)
    assert not nested(net("y ~ x", 2).fitted, net("y ~ x", (3, 2)).fitted)
    assert not nested(net("y ~ near", 1).fitted, net("y ~ x", 3).fitted)
    table = ns.anova(line, other, both)
    assert table["F"].isna().tolist()[:2] == [True, True] and table["Df"].isna().tolist()[:2] == [True, True]
    assert table["Resid. Dev"].notna().all() and table["F"].iloc[2] > 0


def test_anova_shows_whole_formulas():
    long = "y ~ x + z + near + g + x:z + x:near + z:near + poly(x, 3) + poly(z, 3)"
    text = str(ns.anova(ns.neuralnet("y ~ x", DATA, hidden=0), ns.neuralnet(long, DATA, hidden=0)))
    assert f"Model 2: {long}" in text and "Pr(>F)" in text and "NaN" not in text and "..." not in text


def test_bootstrap_restarts_as_the_fit_did():
    small = ns.neuralnet("y ~ x", DATA, hidden=1, rep=3, algorithm="lm", random_state=1)
    large = ns.neuralnet("y ~ x + z", DATA, hidden=1, rep=3, algorithm="lm", random_state=1)
    given = large.compare_lr_test(small, bootstrap=19, starts=3, random_state=1)
    found = large.compare_lr_test(small, bootstrap=19, random_state=1)
    np.testing.assert_allclose(found.draws, given.draws, rtol=1e-6)
    assert found.pvalue > 0.05


# permutations given others ----------------------------------------------------------------------------------


def test_orders_keep_what_goes_with_the_others():
    """Normal x with correlation .8 to z: orders keep it; those of an unrelated column lose what there is by chance."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=(1, 400))
    x = 0.8 * z + 0.6 * rng.normal(size=(1, 400))
    odds = exchange.exchange(x, z)
    seeds = np.random.SeedSequence(1).spawn(2)
    orders = odds.block(odds.start(seeds[0]), seeds[1])
    assert all(sorted(order) == list(range(400)) for order in orders)
    drawn = [np.corrcoef(x[0, order], z[0])[0, 1] for order in orders]
    assert abs(np.mean(drawn) - 0.8) < 0.04
    plain = [np.corrcoef(x[0, rng.permutation(400)], z[0])[0, 1] for _ in range(20)]
    assert abs(np.mean(plain)) < 0.05


def test_why_columns_cannot_be_permuted():
    z = np.random.default_rng(1).normal(size=(2, 50))
    assert exchange.exchange(z[:1] * 2 + 1, z) == "the other covariates determine it"
    assert exchange.exchange(np.ones((1, 50)), z) == "its columns are constant"
    assert "too few" in exchange.exchange(z[:1, :9], z[1:, :9])
