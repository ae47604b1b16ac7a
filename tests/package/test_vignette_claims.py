"""What vignettes conclude, checked against the tables on the same page.

Quick tests run pages without their live cells and check what rests on the tables in `vignettes/data`, slow ones all.
"""

import numpy as np
import pytest
from pages import page


def excludes_zero(low, high):
    return low > 0 or high < 0


@pytest.mark.slow
def test_digits():
    digits = page("digits", live=True)
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
    forecast = page("forecast", live=True)
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


def test_regularisation():
    regularisation = page("regularisation")
    turn, table = regularisation["turn"], regularisation["table"]
    regularisation.says("of 13 people", "over twenty training samples", "(means over six training samples)")
    assert regularisation["replicates"] == 20
    regularisation.says("Four units cannot tell ten digits apart, and after 200 epochs they are still learning")
    curves = regularisation["curves"]
    assert turn.loc["4 units", "test error then"] > 0.4
    assert curves.loc[("4 units", 200), "training_loss"] < 0.9 * curves.loc[("4 units", 140), "training_loss"]
    regularisation.says("From 16 units on the training loss goes to nothing", "The test loss turns",
                        "and the larger it is, the sooner. The share of test images read wrong does not turn.")  # fmt: skip
    large = turn.drop("4 units")
    assert (large["training loss then"] < 0.02).all() and (large["least test loss"] < large["after 200 epochs"]).all()
    assert large["epoch of least test loss"].is_monotonic_decreasing and large["epoch of least test loss"].is_unique
    for name in large.index:
        error = curves.loc[name, "test_error"]
        assert error[200] <= error[turn.loc[name, "epoch of least test loss"]]
    regularisation.says("L2 is near it (from epoch 140 on the training loss changes by less than 5 %), L1 is not yet")
    for name in ("L1, 0.0001", "L1, 0.001", "L2, 0.001", "L2, 0.01"):
        change = 1 - curves.loc[(name, 200), "training_loss"] / curves.loc[(name, 140), "training_loss"]
        assert (change < 0.05) == name.startswith("L2")

    error, loss = (table[f"{what}, to 128 units"] for what in ("error", "log loss"))

    def sign(part, name):
        mean, half = part.loc[name]
        return int(np.sign(mean)) if abs(mean) > half else 0

    regularisation.says("128 units read better than 16, although they learn all images by heart; than 64 they are not shown")
    assert sign(error, "16 units") == 1 and sign(error, "64 units") == 0
    stopped = ["early stopping, 300 + 300 labels", "early stopping, 240 + 60 labels"]
    kinds = ["L1, 0.0001", "L1, 0.001", "L2, 0.001", "L2, 0.01", "dropout, 0.5", "batch normalisation", *stopped]
    regularisation.says("no regularisation is shown to lower it. Dropout comes nearest, by half a percent point")
    assert all(sign(error, name) >= 0 for name in kinds)
    assert error.loc[kinds, "mean"].idxmin() == "dropout, 0.5" and 0.003 < -error.loc["dropout, 0.5", "mean"] < 0.007
    regularisation.says("Strong penalties raise it by one to three points.")
    for name in ("L1, 0.001", "L2, 0.01"):
        assert sign(error, name) == 1 and 0.01 <= error.loc[name, "mean"] <= 0.03
    regularisation.says("falls from 0.46 to between 0.35 and 0.40 by a weak penalty, dropout, batch normalisation or early",
                        "Their intervals overlap: which of them is best is not shown.")  # fmt: skip
    assert round(table.loc["128 units", ("log loss", "mean")], 2) == 0.46
    surer = ["L1, 0.0001", "L2, 0.001", "dropout, 0.5", "batch normalisation", *stopped]
    assert table.loc[surer, ("log loss", "mean")].round(2).between(0.35, 0.40).all()
    assert all(sign(loss, name) == -1 for name in surer)
    ends = loss.loc[surer]
    assert (ends["mean"] - ends["±"]).max() < (ends["mean"] + ends["±"]).min()
    regularisation.says("L2 of 0.001 leaves the error as it is and lowers the log loss", "L2 of 0.01 raises the error")
    assert [sign(error, "L2, 0.001"), sign(loss, "L2, 0.001")] == [0, -1]
    assert [sign(error, "L2, 0.01"), sign(loss, "L2, 0.01")] == [1, 0]
    regularisation.says("With 300 more it goes back to epoch 72 on average", "lower the error by 1.6 percent points")
    assert round(table.loc[stopped[0], ("", "epochs")]) == 72
    assert sign(error, "128 units, 600 labels") == -1 and round(100 * error.loc["128 units, 600 labels", "mean"], 1) == -1.6
    regularisation.says("it still gains in log loss, and loses half a point in error", "These are twelve comparisons")
    assert sign(loss, stopped[1]) == -1 and sign(error, stopped[1]) == 1
    assert round(100 * error.loc[stopped[1], "mean"], 1) == 0.5
    assert len(table) - 1 == 12


def test_degrees_of_freedom_choice():
    vignette = page("degrees_of_freedom")
    chosen, choice = vignette["chosen"], vignette["choice"]
    vignette.says("100 data sets; the oracle knows", "which was computed for 20 of the data sets")
    counts = chosen["n"].unstack()
    assert (counts.drop(columns="5-fold cross-validation").stack() == 100).all()
    assert counts.loc["no penalty", "5-fold cross-validation"] == 20
    vignette.says("always picks two units, and never a good network")
    own = choice[choice["criterion"] == "R's AIC"]
    assert (own["units"] == 2).all() and not own["good"].any()
    vignette.says("chooses almost as well as the criteria with the Jacobian's, where there are five starts")
    for setting in ("no penalty", "decay 1e-5"):
        weights, local = (chosen.loc[(setting, f"{c}")] for c in ("AIC, df weights", "AICc, df jacobian"))
        assert weights["high"] > local["low"] and weights["share"] > 0.75 and abs(weights["ratio"] - local["ratio"]) < 0.03
    vignette.says("With twenty it is worse than AIC with the Jacobian's, beyond the intervals.")
    twenty = chosen.loc["decay 1e-5, 20 starts"]
    assert twenty.loc["AIC, df weights", "high"] < twenty.loc["AIC, df jacobian", "low"]
    vignette.says("finds one of the best networks in 78 to 89 of 100 data sets")
    shares = chosen["share"].unstack()
    assert [round(100 * v) for v in (shares["AICc, df jacobian"].min(), shares["AICc, df jacobian"].max())] == [78, 89]
    vignette.says("That GCV, Cp or BIC are worse or better these intervals do not show, but for BIC without a penalty")
    for setting in shares.index:
        best = chosen.loc[(setting, "AICc, df jacobian")]
        for other in ("GCV, df jacobian", "Cp, df jacobian", "BIC, df jacobian"):
            row = chosen.loc[(setting, other)]
            apart = abs(row["ratio"] - best["ratio"]) > row["error"] + best["error"]
            assert row["low"] < best["high"] and best["low"] < row["high"]
            assert apart == ((setting, other) == ("no penalty", "BIC, df jacobian"))
    vignette.says("`divergence` is not defined at most of these optima")
    assert choice.loc[choice["criterion"] == "AICc, df divergence", "candidates_defined"].mean() < 7.5
    vignette.says("its interval ends below all the others' but R's and divergence's")
    folds = chosen.loc[("no penalty", "5-fold cross-validation"), "high"]
    others = [c for c in shares if c not in ("5-fold cross-validation", "AICc, df divergence", "R's AIC")]
    assert (chosen.loc["no penalty"].loc[others, "low"] > folds).all()


def test_degrees_of_freedom_coverage():
    vignette = page("degrees_of_freedom")
    coverage = vignette["coverage"]
    assert (coverage["replicates"] == coverage["method"].eq("jackknife+").map({True: 50, False: 500})).all()
    vignette.says("New observations are covered by all: between 94 and 97 %.", "between 93 and 96 %", "below 91 %")
    assert coverage.loc[coverage["target"] == "obs", "coverage"].between(0.94, 0.97).all()
    mean = coverage[coverage["target"] == "mean"].set_index(["design", "method"])
    assert mean.loc["right", "coverage"].between(0.93, 0.96).all()
    vignette.says("The sandwich and the bootstraps of cases and of residuals are about one percent point below the")
    for method in ("delta, sandwich", "bootstrap, case", "bootstrap, residual"):
        row = mean.loc[("right", method)]
        assert 0.005 < 0.95 - row["coverage"] < 0.015 and row["coverage"] + 2 * row["se"] < 0.95
    assert (mean.loc["too small", "coverage"] + 2 * mean.loc["too small", "se"] < 0.915).all()
    assert (mean.loc["too small", "coverage"] < 0.91).all()
