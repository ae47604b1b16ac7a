"""Numbers of R 4.2.2: lme4 1.1-31 and mgcv 1.8-41, and of statsmodels.

lme4 with control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5)), for glmer with tolPwrss =
1e-12 as well; mgcv with method = "REML", control = gam.control(epsilon = 1e-14, newton = list(conv.tol = 1e-13)).
"""

from __future__ import annotations

import numpy as np
import pytest
from mixed_models import herds, random_term, sleepstudy

from neuralstat import datasets
from neuralstat.families import Binomial, Gamma, Gaussian, InverseGaussian, Poisson, QuasiPoisson
from neuralstat.mixed import Penalised, Problem, fit

# Penicillin$diameter, plates a to x within samples A to F
PLATES = """27 27 25 26 25 24 24 26 24 24 26 25 26 26 26 25 25 25 24 26 25 25 24 24 23 23 21 23 22 22 20 22 21 21 23 22 24
23 23 22 21 22 21 23 21 22 21 21 26 26 25 25 26 25 23 26 24 24 26 26 26 26 25 25 24 24 23 26 24 25 24 24 23 23
24 23 22 23 21 24 22 23 24 24 24 23 24 23 23 23 21 24 22 22 22 22 23 23 24 23 23 22 22 24 22 22 24 24 25 23 24
23 23 23 21 24 22 22 24 21 21 21 20 20 20 19 19 21 20 19 21 20 22 20 22 20 20 19 19 21 18 20 19 18"""
DYESTUFF = """1545 1440 1440 1520 1580 1540 1555 1490 1560 1495 1595 1550 1605 1510 1560 1445 1440 1595 1465 1545 1595 1630
1515 1635 1625 1520 1455 1450 1480 1445"""
DYESTUFF2 = """7.298 3.846 2.434 9.566 7.99 5.22 6.556 0.608 11.788 -0.892 0.11 10.386 13.434 5.51 8.166 2.212 4.852 7.092
9.288 4.98 0.282 9.014 4.458 9.446 7.198 1.722 4.782 8.106 0.758 3.758"""
COUNTS = """5 4 4 5 3 3 4 6 6 6 7 7 5 4 5 7 7 8 9 10 8 6 6 7 7 8 11 13 11 8 8 8 7 7 10 13 13 11 10 9 7 6 8 11 12 11 11 10 8
6 6 8 9 9 10 10 8 5 5 6 6 6 7 9 7 5 4 5 4 3 5 6 6 4 4 4 3 2 3 4 4 3 3 4 3 1 2 3 3 2 3 4 3 1 1 3 2 1 2 3 3 1 1 2
2 1 1 3 3 1 1 2 2 1 1 3 3 1 2 3"""


def numbers(text: str) -> np.ndarray:
    return np.array([float(v) for v in text.split()])


def se(solution) -> np.ndarray:
    return np.sqrt(np.diag(solution.cov_beta))


def is_lme4(solution, beta, errors, sds, sigma, loglik, correlation=None):
    assert solution.converged
    assert solution.beta == pytest.approx(beta, rel=1e-6)
    assert se(solution) == pytest.approx(errors, rel=1e-5)
    found = np.concatenate([np.sqrt(np.diag(c)) for c in solution.covariances])
    assert found == pytest.approx(sds, rel=1e-5, abs=1e-6)
    assert np.sqrt(solution.scale) == pytest.approx(sigma, rel=1e-6)
    assert solution.log_evidence == pytest.approx(loglik, abs=1e-7)
    if correlation is not None:
        assert solution.covariances[0][0, 1] / np.prod(found[:2]) == pytest.approx(correlation, abs=2e-6)


def test_sleepstudy():
    # m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy); ranef(m); attr(ranef(m, condVar = TRUE)$Subject, "postVar")
    found = fit(sleepstudy())
    assert found.criterion == "REML"
    is_lme4(found, [251.405104848, 10.4672859596], [6.82455577628, 1.54578893243], [24.7404476167, 5.92213325958],
            25.5918158926, -871.814135979, 0.0655513428535)  # fmt: skip
    effects = [[2.25856550059, 9.19897190423], [-40.39857692492, -8.61970318296], [-38.96024580074, -5.44887991716]]
    assert found.effects[0][:3] == pytest.approx(np.array(effects), rel=1e-5)
    variance = np.array([[145.7050939873, -21.44442513376], [-21.4444251338, 5.31227349584]])
    assert found.conditional_variances[0][0] == pytest.approx(variance, rel=1e-5)


def test_sleepstudy_otherwise():
    # REML = FALSE
    is_lme4(fit(sleepstudy(), "ML"), [251.405104848, 10.4672859596], [6.63227642116, 1.50223679257],
            [23.7805649857756, 5.7168345798898], 25.5918158320228, -875.969672232, 0.0813199745871)  # fmt: skip
    # Days + (1 | Subject)
    is_lme4(fit(sleepstudy(slopes=False)), [251.405104848, 10.4672859596], [9.74671634386, 0.804221428178], [37.1238271281],
            30.9912338691, -893.232542697)  # fmt: skip
    # Days + (Days || Subject)
    is_lme4(fit(sleepstudy(correlated=False)), [251.405104848, 10.4672859596], [6.88538150765, 1.55956599631],
            [25.05132964277, 5.98817182494], 25.56528515175, -871.834646791)  # fmt: skip
    # weights = 1 + (1:180) %% 3, offset = 5 * sin(1:180)
    i = np.arange(1, 181)
    found = fit(sleepstudy(weights=1 + i % 3, offset=5 * np.sin(i)))
    is_lme4(found, [251.259279218, 10.3967505021], [6.91247732622, 1.52903116312], [25.39129810986, 5.87375343027],
            35.14040511855, -876.057145131, 0.0129743457597)  # fmt: skip


def test_nested_and_crossed():
    # lmer(strength ~ 1 + (1 | batch / cask), Pastes)
    data = datasets.pastes()
    terms = random_term("batch:cask", data["sample"]), random_term("batch", data["batch"])
    found = fit(Problem(np.ones((60, 1)), data["strength"], Gaussian(), randoms=terms))
    is_lme4(found, [60.0533333333], [0.676870096538], [2.904077584172, 1.287365167092], 0.823407544769, -123.495372927)
    # lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin); ranef
    terms = random_term("plate", np.tile(np.arange(24), 6)), random_term("sample", np.repeat(np.arange(6), 24))
    found = fit(Problem(np.ones((144, 1)), numbers(PLATES), Gaussian(), randoms=terms))
    is_lme4(found, [22.9722222222], [0.808573511676], [0.846704399531, 1.931558700665], 0.549923126499, -165.430294496)
    assert found.effects[0][:3, 0] == pytest.approx([0.804547056255, 0.804547056255, 0.181671915928], rel=1e-5)
    effects = [2.1870579700105, -1.0104761507098, 1.9378994670972, -0.0968949733612, -0.0138421390567, -3.0037441740160]
    assert found.effects[1][:, 0] == pytest.approx(effects, rel=1e-5, abs=1e-7)


def test_one_way_and_singular():
    # lmer(Yield ~ 1 + (1 | Batch), Dyestuff), and Dyestuff2, whose fit is singular
    term = (random_term("Batch", np.repeat(np.arange(6), 5)),)
    found = fit(Problem(np.ones((30, 1)), numbers(DYESTUFF), Gaussian(), randoms=term))
    is_lme4(found, [1527.5], [19.3834119437], [42.0005946300], 49.5101000907, -159.827138421)
    assert not found.singular
    found = fit(Problem(np.ones((30, 1)), numbers(DYESTUFF2), Gaussian(), randoms=term))
    is_lme4(found, [5.6656], [0.678388031233], [0.0], 3.71568427448, -80.9141389061)
    assert found.singular and np.isnan(found.log_sd_se[0][0])
    assert found.effects[0] == pytest.approx(0, abs=0) and found.edf_random[0] == pytest.approx(0, abs=1e-12)


def test_binomial_by_laplace():
    # glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial); vcov(use.hessian = FALSE)
    found = fit(herds(Binomial()))
    assert found.criterion == "ML" and found.converged
    assert found.beta == pytest.approx([-1.39853205917, -0.992332794162, -1.12867223311, -1.58031393903], rel=1e-6)
    assert np.sqrt(found.covariances[0][0, 0]) == pytest.approx(0.642261385924, rel=1e-6)
    assert found.log_evidence == pytest.approx(-92.0262818715, abs=1e-8)
    assert se(found) == pytest.approx([0.227890870312, 0.305385527021, 0.326049292997, 0.428795008352], rel=1e-6)
    effects = """0.5900199716697 -0.2988972194344 0.4062555265604 0.0392772959636 -0.1900153499460 -0.4002685626715
    0.8893938936213 0.5993718374510 -0.2376548654669 -0.5409351805143 -0.0846366711934 -0.0648165560156 -0.6899245402340
    0.9707162915983 -0.5304763176212"""
    variances = """0.1212885441782 0.1336327921857 0.0883982798847 0.1733791047262 0.1227791087998 0.1443663756889
    0.1065833444301 0.1030981636586 0.2128972241395 0.1374026331139 0.0955566082206 0.1946022713991 0.1480832825345
    0.1263100209819 0.1581675365780"""
    assert found.effects[0][:, 0] == pytest.approx(numbers(effects), rel=1e-5, abs=1e-7)
    assert found.conditional_variances[0][:, 0, 0] == pytest.approx(numbers(variances), rel=1e-5)


def test_poisson_by_laplace_with_an_effect_for_each_row():
    # glmer(incidence ~ period + offset(log(size)) + (1 | herd) + (1 | obs), cbpp, poisson)
    problem = herds(Poisson(), counts=True)
    problem = herds(Poisson(), counts=True, randoms=(*problem.randoms, random_term("obs", np.arange(56))))
    found = fit(problem)
    assert found.beta == pytest.approx([-1.73866992658, -0.983883678913, -1.07275223896, -1.55378839718], rel=1e-6)
    variances = [c[0, 0] for c in found.covariances]
    assert variances == pytest.approx([0.0386883237138, 0.4250388096965], rel=2e-6)
    assert found.log_evidence == pytest.approx(-87.7132894363, abs=1e-8)


def test_bs_re_of_mgcv():
    # gam(incidence ~ period + offset(log(size)) + s(herd, bs = "re"), family = poisson): sp, -REML, edf, se, frequentist se
    found = fit(herds(Poisson(), counts=True), "REML")
    assert found.beta == pytest.approx([-1.60937027241, -0.834280761162, -0.95636754158, -1.37951555997], rel=1e-6)
    assert 1 / found.covariances[0][0, 0] == pytest.approx(3.63856066959, rel=1e-5)
    assert found.log_evidence == pytest.approx(-91.8056425989, abs=1e-7)
    assert found.edf.sum() + found.edf_random[0] == pytest.approx(12.6486449369, abs=1e-5)
    assert se(found) == pytest.approx([0.19249586334, 0.281915879782, 0.303031115794, 0.406556179169], rel=1e-6)
    frequentist = np.sqrt(np.diag(found.cov_beta_freq))
    assert frequentist == pytest.approx([0.133605275439, 0.279509743575, 0.300920169013, 0.404106786578], rel=1e-6)
    # the same with cbind(incidence, size - incidence) and binomial
    found = fit(herds(Binomial()), "REML")
    assert found.beta == pytest.approx([-1.36701519391, -0.969348289054, -1.10445412421, -1.55188627159], rel=1e-6)
    assert 1 / found.covariances[0][0, 0] == pytest.approx(2.15080132181, rel=1e-5)
    assert found.log_evidence == pytest.approx(-93.1990671011, abs=1e-7)
    assert found.edf.sum() + found.edf_random[0] == pytest.approx(13.659978963, abs=1e-5)


@pytest.mark.parametrize(
    "problem, beta, sp, reml",
    [
        (herds(Binomial("cloglog")), [-1.48536771834, -0.904500845271, -1.02207812014, -1.46962553367], 2.60120013572,
         93.2027779617),
        (herds(QuasiPoisson(), True), [-1.55811985614, -0.897227425059, -1.01938839455, -1.45393210807], 9.02975063379,
         43.8354386498 + 28 * np.log(2 * np.pi)),  # mgcv leaves n log(2 pi) / 2 out
    ], ids=["cloglog", "quasipoisson"],
)  # fmt: skip
def test_other_families_of_mgcv(problem, beta, sp, reml):
    found = fit(problem, "REML")
    assert found.beta == pytest.approx(beta, rel=1e-6)
    assert found.scale / found.covariances[0][0, 0] == pytest.approx(sp, rel=1e-5)
    assert found.log_evidence == pytest.approx(-reml, abs=1e-7)


@pytest.mark.parametrize(
    "family, beta, sp, reml",
    [
        (Gamma("log"), [0.928348622914, 0.03384136394], 0.570050863595, 62.2818860169),
        (InverseGaussian("log"), [0.932914667007, 0.0325807079325], 0.199324413108, 61.3419756848),
        (Gaussian("log"), [0.916948052354, 0.0364686794322], 4.90305630375, 68.3318840886),
    ], ids=str,
)  # fmt: skip
def test_dispersed_families_of_mgcv(family, beta, sp, reml):
    # gam(Reaction / 100 ~ Days + s(Subject, bs = "re"), family = family)
    problem = sleepstudy(slopes=False)
    found = fit(Problem(problem.x, problem.y / 100, family, randoms=problem.randoms), "REML")
    assert found.beta == pytest.approx(beta, rel=1e-6)
    assert found.scale / found.covariances[0][0, 0] == pytest.approx(sp, rel=1e-5)
    assert found.log_evidence == pytest.approx(-reml, abs=1e-6)


I = np.arange(120)  # noqa: E741
COLUMNS = np.column_stack([np.ones(120), I / 119, np.maximum(I[:, np.newaxis] / 119 - np.arange(1, 10) / 10, 0)])
SMOOTH = {
    "gaussian": (Gaussian(), 10 + 3 * np.sin(5 * I / 119) + np.cos(37 * I * I), None, 0.00900261429031, 137.619208958,
                 7.55464763067, 0.497675334729, [10.4788370127, 13.1539806203, -2.62149703064, 3.69704450637]),
    "weighted": (Gaussian(), 10 + 3 * np.sin(5 * I / 119) + np.cos(37 * I * I), 1 + I % 3, 0.0234283448005, 145.630334753,
                 7.19345330074, 1.04668725581, [10.2613600484, 13.6228449402, -2.8152522121, 2.8925557916]),
    "poisson": (Poisson(), numbers(COUNTS), None, 0.197353201533, 232.553140898,
                5.58361604824, 1.0, [1.42246104075, 3.85616253817, -0.638165492007, 0.909967124323]),
    "binomial": (Binomial(), (np.sin(5 * I / 119) + np.cos(37 * I * I) > 0).astype(float), None, 0.0348178102818,
                 55.8885984784, 3.84844728015, 1.0, [1.29036957567, 2.84777492514, -0.0514016924139, -0.475544471883]),
    "gamma": (Gamma("log"), numbers(COUNTS) + 0.5, None, 0.0171113222699, 216.945125858,
              6.69045296806, 0.0731168246537, [1.50786755581, 3.71908347928, -0.615433051877, 1.81325832684]),
    "weighted gamma": (Gamma("log"), numbers(COUNTS) + 0.5, 1 + I % 3, 0.029773896263, 222.120193427,
                       6.87199618788, 0.143270821756, [1.46467871486, 4.14359408185, -0.993415294522, 2.4626021127]),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_smooths_of_mgcv(name):
    # gam(y ~ x + Z, family, weights, paraPen = list(Z = list(diag(9)))): sp, -REML, edf, reml.scale, coef[c(1, 2, 3, 11)]
    family, y, weights, sp, reml, edf, scale, beta = SMOOTH[name]
    found = fit(Problem(COLUMNS, y, family, weights, penalties=(Penalised("Z", np.arange(2, 11), np.ones(9)),)))
    assert found.criterion == "REML" and found.converged
    assert found.strengths[0] == pytest.approx(sp, rel=1e-5)
    assert found.log_evidence == pytest.approx(-reml, abs=1e-6)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.beta[[0, 1, 2, 10]] == pytest.approx(beta, rel=1e-5)
    assert found.edf.sum() == pytest.approx(edf, abs=2e-5)


def test_statsmodels_mixed_model():
    from statsmodels.regression.mixed_linear_model import MixedLM

    problem = sleepstudy()
    theirs = MixedLM(problem.y, problem.x, problem.randoms[0].codes, exog_re=problem.x).fit(reml=True, method="lbfgs")
    found = fit(problem)
    assert found.beta == pytest.approx(theirs.fe_params, rel=1e-5)
    assert found.covariances[0] == pytest.approx(theirs.cov_re, rel=2e-3, abs=0.05)
    assert found.scale == pytest.approx(theirs.scale, rel=1e-3)
    assert se(found) == pytest.approx(theirs.bse_fe, rel=1e-3)


def test_covariances_have_expected_information():
    # cloglog, as above: sqrt(diag(vcov(m))), the same with freq = TRUE, sum(edf)
    found = fit(herds(Binomial("cloglog")), "REML")
    assert se(found) == pytest.approx([0.211610956729, 0.282975250651, 0.302485024827, 0.408023137841], rel=1e-6)
    frequentist = np.sqrt(np.diag(found.cov_beta_freq))
    assert frequentist == pytest.approx([0.135265546327, 0.280941810848, 0.300719015863, 0.405976096262], rel=1e-6)
    assert found.edf.sum() + found.edf_random[0] == pytest.approx(13.6392394232, abs=1e-5)
