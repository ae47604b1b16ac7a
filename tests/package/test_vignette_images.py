"""What the vignette on images concludes, checked against its tables (see `test_vignette_claims`)."""

import numpy as np
import pytest
from pages import page


def test_splits():
    images = page("images")
    assert images["number"] == 10 and len(images["order"]) == 8
    assert images["spread"] == pytest.approx(np.sqrt(0.1 + 597 / 1200))
    images.says("scikit-learn's 1797 handwritten digits of 8 x 8 pixels", "a percent point is six images",
                "ten times 1200 images are drawn to learn from")  # fmt: skip
    assert images["pixels"].shape == (1797, 8, 8, 1) and len(images["digit"]) - 1200 == 597


def test_what_is_shown():
    images = page("images")
    summary, differences = images["summary"], images["differences"]
    wrong, loss = differences["read wrong (%)"], differences["log-loss"]
    images.says("The residual network reads best: 0.70 % wrong, 1.06 points fewer than the convolutions, four standard "
                "errors, and so in log-loss", "three times their weights")  # fmt: skip
    assert summary["read wrong (%)", "mean"].idxmin() == summary["log-loss", "mean"].idxmin() == "residual"
    assert summary.loc["residual", ("read wrong (%)", "mean")] == pytest.approx(0.70, abs=0.005)
    assert wrong.loc["residual", "mean"] == pytest.approx(-1.06, abs=0.005)
    assert -5 < wrong.loc["residual", "t"] < -4 and -5 < loss.loc["residual", "t"] < -4
    weights = summary["", "weights"]
    assert round(weights["residual"] / weights["convolutions"], 1) == 3.2
    images.says("The dense layer's log-loss is worse by 0.035, four standard errors; that it reads 0.80 points more wrong is "
                "just below two. The regression reads 5.6 % wrong.")  # fmt: skip
    assert loss.loc["dense", "mean"] == pytest.approx(0.035, abs=5e-4) and 4 < loss.loc["dense", "t"] < 5
    assert wrong.loc["dense", "mean"] == pytest.approx(0.80, abs=0.005) and 1.9 < wrong.loc["dense", "t"] < 2
    assert summary.loc["logistic regression", ("read wrong (%)", "mean")] == pytest.approx(5.6, abs=0.05)


def test_what_augmentation_does():
    images = page("images")
    wrong, loss = images["differences"]["read wrong (%)"], images["differences"]["log-loss"]
    images.says("1.2 points more, 2.4 standard errors",
                "it reads 96.6 % of the training images right, without augmentation all")  # fmt: skip
    name = "convolutions, augmented"
    assert wrong.loc[name, "mean"] == pytest.approx(1.2, abs=0.05) and wrong.loc[name, "t"] == pytest.approx(2.4, abs=0.05)
    assert loss.loc[name, "t"] > 2
    read = images["summary"]["", "training images read right (%)"]
    assert read[name] == pytest.approx(96.6, abs=0.05) and read["convolutions"] == 100


def test_what_is_open():
    images = page("images")
    differences, weights = images["differences"], images["summary"]["", "weights"]
    images.says("Penalty and dropout, branches, and separable convolutions, with a third of the weights, differ from the "
                "convolutions by less than two standard errors in both")  # fmt: skip
    rest = differences.loc[["convolutions, penalised", "branches", "separable"]]
    assert (rest.xs("t", axis=1, level=1).abs() < 2).all(axis=None)
    assert weights["separable"] / weights["convolutions"] == pytest.approx(0.35, abs=0.01)


def test_hard_images():
    images = page("images")
    share, each = images["share"], images["each"]
    images.says("Of the 1768 images that were held out at least once, 88 % were read right by every model whenever they "
                "were; 22 were read wrong more often than right")  # fmt: skip
    assert len(each) == 1768 and (each["times"] > 0).all()
    assert round(100 * (share == 0).mean()) == 88 and (share > 0.5).sum() == 22
