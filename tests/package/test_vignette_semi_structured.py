"""What the vignette `semi_structured` concludes is in its tables."""

import numpy as np
import pytest
from pages import page


@pytest.fixture(scope="module")
def vignette():
    return page("semi_structured")


def test_the_smooth_is_mgcv_s(vignette):
    vignette.says("the degrees of freedom and the residual variance are those of `gam(accel ~ s(times, k = 20")
    np.testing.assert_allclose(vignette["against"]["here"], vignette["against"]["mgcv 1.8-41"], rtol=1e-5)


def test_calibration(vignette):
    sizes = vignette["sizes"]
    vignette.says("With 300 to 1000 data sets each, a rate of 5 % has a Monte-Carlo error of 0.7 to 1.3 %")
    assert sizes["replicates"].between(300, 1000).all()
    errors = np.sqrt(0.05 * 0.95 / sizes["replicates"])
    assert errors.min().round(3) == 0.007 and errors.max().round(3) == 0.013
    vignette.says("Intervals of x hold 92 to 98 %, and its tests reject in 2 to 8 %", "with a network 5.4 %")
    of_x = sizes[sizes["what"] == "size of x"]
    assert sizes.loc[sizes["what"] == "coverage of x", "rate"].round(2).between(0.92, 0.98).all()
    assert of_x["rate"].round(2).between(0.02, 0.08).all()
    assert of_x.loc[of_x["model"].str.contains("nn"), "rate"].mean().round(3) == 0.054
    vignette.says("most where x is correlated with z and z acts linearly")
    assert of_x.loc[of_x["rate"].idxmax(), "design"] == "n 200, corr, linear"
    vignette.says("Tests of a network without an effect reject in 4 to 6 %")
    other = sizes[sizes["what"] == "size of the other term"]
    network = other["model"].str.contains("nn")
    assert other.loc[network, "rate"].round(2).between(0.04, 0.06).all()
    assert other.loc[~network, "rate"].between(0.03, 0.07).all()


def test_images(vignette):
    runs, found = vignette["runs"], vignette["image_runs"]
    vignette.says("The same over 60 data sets")
    assert (runs.groupby(["truth", "model"]).size() == 60).all()
    balance, digit = found.loc["balance"], found.loc["digit"]
    vignette.says("Leaving the image out is wrong by 0.62")
    assert round(balance.loc["without the image", "mean coefficient"] - 0.5, 2) == 0.62
    vignette.says("x takes what is left (0.02)", "The standard error, 0.033, does not know of that")
    net = balance.loc["nn(image)"]
    assert round(net["mean coefficient"] - 0.5, 2) == 0.02 and round(net["mean standard error"], 3) == 0.033
    assert net["mean coefficient"] - 0.5 > 2 * net["its error"] and net["sd"] > 1.25 * net["mean standard error"]
    vignette.says("its intervals hold 80 %, where those with f known hold 95 %", "x takes the credit for it: 0.64, and 13 %")
    held = found["95 % intervals hold 0.5"]
    assert held["balance", "nn(image)"].round(2) == 0.8 and held["balance", "f known"].round(2) == 0.95
    assert digit.loc["nn(image)", "mean coefficient"].round(2) == 0.64 and held["digit", "nn(image)"].round(2) == 0.13


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    vignette = page("semi_structured", live=True)
    closeness = vignette["closeness"]
    vignette.says("the residual standard deviations are 22.6, and ten-fold cross-validation cannot tell them apart")
    assert (closeness["residual sd"].round(1) == 22.6).all() and abs(np.diff(closeness["cross-validation"])[0]) < 30
    rows = vignette["coefficients"]
    vignette.says("With a line for z the coefficient is 0.48", "in its place it is 0.40, its standard error 0.052")
    assert rows["coefficient of x"].to_list() == pytest.approx([0.54, 0.475, 0.405, 0.405], abs=0.004)
    smooth, net = rows.loc["y ~ x + s(z)"], rows.loc["y ~ x + nn(z)"]
    assert net["standard error"].round(3) == 0.052 and abs(smooth["coefficient of x"] - net["coefficient of x"]) < 2e-3
    vignette.says("The coefficients are those of least squares without the network, to all digits")
    meaning, plain = vignette["meaning"], vignette["least_squares"]
    for larger, small in (("y ~ x + nn(x, z)", "y ~ x"), ("y ~ x + z + nn(x, z)", "y ~ x + z")):
        assert meaning.loc[larger, "coefficient of x"] == pytest.approx(plain[small], rel=1e-3)
    vignette.says("0.036 in place of 0.057, and 0.052 in place of 0.082", "is -0.8, with a standard error of 1.6")
    assert meaning["standard error"].round(3).to_list()[::2] == [0.036, 0.052]
    assert rows["standard error"].round(3).to_list()[:2] == [0.057, 0.082]
    assert meaning.loc["..., orthogonal=False"].round(1).to_list() == [-0.8, 1.6]
    terms = vignette["nam"].terms
    vignette.says("a quarter of a degree of freedom and p = 0.59")
    assert terms.loc["nn(d)", "edf"] < 0.4 and round(terms.loc["nn(d)", "pvalue"], 2) == 0.59
    assert (terms["pvalue"][:3] < 1e-4).all()
    penalties = vignette["penalties"]["squared error"]
    vignette.says("The best of seven fixed strengths has 556, the estimated ones 559")
    fixed = penalties.drop("decay('estimate')")
    assert len(fixed) == 7 and round(fixed.min()) == 556 and round(penalties["decay('estimate')"]) == 559
    vignette.says("ten times too little or a hundred times too much costs")
    assert fixed.drop(["decay(1e-03)", "decay(1e-02)", "decay(1e-01)"]).min() > 1.1 * fixed.min()
    low, high = vignette["image_table"].loc["y ~ x + nn(image, layers=cnn)", ["2.5 %", "97.5 %"]]
    assert low < 0.5 < high
