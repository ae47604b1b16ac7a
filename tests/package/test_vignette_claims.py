"""What vignettes conclude, checked against the tables on the same page.

Quick tests run the quick form of a page and check what rests on the tables in `vignettes/data`; slow ones run pages in full.
"""

import numpy as np
import pytest
from pages import page


def excludes_zero(low, high):
    return low > 0 or high < 0


@pytest.mark.slow
def test_digits():
    digits = page("digits", quick=False)
    digits.says("After 100 epochs every restart reads every training image right.", "The loss goes on falling all the same")
    assert (digits["ended"]["accuracy"] == 1).all()
    for fit in digits["fits"].values():
        loss = fit.history.groupby("epoch")["loss"].mean()
        assert loss[100] < 0.7 * loss[80]
    table = digits["table"]
    digits.says("Of 100 test images both networks misread about seven",
                "the test images leave that uncertain by two to either side")  # fmt: skip
    singles = table.loc[["dense, one network", "convolution, one network"]]
    assert singles["share"].between(0.065, 0.077).all()
    assert ((singles["high"] - singles["low"]) / 2).between(0.015, 0.025).all()
    digits.says("the restarts add little")
    assert (singles["se, restarts"] < 0.25 * singles["se, images"]).all()
    digits.says("both intervals for the difference include zero")
    for what in ("one network", "mean of ten"):
        assert not excludes_zero(*table.loc[f"dense less convolution, {what}", ["low", "high"]])
    digits.says("the mean of ten misreads about one image in a hundred less than one network, and the interval excludes zero")
    gain = table.loc["convolution: one network less mean of ten"]
    assert 0.006 < gain["share"] < 0.014 and excludes_zero(gain["low"], gain["high"])
    digits.says("For the dense network it includes zero")
    assert not excludes_zero(*table.loc["dense: one network less mean of ten", ["low", "high"]])
    counts = {name: fit.k_params for name, fit in digits["fits"].items()}
    digits.says("Two networks of about the same number of weights")
    assert abs(np.log(counts["dense"] / counts["convolution"])) < 0.1


@pytest.mark.slow
def test_forecast():
    forecast = page("forecast", quick=False)
    differences, models = forecast["differences"].sort_index(), list(forecast["forecasts"])
    networks = ["dense (16)", "SimpleRNN (8)", "LSTM (8)", "LSTM (8), month"]
    forecast.says("All five see the same 385 rows: the 420 months less 12 lags and 23 leads. 296 weights and more")
    assert (forecast["used"]["rows"] == 385).all() and 420 - 12 - 23 == 385 and forecast["used"]["weights"].min() == 296
    assert len(forecast["train"]) == 420
    forecast.says("Neighbouring origins share 23 of their 24 months", "so 289 forecasts")
    forecast.says("There are eight blocks in the test years")
    assert len(forecast["origins"]) == 289 and 289 // forecast["block"] == 8
    forecast.says("trained on, they get worse on the rows that are held out")
    for fit, loss in forecast["tries"].values():
        assert fit.history["epoch"].max() == loss.idxmin() < 400 and loss.iloc[-1] > loss.min()
    assert forecast["arima_converged"]

    forecast.says("with five parameters that all leads share, is the best: one month ahead, and over all leads, every other")
    forecast.says("is worse by more than the intervals allow. At single leads between, some intervals include zero.")
    assert len(forecast["arima"].params) == 5
    to_arima = differences.loc["SARIMA"]
    assert (to_arima.loc[(slice(None), ["1", "all"]), "low"] > 0).all() and len(to_arima) == 6 * (len(models) - 1)
    assert (to_arima["difference"] > 0).all()
    assert (to_arima.loc[(slice(None), ["3", "6", "12"]), "low"] < 0).any()

    forecast.says("A year ahead and beyond no model is shown to be better than the mean of the month.",
                  "24 months ahead all networks and the linear regression are worse than it, by about 0.1 °C.")  # fmt: skip
    to_mean = differences.loc["mean of the month"]
    assert (to_mean.loc[(slice(None), ["12", "24"]), "high"] > 0).all()
    late = to_mean.loc[([*networks, "linear"], "24"), :]
    assert len(late) == 5 and (late["low"] > 0).all() and late["difference"].between(0.05, 0.15).all()

    forecast.says("the dense network differ by less than 0.1 °C at every lead")
    by_lead = forecast["by_lead"]
    assert (by_lead["dense (16)"] - by_lead["linear"]).abs().max() < 0.1

    forecast.says("makes the LSTM's errors smaller up to half a year ahead")
    forecast.says("every interval for the difference includes zero")
    month = differences.loc[("LSTM (8)", "LSTM (8), month")]
    assert (month.loc[["1", "3", "6"], "difference"] < 0).all()
    assert not [True for low, high in month[["low", "high"]].to_numpy() if excludes_zero(low, high)]

    forecast.says("all forecasts for it lie more than 2 °C below what came", "the tables above hold 26 years")
    nino = forecast["nino"]
    assert (nino.drop("observed") < nino["observed"] - 2).all() and len(nino) == 1 + len(models)
