"""Cp for new covariates: the paper's closed forms, their meaning by simulation, and the stand-in of networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.assessment.random_x import new_variance, random_x_df
from neuralstat.errors import ArgumentError, DfError, DfWarning


def _data(n=50, p=6, seed=1):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"x{k}" for k in range(p)])
    data["y"] = data["x0"] - data["x1"] + 0.3 * data["x2"] ** 2 + rng.normal(size=n)
    data["z"] = 5 * data["y"] + rng.normal(size=n)
    return data


DATA = _data()


def plain(x, y, sigma2=None):
    """RCp and RCp+ of least squares without a constant, by the formulas of the paper."""
    n, p = x.shape
    hat = x @ np.linalg.solve(x.T @ x, x.T)
    r, h = y - hat @ y, np.diag(hat)
    sigma2 = r @ r / (n - p) if sigma2 is None else sigma2
    rcp = r @ r / n + sigma2 * p / n * (2 + (p + 1) / (n - p - 1))
    return rcp, rcp + np.mean(((1 - h) ** -2 - 1) * (r**2 - (1 - h) * sigma2))


def test_of_least_squares_without_a_constant():
    fit = ns.neuralnet("y ~ .", DATA.drop(columns="z"), hidden=0, exclude=["Intercept.to.y"], standardize=False)
    x, y = DATA[[f"x{k}" for k in range(6)]].to_numpy(), DATA["y"].to_numpy()
    for sigma in (None, 0.9):
        found, plus = plain(x, y, None if sigma is None else sigma**2)
        rcp = ns.risk(fit, "rcp", sigma=sigma)
        assert rcp == pytest.approx(found, rel=1e-6) and rcp.target == "new_x"
        assert ns.risk(fit, "rcp+", sigma=sigma) == pytest.approx(plus, rel=1e-6)
        assert rcp.details["random_x_df"] == pytest.approx(6, rel=1e-6)
    n, p = x.shape
    rss = float(np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2))
    assert ns.risk(fit, "rcp") == pytest.approx(rss * (n - 1) / ((n - p) * (n - p - 1)), rel=1e-6)  # the criterion Sp


def test_of_a_constant_weights_frequencies_and_several_responses():
    w = np.random.default_rng(2).integers(1, 4, 50).astype(float)
    one = ns.neuralnet("y ~ x0 + x1 + x2", DATA, hidden=0, weights=w)
    root = np.sqrt(w)
    x = np.column_stack([np.ones(50), DATA[["x0", "x1", "x2"]]]) * root[:, None]
    hat = x @ np.linalg.solve(x.T @ x, x.T)
    r, h = (np.eye(50) - hat) @ (DATA["y"] * root), np.diag(hat)
    sigma2, scale = r @ r / 46, 50 / w.sum()
    rcp = (r @ r / 50 + sigma2 * (4 / 50 + 51 * 48 / (50 * 45) - 1)) * scale
    assert ns.risk(one, "rcp") == pytest.approx(rcp, rel=1e-5)
    plus = rcp + np.mean(((1 - h) ** -2 - 1) * (r**2 - (1 - h) * sigma2)) * scale
    assert ns.risk(one, "rcp+") == pytest.approx(plus, rel=1e-5)
    long = DATA.loc[np.repeat(DATA.index, w.astype(int))]
    for method in ("rcp", "rcp+"):
        whole = ns.risk(ns.neuralnet("y ~ x0 + x1", long, hidden=0), method)
        short = ns.risk(ns.neuralnet("y ~ x0 + x1", DATA, hidden=0, freq_weights=w), method)
        assert short == pytest.approx(float(whole), rel=1e-5)
        both = ns.risk(ns.neuralnet("y + z ~ x0 + x1", DATA, hidden=0), method, sigma=1.0)
        each = [ns.risk(ns.neuralnet(f"{v} ~ x0 + x1", DATA, hidden=0), method, sigma=1.0) for v in "yz"]
        assert both == pytest.approx(np.mean([float(e) for e in each]), rel=1e-5)


def test_variance_at_new_covariates():
    """Of least squares and ridge regression on normal covariates, against simulation."""
    rng, n = np.random.default_rng(3), 40
    for p, decay, constant in [(8, 0.0, False), (8, 0.0, True), (15, 10.0, False)]:
        true, said = [], []
        for _ in range(400):
            x, new = rng.normal(size=(n, p)), rng.normal(size=(30, p))
            if constant:
                x, new = np.column_stack([np.ones(n), x]), np.column_stack([np.ones(30), new])
            inverse = np.linalg.solve(x.T @ x + decay * np.eye(x.shape[1]), x.T)
            true.append(np.mean(np.sum((new @ inverse) ** 2, axis=1)))
            hat = x @ inverse
            said.append(new_variance(n, np.trace(hat), np.sum(hat**2), constant))
        se = np.std(np.subtract(true, said), ddof=1) / 20
        assert abs(np.mean(true) - np.mean(said)) < 4 * se + (0.01 if decay else 0) < 0.06


def test_degrees_of_freedom_for_new_rows():
    for d in (0.0, 3.0, 40.0):
        assert random_x_df(d / 60 + d / (60 - d - 1), 60) == pytest.approx(d, abs=1e-9)
    wide = ns.neuralnet("y ~ poly(x0, 8)", DATA, hidden=0)
    ridge = ns.neuralnet("y ~ poly(x0, 8)", DATA, hidden=0, penalty=ns.decay(5.0))
    assert 0 < ns.risk(ridge, "rcp").details["random_x_df"] < ns.risk(wide, "rcp").details["random_x_df"]


def test_of_networks_it_is_the_formula_with_their_degrees_of_freedom():
    fit = raw.neuralnet("y ~ x0 + x1", DATA, hidden=2, penalty=ns.decay(0.3), algorithm="lm", threshold=1e-5, random_state=1)
    found = ns.risk(fit, "rcp", sigma=1.0, draws=20, random_state=2)
    d = float(fit.df("gdf", rep="mean", sigma=1.0, draws=20, random_state=2))
    rss = np.mean(fit.resid**2)
    assert found == pytest.approx(rss + d / 50 * (2 + (d + 1) / (49 - d)), rel=1e-9)
    assert found.details["random_x_df"] == pytest.approx(d) and found.notes == ()
    assert ns.risk(fit, "rcp:jacobian", sigma=1.0) == ns.risk(fit, "rcp", df=fit.df("jacobian", rep="mean"), sigma=1.0)
    with pytest.warns(DfWarning, match="more than half"):
        ns.risk(fit, "rcp", df=30.0, sigma=1.0)
    loose = raw.neuralnet("y ~ x0 + x1", DATA, hidden=1, algorithm="lm", threshold=1e-3, random_state=1)
    with pytest.warns(DfWarning, match="without a penalty nothing holds"):
        ns.risk(loose, "rcp", df=5.0)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_refusals():
    net = raw.neuralnet("y ~ x0 + x1", DATA, hidden=2, penalty=ns.decay(0.3), algorithm="lm", threshold=1e-5, random_state=1)
    line = ns.neuralnet("y ~ x0 + x1", DATA, hidden=0)
    classes = ns.neuralnet("c ~ x0", DATA.assign(c=(DATA["y"] > 0) * 1.0), hidden=0, family="binomial")
    short = raw.neuralnet("y ~ x0", DATA, hidden=0, algorithm="adam", epochs=3, random_state=1)
    for fit, method, options, match in [
        (net, "rcp+", {}, "linear models at their optimum"), (short, "rcp+", {}, "linear models at their optimum"),
        (classes, "rcp", {}, "additive noise"), (line, "rcp", {"loss": "mae"}, "loss='mse'"),
        (line, "rcp", {"df": 3.0}, "df is for networks"), (line, "rcp", {"draws": 30}, "draws is for networks"),
        (net, "rcp", {"df": 3.0, "draws": 30}, "draws is not used with df=3"), (line, "rcp+", {"df": 3.0}, "no option 'df'"),
        (line, "rcp", {"sigma": 0.0}, "sigma"), (net, "rcp", {"df": "no"}, "df"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(fit, method, **options)
    with pytest.raises(DfError, match="reach the number of observations"):
        ns.risk(net, "rcp", df=49.5)
    full = ns.neuralnet("y ~ .", _data(9, 7).drop(columns="z"), hidden=0)
    with pytest.raises(DfError, match="not defined where df"):
        ns.risk(full, "rcp", sigma=1.0)
    alone = ns.neuralnet("y ~ x0 + lone", DATA.assign(lone=(np.arange(50) == 3) * 1.0), hidden=0)
    with pytest.raises(DfError, match="leverage of 1"):
        ns.risk(alone, "rcp+")
