"""What the vignette on texts concludes, checked against its tables (see `test_vignette_claims`)."""

import numpy as np
import pytest
from pages import page

LAST, TWO = "logistic: letters, last", "logistic: and last two"


def test_names():
    text = page("text")
    names, table = text["names"], text["table"]
    text.says("4275 first names of women and 1219 of men", "331 names are in both lists", "three whose percents are equal")
    assert names["sex"].value_counts().to_dict() == {"female": 4275, "male": 1219}
    assert names["name"].duplicated().sum() == 331 and len(table) == 4275 + 1219 - 331 - 3
    text.says("0.010 % of the women are called James", "nine tenths of the people")
    assert names.set_index(["name", "sex"]).loc[("James", "female"), "percent"] == 0.01
    assert names.groupby("sex", observed=True)["percent"].sum().between(89.9, 90.1).all()
    text.says("Nearly four of five names are women's", '0.530 for "22 %" always')
    assert text["male_share"] == pytest.approx(0.222, abs=5e-4)
    assert text["nobody"]["log_loss"] == pytest.approx(0.5295, abs=1e-4)


def test_order():
    text = page("text")
    differences, summary = text["differences"], text["summary"]
    assert text["number"] == 10 and len(text["order"]) == 7 and text["spread"] == pytest.approx(np.sqrt(0.1 + 0.25))
    text.says("Ten times a fifth of the names was held out")
    order = differences.loc["order: GRU less dense on mean"]
    text.says("The GRU's log-loss is lower by 0.12 than that of the letters' mean, thirteen standard errors, and its "
              "accuracy five points higher, six.")  # fmt: skip
    assert -0.127 < order["log_loss", "mean"] < -0.117 and 0.045 < order["accuracy", "mean"] < 0.055
    assert round(order["accuracy", "t"]) == 6 and round(order["log_loss", "t"]) == -13
    text.says("The mean does worse than the regression, which is told one thing of order")
    assert summary.loc["dense on mean", ("log_loss", "mean")] > summary.loc[LAST, ("log_loss", "mean")] + 0.08
    assert summary.loc["dense on mean", ("accuracy", "mean")] < summary.loc[LAST, ("accuracy", "mean")] - 0.03
    more = differences.loc["GRU less regression, last"]
    text.says("1.5 points of accuracy and 0.018 of log-loss, beyond three standard errors")
    assert 0.0135 < more["accuracy", "mean"] < 0.0165 and -0.0195 < more["log_loss", "mean"] < -0.0165
    assert more["accuracy", "t"] > 3 and more["log_loss", "t"] < -3


def test_what_a_regression_can_be_told():
    text = page("text")
    differences = text["differences"]
    told = differences[differences.index.str.endswith("less regression, last two")]
    text.says("in log-loss the networks that know of order are behind it by 0.007 to 0.010, none by as much as 1.4 standard "
              "errors, and accuracies differ by less than one")  # fmt: skip
    assert len(told) == 4 and told["log_loss", "mean"].between(0.0065, 0.0105).all()
    assert (told["log_loss", "t"] < 1.4).all() and (told["accuracy", "t"].abs() < 1).all()
    text.says("an advantage of the GRU of more than 0.007 in log-loss is outside two standard errors")
    gru = told.loc["GRU less regression, last two", "log_loss"]
    assert gru["mean"] - 2 * gru["se"] > -0.007
    others = differences[differences.index.str.endswith("less GRU")]
    text.says("LSTM, both directions, and windows of three differ from the GRU by less than one standard error, in both")
    assert len(others) == 3 and (others.xs("t", axis=1, level=1).abs() < 1).all(axis=None)


def test_probabilities():
    text = page("text")
    calibration, surest = text["calibration"], text["surest"]
    off = (calibration["said"] - calibration["men"]) / calibration["se"]
    text.says("They are right within two standard errors, but for the highest: of the 79 names that get more than 90 %, "
              "92 % in the mean, 81 % are men's.")  # fmt: skip
    assert (off.abs().iloc[:-1] < 2).all() and off.iloc[-1] > 2
    last = calibration.iloc[-1]
    assert last["names"] == 79 and round(last["said"], 2) == 0.92 and round(last["men"], 2) == 0.81
    text.says("Hosea, Ezra and Asa end as names of women do", "The regression is as sure, and as wrong, of most of them.")
    assert {"Hosea", "Ezra", "Asa"} <= set(surest["name"]) and len(surest) == 16
    wrong = np.where(surest["sex"] == "male", 1 - surest[TWO], surest[TWO])
    assert (wrong > 0.8).sum() > 12


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    text = page("text", live=True)
    odds, coefficients = np.exp(text["net"]), text["coefficients"]["coefficient"]
    text.says("With c, d, k or o in place of a last \"a\" the odds are more than three hundred times larger")
    assert sorted(odds.nlargest(4).index) == list("cdko") and odds.nlargest(4).min() > 300
    text.says('with "y" about fifty times, with "e" twenty, with "i" three.')
    assert 45 < odds["y"] < 55 and 18 < odds["e"] < 22 and 2.5 < odds["i"] < 3.5
    text.says("half of the 26 coefficients are below 0.3 in size")
    counts = coefficients.filter(like="n_")
    assert len(counts) == 26 and counts.abs().median() < 0.3
    said = text["said"]
    assert len(said) == 12 and said.between(0, 1).all()
