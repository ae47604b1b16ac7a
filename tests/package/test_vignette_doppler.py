"""What the vignette on Doppler data concludes, checked against its tables (see `test_vignette_claims`)."""

import numpy as np
import pytest
from pages import page


def test_risk_over_the_tuning_parameter():
    doppler = page("doppler")
    risk, paired = doppler["risk"], doppler["paired"]
    assert doppler["sets"] == 60 and len(paired) == 60
    doppler.says("over 60 data sets")
    assert (doppler["runs"]["status"] == "ok").all()
    splines, stopped, optimum = (risk.loc[kind] for kind in ("B-splines", "R's stop", "optimum"))
    deep = risk.loc["(10, 5, 15), R's stop"].iloc[0]

    def apart(a, b):
        """Difference of two models' risks in standard errors, data set by data set."""
        return (paired[a] - paired[b]).mean() / (paired[a] - paired[b]).sem()

    doppler.says("have a best number, 50, and get worse beyond it")
    assert splines["mean"].idxmin() == 50
    assert all(apart(("B-splines", k), ("B-splines", 50)) > 2 for k in (80, 100))
    doppler.says("gets better up to 15 units and no worse by 20", "the best of them has four times the risk of 50 splines")
    assert stopped.loc[:15, "mean"].is_monotonic_decreasing and stopped["mean"].idxmin() == 15
    assert abs(apart(("R's stop", 20), ("R's stop", 15))) < 2
    assert round(stopped["mean"].min() / splines["mean"].min()) == 4
    doppler.says("has half the risk of 50 splines (a difference of 0.0021, with a standard error of 0.0002)")
    difference = paired["B-splines", 50] - paired["(10, 5, 15), R's stop", 30]
    assert round(difference.mean(), 4) == 0.0021 and round(difference.sem(), 4) == 0.0002
    assert 0.45 < deep["mean"] / splines["mean"].min() < 0.55
    doppler.says("has about a third of the splines' risk from 10 units on. It does not get worse up to 20 units.")
    assert (optimum.loc[10:, "mean"] / splines["mean"].min()).between(0.28, 0.42).all()
    assert all(apart(("optimum", k), ("optimum", 10)) < 2 for k in (15, 20))


def test_decay_or_units():
    doppler = page("doppler")
    against, risk = doppler["against"], doppler["risk"]
    doppler.says("Too much decay is as bad as too few units.")
    assert risk.loc[("20 units, decay", 0.1), "mean"] > risk.loc[("optimum", 2), "mean"]
    doppler.says("With a decay of 0.00001 or less, 20 units have the risk of 10 to 20 units without any penalty")
    doppler.says("none of these differences is larger than two standard errors", "is not shown to be worse than these")
    ratio = (against["less 10 units without penalty"] / against["standard error"]).abs()
    kept = [("20 units, decay", v) for v in ("1e-05", "1e-06", "1e-07")] + [("optimum", "15"), ("optimum", "20")]
    assert (ratio.loc[kept] < 2).all() and ratio.loc[("(10, 5, 15), R's stop", "30")] < 2
    assert (ratio.drop([*kept, ("(10, 5, 15), R's stop", "30"), ("optimum", "7")]) > 2).all()


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    doppler = page("doppler", live=True)
    halves = doppler["halves"]
    doppler.says("Of these six, 100 are best at the left and 25 at the right")
    assert [halves["x < 0.2"].idxmin(), halves["x > 0.4"].idxmin()] == [100, 25]
    assert doppler["deep"].converged and doppler["deep"].k_params == 181
    drawn = doppler["drawn"]
    doppler.says("the worst with twice the error of the best", "the error is about three times as large")
    assert 1.8 < drawn.loc["(3, 4)"].max() / drawn.loc["(3, 4)"].min() < 2.6
    assert 2.5 < drawn.loc["(2, 2), constrained"].min() / drawn.loc["(2, 2)"].min() < 3.5
    aic = doppler["aic"]
    doppler.says("R's criterion is least for two units", "least for seven, whose risk is a hundredth of that")
    assert aic["R's AIC"].idxmin() == 2 and aic["corrected AIC"].idxmin() == 7
    risk = aic["risk against the truth"]
    assert 80 < risk[2] / risk[7] < 130
    doppler.says("1.4 times the least in this table")
    assert round(risk[7] / risk.min(), 1) == 1.4
    cv = doppler["cv"]
    doppler.says("Three units are worse than ten by more than two standard errors; that ten differ from twenty is not shown.")
    z = cv["less 10 units"] / cv["its standard error"].replace(0, np.nan)
    assert z[3] > 2 and abs(z[20]) < 2
    doppler.says("All estimates lie above their median fold: each has a fold that costs more than twice the mean.")
    assert (cv["estimate"] > cv["median fold"]).all() and (cv["worst fold"] > 2 * cv["estimate"]).all()
    doppler.says("The intervals hold most of the 200 observations")
    assert 180 <= doppler["inside"].sum() < 200
