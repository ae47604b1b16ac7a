"""Generalised linear models, ours and statsmodels', and data for them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import raw
import statsmodels.api as sm
import statsmodels.formula.api as smf

from neuralstat.families import resolve_family


def _frame() -> pd.DataFrame:
    """Two covariates and a response of each kind."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 2))
    eta = 0.5 + 0.6 * x[:, 0] - 0.4 * x[:, 1]
    return pd.DataFrame({
        "u": x[:, 0], "v": x[:, 1], "gaussian": eta + rng.normal(size=60) * 0.3, "poisson": rng.poisson(np.exp(eta)),
        "binomial": (rng.random(60) < 1 / (1 + np.exp(-eta))).astype(float), "gamma": rng.gamma(4, np.exp(eta) / 4),
    }, index=np.arange(100, 160))  # fmt: skip


def _grouped() -> pd.DataFrame:
    """As above, with a factor."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"u": rng.normal(size=80), "v": rng.normal(size=80), "g": rng.choice(list("abc"), 80)})
    eta = 0.4 + 0.5 * frame["u"] + 0.3 * (frame["g"] == "b")
    frame["gaussian"] = eta + rng.normal(size=80)
    frame["poisson"] = rng.poisson(np.exp(eta))
    frame["binomial"] = (rng.random(80) < 1 / (1 + np.exp(-eta))).astype(float)
    frame["gamma"] = rng.gamma(3, np.exp(eta) / 3)
    frame["noise"] = rng.normal(size=80)
    return frame


FRAME, GROUPED = _frame(), _grouped()
NEW = pd.DataFrame({"u": [0.0, 1.0, -2.0], "v": [0.5, -1.0, 2.0]}, index=["a", "b", "c"])
FAMILIES = {
    "gaussian": sm.families.Gaussian(), "poisson": sm.families.Poisson(), "binomial": sm.families.Binomial(),
    "gamma": sm.families.Gamma(sm.families.links.Log()),
}  # fmt: skip


def glm(name: str):
    """Our GLM and statsmodels'."""
    theirs = smf.glm(f"{name} ~ u + v", FRAME, family=FAMILIES[name]).fit(tol=1e-14)
    ours = raw.neuralnet(f"{name} ~ u + v", FRAME, hidden=0, family=FAMILIES[name], algorithm="lm", threshold=1e-9)
    return ours, theirs


# every family and link ----------------------------------------------------------------------------------

N = 120
L, S = sm.families.links, sm.families

UNIT = (L.Logit, L.Probit, L.Cauchy, L.Log, L.LogC, L.CLogLog, L.LogLog, L.Identity)
CASES = [
    *(S.Gaussian(link()) for link in (L.Identity, L.Log, L.InversePower)),
    *(S.Binomial(link()) for link in UNIT),
    *(S.Poisson(link()) for link in (L.Log, L.Identity, L.Sqrt)),
    *(S.Gamma(link()) for link in (L.InversePower, L.Log, L.Identity)),
    *(S.InverseGaussian(link()) for link in (L.InverseSquared, L.InversePower, L.Log, L.Identity)),
    *(S.NegativeBinomial(link, alpha=0.4) for link in (L.Log(), L.CLogLog(), L.Identity(), L.NegativeBinomial(0.4),
                                                       L.Power(0.5), L.Power(1 / 3))),
    *(S.Tweedie(link, var_power=1.5) for link in (L.Log(), L.Power(0.7), L.Identity())),
    S.Tweedie(L.Log(), var_power=1), S.Tweedie(L.Log(), var_power=2), S.Tweedie(L.Log(), var_power=2.5),
]  # fmt: skip
IDS = [str(resolve_family(c)).replace(" ", "") + str(k) for k, c in enumerate(CASES)]


def predictor(family, frame):
    """A linear predictor well inside the range of the link."""
    t = 0.5 * frame.x + 0.3 * frame.z  # in (0, 0.8)
    name = family.link.name
    if name in ("log", "logc") and family.name == "binomial":
        return -1.5 + t
    if name == "nbinom":
        return -1.2 + t
    if name == "cloglog" and family.name == "negative_binomial":
        return -1.0 + t
    if name == "identity" and family.name == "binomial":
        return 0.1 + t
    if family.name == "binomial":
        return -0.5 + 1.5 * t
    return 0.6 + t


def data(family, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.uniform(size=N), "z": rng.uniform(size=N), "e": rng.uniform(0, 0.05, N)})
    frame["w"] = rng.integers(1, 6, N).astype(float)
    mu = family.link.inverse(predictor(family, frame) + frame.e)
    mu = np.asarray(mu)
    if family.name == "gaussian":
        frame["y"] = mu + 0.1 * rng.normal(size=N)
    elif family.name == "binomial":
        frame["y"] = rng.binomial(1, mu).astype(float)
        frame["p"] = rng.binomial(frame.w.astype(int), mu) / frame.w
    elif family.name == "poisson":
        frame["y"] = rng.poisson(mu).astype(float)
    elif family.name == "negative_binomial":
        frame["y"] = rng.negative_binomial(2.5, 1 / (1 + 0.4 * mu)).astype(float)
    elif family.name == "tweedie" and family.parameter < 2:
        frame["y"] = [rng.gamma(1.0, 0.6, k).sum() for k in rng.poisson(1.5 * mu)]
        if family.parameter == 1:
            frame["y"] = rng.poisson(mu).astype(float)
    else:
        frame["y"] = rng.gamma(4.0, mu / 4.0)
    return frame


def theirs(case, frame, y="y", **options):
    exog = sm.add_constant(frame[["x", "z"]])
    endog = frame[y] if isinstance(y, str) else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sm.GLM(endog, exog, family=case, **options)
        family = resolve_family(case)
        # their starting values are impossible for some links
        start = np.append(np.mean(predictor(family, frame)), [0.01, 0.01])
        # where the dispersion is estimated, t on n - p: as in lm and R's summary.glm
        fine = {"maxiter": 500, "tol": 1e-14, "use_t": family.dispersed}
        result = model.fit(start_params=start, tol_criterion="params", **fine)
        robust = model.fit(start_params=result.params, cov_type="HC0", **fine)
    return result, robust


def ours(case, frame, start, y="y", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return raw.neuralnet(
            f"{y} ~ x + z", frame, hidden=0, family=case, startweights=list(start), stepmax=1, **options
        )
