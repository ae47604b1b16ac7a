"""Quantities at a linear predictor against arithmetic of 400 digits, far beyond where means round."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from neuralstat.families import (
    Binomial,
    Gamma,
    Gaussian,
    InverseGaussian,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Tweedie,
    power,
    working,
)

INVERSES = {
    "logit": lambda e: 1 / (1 + mp.exp(-e)), "probit": lambda e: mp.erfc(-e / mp.sqrt(2)) / 2,
    "cloglog": lambda e: -mp.expm1(-mp.exp(e)), "loglog": lambda e: mp.exp(-mp.exp(-e)),
    "cauchy": lambda e: mp.atan2(1, -e) / mp.pi, "log": mp.exp, "logc": lambda e: -mp.expm1(e), "identity": lambda e: e,
    "sqrt": lambda e: e**2, "inverse_power": lambda e: 1 / e, "inverse_squared": lambda e: e ** (-mp.mpf(1) / 2),
    "power(0.3)": lambda e: e ** (1 / mp.mpf(0.3)), "nbinom": lambda e: 2 / mp.expm1(-e),
}  # fmt: skip
SLOPES = {
    "logit": lambda e, m: m * (1 - m), "probit": lambda e, m: mp.npdf(e), "cloglog": lambda e, m: mp.exp(e - mp.exp(e)),
    "loglog": lambda e, m: mp.exp(-e - mp.exp(-e)), "cauchy": lambda e, m: 1 / (mp.pi * (1 + e * e)), "log": lambda e, m: m,
    "logc": lambda e, m: -mp.exp(e), "identity": lambda e, m: mp.mpf(1), "sqrt": lambda e, m: 2 * e,
    "inverse_power": lambda e, m: -1 / e**2, "inverse_squared": lambda e, m: -(e ** (-mp.mpf(3) / 2)) / 2,
    "power(0.3)": lambda e, m: e ** (1 / mp.mpf(0.3) - 1) / mp.mpf(0.3), "nbinom": lambda e, m: m * (1 + m / 2),
}  # fmt: skip


def _log(a, b):
    return mp.mpf(0) if a == 0 else a * mp.log(b)


def exact(family, eta: float, y: float) -> dict[str, float]:
    """What `working` gives, by its definitions."""
    with mp.workdps(400):
        e, v = mp.mpf(eta), mp.mpf(y)
        mu, p = INVERSES[family.link.name](e), mp.mpf(family.parameter)
        rise = SLOPES[family.link.name](e, mu)
        variance, deviance = {
            "binomial": lambda: (mu * (1 - mu), _log(v, v / mu) + _log(1 - v, (1 - v) / (1 - mu))),
            "poisson": lambda: (mu, _log(v, v / mu) - (v - mu)),
            "gamma": lambda: (mu**2, (v - mu) / mu - mp.log(v / mu)),
            "inverse_gaussian": lambda: (mu**3, (v - mu) ** 2 / (2 * v * mu**2)),
            "negative_binomial": lambda: (mu + p * mu**2, _log(v, v / mu) - (v + 1 / p) * mp.log((1 + p * v) / (1 + p * mu))),
            "tweedie": lambda: (mu**p, v ** (2 - p) / ((1 - p) * (2 - p)) - v * mu ** (1 - p) / (1 - p)
                                + mu ** (2 - p) / (2 - p)),
        }[family.name]()  # fmt: skip
        return {
            "weights": float(rise**2 / variance), "pearson": float((v - mu) / mp.sqrt(variance)),
            "scores": float((v - mu) * rise / variance), "residuals": float((v - mu) / rise),
            "unit_deviance": float(2 * deviance),
        }  # fmt: skip


def check(family, eta: float, y: float) -> None:
    at = np.array([eta])
    found = {
        "weights": working.weights(family, at), "pearson": working.pearson(family, y, at),
        "scores": working.scores(family, y, at), "residuals": working.residuals(family, y, at),
        "unit_deviance": working.unit_deviance(family, y, at),
    }  # fmt: skip
    for name, value in exact(family, eta, y).items():
        where = f"{family!r}, eta = {eta}, y = {y}: {name}"
        np.testing.assert_allclose(found[name][0], value, rtol=1e-9, atol=1e-12 if name == "unit_deviance" else 1e-300,
                                   err_msg=where)  # fmt: skip
    residual = working.resid_dev(family, y, at, 2.0)[0]
    assert residual**2 == pytest.approx(2 * max(found["unit_deviance"][0], 0), rel=1e-9, abs=1e-12)
    assert np.sign(residual) in (0, np.sign(found["pearson"][0]))


@pytest.mark.parametrize(
    ("link", "etas"),
    [("logit", (-600, -60, -38, -5, 0.1, 3, 37.5, 60, 600)), ("probit", (-37, -9, -1, 0.2, 8.5, 20, 37)),
     ("cloglog", (-300, -40, -3, 0.5, 3.5, 5.5)), ("loglog", (-5.5, -3.5, 0.5, 3, 40, 300)),
     ("cauchy", (-1e9, -50, -1, 1, 50, 1e9)), ("log", (-300, -38, -1, -1e-9)), ("logc", (-300, -38, -1, -1e-9)),
     ("identity", (1e-12, 0.4, 0.999))],
)  # fmt: skip
def test_binomial(link, etas):
    for eta in etas:
        for y in (0.0, 0.3, 1.0):
            check(Binomial(link), float(eta), y)


@pytest.mark.parametrize(
    "family",
    [Poisson(), Poisson("sqrt"), Poisson("identity"), Gamma("log"), Gamma(), Gamma("identity"), InverseGaussian("log"),
     InverseGaussian(), NegativeBinomial(0.5), NegativeBinomial(0.5, "nbinom"), Tweedie(1.5), Tweedie(1.2, power(0.3))],
    ids=repr,
)  # fmt: skip
def test_positive(family):
    etas = {"log": (-250, -60, -1, 1.3, 60, 250), "nbinom": (-200, -30, -1, -1e-9)}
    for eta in etas.get(family.link.name, (1e-20, 0.5, 2, 1e20)):
        for y in (0.5, 3.0) if family.needs == "positive" else (0.0, 3.0):
            check(family, float(eta), y)


def test_log_likelihoods():
    """Differences of log-likelihoods are half those of deviances, also where means round."""
    for family, y in ((Binomial(), 0.0), (Binomial("probit"), 1.0), (Poisson(), 3.0), (NegativeBinomial(2.0), 1.0)):
        eta = np.array([-30.0, -3.0, 0.5, 30.0])
        values = working.loglike_obs(family, y, eta, 2.0)
        deviances = working.unit_deviance(family, y, eta)
        np.testing.assert_allclose(np.diff(values), -np.diff(deviances), rtol=1e-9)
        np.testing.assert_allclose(values[1:3], family.loglike_obs(y, family.link.inverse(eta[1:3]), 2.0), rtol=1e-10)
    assert working.loglike_obs(Binomial(), 0.0, np.array([400.0]))[0] == pytest.approx(-400)


def test_additive():
    """Means are taken as they are, negative ones too."""
    eta, y = np.array([-2.0, 0.5]), np.array([1.0, 1.0])
    family = Gaussian("inverse_power")
    np.testing.assert_allclose(working.pearson(family, y, eta), y - 1 / eta)
    np.testing.assert_allclose(working.weights(family, eta), eta**-4)
    np.testing.assert_allclose(working.scores(family, y, eta), -(y - 1 / eta) / eta**2)
    np.testing.assert_allclose(working.residuals(family, y, eta), -(y - 1 / eta) * eta**2)
    np.testing.assert_allclose(working.unit_deviance(family, y, eta), (y - 1 / eta) ** 2)


def test_multinomial():
    family = Multinomial()
    rng = np.random.default_rng(1)
    eta, y = rng.normal(size=(4, 6)) * 3, rng.multinomial(5, [0.25] * 4, size=6).T.astype(float)
    p = np.exp(eta) / np.exp(eta).sum(axis=0)
    np.testing.assert_allclose(working.weights(family, eta), p * (1 - p))
    np.testing.assert_allclose(working.pearson(family, y, eta, 2.0), family.pearson(y, p, 2.0), atol=1e-12)
    np.testing.assert_allclose(working.scores(family, y, eta), y - 5 * p, atol=1e-12)
    np.testing.assert_allclose(working.residuals(family, y, eta), (y - 5 * p) / (p * (1 - p)), atol=1e-9)
    np.testing.assert_allclose(working.unit_deviance(family, y, eta).sum(axis=0), family.unit_deviance(y, p).sum(axis=0))
    np.testing.assert_allclose(working.resid_dev(family, y, eta) ** 2, family.resid_dev(y, p) ** 2, atol=1e-9)
    np.testing.assert_allclose(working.loglike_obs(family, y, eta), family.loglike_obs(y, p))
    far = np.array([[300.0], [0.0], [-20.0]])
    one = np.array([[0.0], [1.0], [0.0]])
    np.testing.assert_allclose(working.loglike_obs(family, one, far), -300)
    np.testing.assert_allclose(working.weights(family, far)[:2, 0], np.exp(-300), rtol=1e-8)
    np.testing.assert_allclose(working.pearson(family, one, far)[1], np.exp(150), rtol=1e-8)
    np.testing.assert_allclose(working.residuals(family, one, far)[0], -np.exp(300), rtol=1e-8)


def test_means_that_round():
    """Functions of means have no 0 / 0 where a mean rounds to what was observed."""
    one, zero = np.ones(1), np.zeros(1)
    for y, mu in ((one, one), (zero, zero)):
        assert Binomial().unit_deviance(y, mu) == 0 and Binomial().pearson(y, mu) == 0 and Binomial().resid_dev(y, mu) == 0
    for family in (Poisson(), NegativeBinomial(1.0)):
        assert family.unit_deviance(zero, zero) == 0 and family.pearson(zero, zero) == 0
    classes = np.array([[1.0], [0.0]])
    assert np.all(Multinomial().unit_deviance(classes, classes) == 0) and np.all(Multinomial().pearson(classes, classes) == 0)
    assert Binomial().unit_deviance(one, zero) == np.inf


def test_ends():
    """At infinity weights are 0, and what was observed there has no residual."""
    for link in ("logit", "probit", "cloglog", "loglog"):
        for end, y in ((np.inf, 1.0), (-np.inf, 0.0), (900.0, 1.0), (-900.0, 0.0)):
            at = np.array([end])
            assert working.weights(Binomial(link), at) == 0
            assert abs(working.pearson(Binomial(link), y, at)) < 1e-150
            assert working.unit_deviance(Binomial(link), y, at) == pytest.approx(0, abs=1e-15)
