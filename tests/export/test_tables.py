"""Rows of tables: statsmodels' numbers where there are any, and maketables prints them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.export.tables import STATISTICS


@pytest.fixture(scope="module")
def infert():
    return ns.datasets.infert()


@pytest.fixture(scope="module")
def glm(infert):
    return smf.glm("case ~ age + parity + C(education)", infert, family=sm.families.Binomial()).fit()


@pytest.fixture(scope="module")
def plain(infert):
    return ns.neuralnet("case ~ age + parity + education", infert, hidden=0, family="binomial", random_state=1,
                        threshold=1e-6)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1).assign(z=np.arange(80) % 4)
    return ns.neuralnet("y ~ x + z", data, hidden=2, rep=1, random_state=1, penalty=ns.decay(0.01))


@pytest.fixture(scope="module")
def structured():
    rng = np.random.default_rng(2)
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1).assign(z=rng.normal(size=80), g=np.arange(80) % 5)
    return ns.neuralnet("y ~ s(x) + z + (1 | g)", data, random_state=1)


def test_coefficients_are_those_of_statsmodels(plain, glm):
    table = plain.estimates().table
    assert tuple(table) == STATISTICS and table.index.name == "Coefficient"
    own = table.loc[["Intercept", "age", "parity", "education[T.6-11yrs]", "education[T.12+ yrs]"]]
    names = ["Intercept", "age", "parity", "C(education)[T.6-11yrs]", "C(education)[T.12+ yrs]"]
    expected = pd.DataFrame({"b": glm.params, "se": glm.bse, "t": glm.tvalues, "p": glm.pvalues, "ci95l": glm.conf_int()[0],
                             "ci95u": glm.conf_int()[1]}).loc[names]  # fmt: skip
    np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)


def test_statistics_are_those_of_statsmodels(plain, glm):
    expected = {"N": 248, "ll": glm.llf, "aic": glm.aic, "deviance": glm.deviance, "df_resid": glm.df_resid,
                "pseudo_r2": 1 - glm.llf / glm.llnull}  # fmt: skip
    for key, value in expected.items():
        assert plain.estimates().__maketables_stat__(key) == pytest.approx(value, rel=1e-5)
    made = plain.estimates()
    assert made.__maketables_stat__("r2") is None and made.__maketables_stat__("nonsense") is None
    assert made.__maketables_depvar__ == "case"
    assert not [name for name in dir(plain) if "maketables" in name]  # fits are handed over as estimates


def test_networks_have_average_marginal_effects(network):
    made, effects = network.estimates(), network.marginal_effects()
    assert made.kind == "effects" and list(made.table.index) == ["x", "z"]
    np.testing.assert_array_equal(made.table["b"], effects["dy/dx"])
    np.testing.assert_array_equal(made.table["se"], effects["std err"])
    np.testing.assert_array_equal(made.table["ci95u"], effects["upper"])
    with pytest.raises(ArgumentError, match="no weight of this fit means something by itself"):
        network.estimates("coefficients")
    with pytest.raises(ArgumentError, match="kind must be"):
        network.estimates("weights")


def test_structured_fits_have_their_linear_terms(structured):
    table = structured.estimates().table
    assert list(table.index) == ["Intercept", "z"]
    at = list(structured.network.names).index("z.to.y")
    assert table.loc["z", "b"] == structured.params.iloc[at] and table.loc["z", "se"] == structured.bse.iloc[at]
    assert table.loc["z", "p"] == structured.pvalues.iloc[at]
    assert structured.estimates("effects").table.loc["z", "b"] == pytest.approx(table.loc["z", "b"], rel=1e-4)


def test_several_outputs_are_told_apart():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(50, 3)), columns=["x", "u", "v"])
    fit = ns.neuralnet("u + v ~ x", data, hidden=0, random_state=1)
    assert list(fit.estimates().table.index) == ["u: Intercept", "u: x", "v: Intercept", "v: x"]
    for name in ("u", "v"):
        own = smf.ols(f"{name} ~ x", data).fit()
        np.testing.assert_allclose(fit.estimates().table.loc[f"{name}: x", ["b", "se"]], [own.params["x"], own.bse["x"]],
                                   rtol=1e-5)  # fmt: skip
    iris = ns.datasets.iris()
    classes = ns.neuralnet("Species ~ .", iris, hidden=0, rep=1, family="multinomial", random_state=1, penalty=ns.decay(0.1))
    assert classes.estimates().kind == "effects"
    assert "setosa Petal.Length" in classes.estimates().table.index


def test_pages_of_estimates(plain, network):
    assert repr(plain.estimates()).startswith("Coefficients of case\n")
    assert repr(network.estimates()).startswith("Average marginal effects of y\n")
    assert plain.estimates()._repr_html_().startswith("<table")


# with maketables -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maketables():
    return pytest.importorskip("maketables")


@pytest.mark.filterwarnings("ignore")  # of its packages
def test_maketables_prints_fits_beside_those_of_statsmodels(maketables, plain, network, glm, tmp_path):
    table = maketables.ETable([plain.estimates(), network.estimates(), glm], model_stats=["N", "pseudo_r2", "weights"])
    tex = table.make(type="tex")
    b, se = plain.estimates().table.loc["age", ["b", "se"]]
    row = next(line for line in tex.splitlines() if line.startswith("age"))
    assert row.count(f"{b:.3f}") == 2 and row.count(f"{se:.3f}") == 2  # ours, and statsmodels'
    assert "248" in tex and "Pseudo R2 (McFadden)" in tex
    html = table.make(type="gt").as_raw_html()
    assert "parity" in html and f"{network.estimates().table.loc['x', 'b']:.3f}" in html
    pytest.importorskip("docx")
    table.save(type="docx", file_name=str(tmp_path / "t.docx"), show=False)
    import docx

    cells = [cell.text for row in docx.Document(str(tmp_path / "t.docx")).tables[0].rows for cell in row.cells]
    assert "parity" in cells and any(f"{b:.3f}" in text for text in cells)


@pytest.mark.filterwarnings("ignore")  # of its packages
def test_maketables_knows_the_format(maketables, network):
    from maketables.extractors import PluginExtractor, get_extractor

    extractor = get_extractor(network.estimates())
    assert type(extractor) is PluginExtractor
    pd.testing.assert_frame_equal(extractor.coef_table(network.estimates()), network.estimates().table)
    assert extractor.depvar(network.estimates()) == "y" and extractor.stat(network.estimates(), "N") == 80
    assert extractor.default_stat_keys(network.estimates()) == ["N", "r2"]
    assert extractor.vcov_info(network.estimates()) == {"vcov_type": "expected", "clustervar": []}
