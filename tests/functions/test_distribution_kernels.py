"""Losses of several outputs per response: values against scipy, derivatives and Hessians against complex steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from neuralstat import families as F
from neuralstat.engine import cpu
from neuralstat.engine.data import make_data
from neuralstat.families.resolve import family_objective
from neuralstat.functions import distributions as D
from neuralstat.functions.links import CLOGLOG, IDENTITY, LOG, LOGIT, PROBIT
from neuralstat.layers import codes
from neuralstat.network import derivatives
from neuralstat.network.network import dense_network

STEP = 1e-30
N = 60


def net(kind, link, parameters=(0.0, 0.0)):
    """The smallest network with the loss: what `predictor_losses` reads of it."""
    return cpu.Net(np.zeros((1, 24), np.int64), np.zeros(1), 1, D.DISTRIBUTION + kind + D.WIDTH * link, 0.0, 0,
                   np.zeros((0, 4)), codes.Layered(), 0, 0, np.array(parameters, float), 256)  # fmt: skip


def losses(problem, eta, y):
    """(n,) losses and (n, K) derivatives of outputs (n, K) at responses (n, L)."""
    eta = np.ascontiguousarray(eta)[:, :, np.newaxis]
    out, slopes = np.zeros(len(eta), eta.dtype), np.zeros_like(eta)
    cpu.predictor_losses(problem, eta, np.ascontiguousarray(y, float)[:, :, np.newaxis], np.ones((len(eta), 1)), slopes, out)
    return out, slopes[:, :, 0]


def draws():
    return np.random.default_rng(5)


def responses(what):
    rng = draws()
    if what == "counts":
        y = rng.poisson(3, N).astype(float)
        y[:7] = [0, 0, 1, 64, 65, 100, 700]
    elif what == "inside":
        y = rng.beta(2, 3, N)
    elif what == "positive":
        y = rng.gamma(2, size=N)
    elif what == "times":
        low = rng.gamma(2, size=N)
        high = low.copy()
        high[:15], high[15:30], low[30:40] = 0.0, low[15:30] + 1, 0.0
        return np.stack([low, high, np.where(np.arange(N) % 3 == 0, 0.3 * low, 0.0)], axis=1)
    elif what == "seen":
        return responses("times")[np.repeat(np.r_[:15, 40:N], 2)[:N]]
    elif what == "amounts":
        y = rng.gamma(2, size=N) * (rng.uniform(size=N) > 0.3)
        y[:3] = [1e-3, 300.0, 40.0]
    elif what == "three":
        return rng.normal(size=(N, 3))
    elif what.startswith("classes"):
        return np.eye(int(what[-1]))[rng.integers(int(what[-1]), size=N)]
    else:
        y = rng.normal(size=N)
    return y[:, np.newaxis]


LEVELS = (0.0, 0.0, 0.05, 0.1, 0.5, 0.9)
CASES = [
    ("normal", D.NORMAL, IDENTITY, 2, "numbers", ()), ("normal, log link", D.NORMAL, LOG, 2, "numbers", ()),
    ("lognormal", D.LOGNORMAL, IDENTITY, 2, "positive", ()), ("gamma", D.GAMMA_2, LOG, 2, "positive", ()),
    ("inverse gaussian", D.INVERSE_GAUSSIAN_2, LOG, 2, "positive", ()), ("beta", D.BETA, LOGIT, 2, "inside", ()),
    ("beta, probit", D.BETA, PROBIT, 2, "inside", ()),
    ("negative binomial", D.NEGATIVE_BINOMIAL_2, LOG, 2, "counts", ()), ("zip", D.ZIP, LOG, 2, "counts", ()),
    ("hurdle poisson", D.HURDLE_POISSON, LOG, 2, "counts", ()), ("student", D.STUDENT, IDENTITY, 3, "numbers", ()),
    ("zinb", D.ZINB, LOG, 3, "counts", ()), ("hurdle nb", D.HURDLE_NEGATIVE_BINOMIAL, LOG, 3, "counts", ()),
    *((f"ordinal {link} {k}", D.ORDINAL, link, k - 1, f"classes{k}", ())
      for link in (LOGIT, PROBIT, CLOGLOG) for k in (2, 4)),
    *((f"survival {link}", D.SURVIVAL, link, 2, "times", ()) for link in (LOGIT, PROBIT, CLOGLOG)),
    ("mixture of 1", D.MIXTURE, IDENTITY, 2, "numbers", ()), ("mixture of 3", D.MIXTURE, IDENTITY, 8, "numbers", ()),
    ("laplace", D.LAPLACE, IDENTITY, 2, "numbers", (0.2, 0.0, 0.7)),
    ("huber", D.HUBER, IDENTITY, 2, "numbers", (1.3, 0.0, 1.0)),
    ("tweedie", D.TWEEDIE_3, LOG, 3, "amounts", ()), ("piecewise", D.PIECEWISE, IDENTITY, 3, "seen", (0.0, 0.0, 1.0, 2.5)),
    ("normal, 3 responses", D.MULTINORMAL, IDENTITY, 9, "three", ()),
    ("quantiles", D.QUANTILES, IDENTITY, 3, "numbers", LEVELS), ("expectiles", D.EXPECTILES, IDENTITY, 3, "numbers", LEVELS),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "link", "k", "what", "parameters"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_block_of_all_observations_has_the_derivatives_of_each(kind, link, k, what, parameters):
    problem, y = net(kind, link, parameters or (0.0, 0.0)), responses(what)
    for eta in (draws().normal(size=(N, k)), draws().normal(size=(N, k)) + 1j * STEP):
        value, slopes = losses(problem, eta, y)
        together, all_slopes = np.zeros(1, eta.dtype), np.zeros((1, k, N), eta.dtype)
        cpu.predictor_losses(problem, np.ascontiguousarray(eta.T)[np.newaxis], np.ascontiguousarray(y.T, float)[np.newaxis],
                             np.ones((1, N)), all_slopes, together)  # fmt: skip
        np.testing.assert_allclose(all_slopes[0].T, slopes, rtol=1e-12, atol=1e-12)
        assert together[0].real == pytest.approx(value.real.sum(), rel=1e-12)


def test_large_dispersions_of_many_counts_do_not_overflow():
    y = np.array([[0.0], [1.0], [2.0], [40.0], [64.0], [65.0]])
    for b in (-20.0, 0.0, 15.0, 300.0):
        value, slopes = losses(net(D.NEGATIVE_BINOMIAL_2, LOG), np.repeat([[0.5, b]], len(y), axis=0), y)
        assert np.isfinite(value).all() and np.isfinite(slopes).all()
        if abs(b) < 100:
            r = np.exp(-b)
            np.testing.assert_allclose(value, -stats.nbinom(r, r / (r + np.exp(0.5))).logpmf(y[:, 0]), rtol=1e-6)


@pytest.mark.parametrize(("kind", "link", "k", "what", "parameters"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_derivatives_and_hessian(kind, link, k, what, parameters):
    problem, y = net(kind, link, parameters or (0.0, 0.0)), responses(what)
    for size in (0.7, 1.5):
        eta = draws().normal(size=(N, k)) * size
        value, slopes = losses(problem, eta, y)
        assert np.isfinite(value).all() and np.isfinite(slopes).all()
        hessian = np.empty((N, k, k))
        for j in range(k):
            moved = eta.astype(complex)
            moved[:, j] += 1j * STEP
            complex_value, complex_slopes = losses(problem, moved, y)
            np.testing.assert_allclose(complex_value.real, value, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(complex_value.imag / STEP, slopes[:, j], rtol=1e-9, atol=1e-9)
            hessian[:, j] = complex_slopes.imag / STEP
        np.testing.assert_allclose(hessian, hessian.transpose(0, 2, 1), rtol=1e-7, atol=1e-7 * np.abs(hessian).max())
        step = 1e-5
        for j in range(k):
            up, down = eta.copy(), eta.copy()
            up[:, j] += step
            down[:, j] -= step
            by_differences = (losses(problem, up, y)[1] - losses(problem, down, y)[1]) / (2 * step)
            ragged = kind in (D.EXPECTILES, D.QUANTILES, D.HUBER)  # kinks, and a width of 0.05
            good = np.abs(by_differences - hessian[:, j]) < 1e-4 * (1 + np.abs(hessian[:, j]))
            assert good.all() or (ragged and good.mean() > 0.98)


def test_every_density_is_in_the_cases():
    assert {c[1] for c in CASES} >= set(D.DENSITIES)


def test_values_are_whole_log_densities():
    eta = draws().normal(size=(N, 3))
    a, b, c = eta.T
    mu, phi = np.exp(a), np.exp(b)
    pi = 1 / (1 + np.exp(-c))
    numbers, positive, inside, counts = (responses(w)[:, 0] for w in ("numbers", "positive", "inside", "counts"))
    small = np.minimum(counts, 60)
    nb = stats.nbinom(1 / phi, 1 / (1 + phi * mu))
    poisson, pi2 = stats.poisson(mu), 1 / (1 + np.exp(-b))
    share = 1 / (1 + np.exp(-a))
    known = {
        (D.NORMAL, IDENTITY, 2): (numbers, stats.norm.logpdf(numbers, a, phi)),
        (D.LOGNORMAL, IDENTITY, 2): (positive, stats.lognorm.logpdf(positive, phi, scale=np.exp(a))),
        (D.GAMMA_2, LOG, 2): (positive, stats.gamma.logpdf(positive, 1 / phi, scale=mu * phi)),
        (D.INVERSE_GAUSSIAN_2, LOG, 2): (positive, stats.invgauss.logpdf(positive, mu * phi, scale=1 / phi)),
        (D.BETA, LOGIT, 2): (inside, stats.beta.logpdf(inside, share * phi, (1 - share) * phi)),
        (D.STUDENT, IDENTITY, 3): (numbers, stats.t.logpdf(numbers, np.exp(c), a, phi)),
        (D.NEGATIVE_BINOMIAL_2, LOG, 2): (small, nb.logpmf(small)),
        (D.ZINB, LOG, 3): (small, np.log((1 - pi) * nb.pmf(small) + pi * (small == 0))),
        (D.HURDLE_NEGATIVE_BINOMIAL, LOG, 3): (
            small, np.where(small == 0, np.log(pi), np.log(1 - pi) + nb.logpmf(small) - np.log1p(-nb.pmf(0)))),
        (D.ZIP, LOG, 2): (small, np.log((1 - pi2) * poisson.pmf(small) + pi2 * (small == 0))),
        (D.HURDLE_POISSON, LOG, 2): (
            small, np.where(small == 0, np.log(pi2), np.log(1 - pi2) + poisson.logpmf(small) - np.log1p(-poisson.pmf(0)))),
    }  # fmt: skip
    for (kind, link, k), (y, expected) in known.items():
        found = -losses(net(kind, link), eta[:, :k], y[:, np.newaxis])[0]
        possible = np.isfinite(expected)  # scipy's probabilities round to 0 first
        np.testing.assert_allclose(found[possible], expected[possible], rtol=1e-9, atol=1e-9)


def test_mixture():
    eta = draws().normal(size=(N, 8))
    y = responses("numbers")
    shares = np.exp(np.concatenate([np.zeros((N, 1)), eta[:, 6:]], axis=1))
    shares /= shares.sum(axis=1, keepdims=True)
    density = np.sum(shares * stats.norm.pdf(y, eta[:, :3], np.exp(eta[:, 3:6])), axis=1)
    np.testing.assert_allclose(np.exp(-losses(net(D.MIXTURE, IDENTITY), eta, y)[0]), density, rtol=1e-12)


def test_limits():
    """Negative binomial with alpha -> 0 is Poisson; Student with nu -> infinity is normal; without cancellation."""
    y = np.array([[0.0], [3.0], [40.0], [90.0], [400.0]])
    eta = np.tile([2.0, -40.0], (5, 1))
    found = losses(net(D.NEGATIVE_BINOMIAL_2, LOG), eta, y)
    np.testing.assert_allclose(-found[0], stats.poisson.logpmf(y[:, 0], np.exp(2.0)), rtol=1e-10)
    assert np.isfinite(found[1]).all()
    z = np.array([[-3.0], [0.0], [0.5], [5.0]])
    wide = np.tile([0.1, 0.2, 25.0], (4, 1))
    value, slopes = losses(net(D.STUDENT, IDENTITY), wide, z)
    normal, own = losses(net(D.NORMAL, IDENTITY), wide[:, :2], z)
    np.testing.assert_allclose(value, normal, rtol=1e-8)
    np.testing.assert_allclose(slopes[:, :2], own, rtol=1e-8)


def test_survival_probabilities():
    """Exact times, right, left and interval censored ones, of the three distributions of log times."""
    low = np.array([2.0, 2.0, 0.0, 1.0])
    high = np.array([2.0, 0.0, 3.0, 4.0])
    mu, sigma = 0.4, 1.3
    eta = np.tile([mu, np.log(sigma)], (4, 1))
    for link, scipy in ((PROBIT, stats.norm), (LOGIT, stats.logistic), (CLOGLOG, stats.gumbel_l)):
        dist = scipy(mu, sigma)
        expected = [dist.pdf(np.log(2)) / 2, dist.sf(np.log(2)), dist.cdf(np.log(3)), dist.cdf(np.log(4)) - dist.cdf(0.0)]
        value, _ = losses(net(D.SURVIVAL, link), eta, np.stack([low, high], axis=1))
        np.testing.assert_allclose(np.exp(-value), expected, rtol=1e-10)
        late, _ = losses(net(D.SURVIVAL, link), eta, np.stack([low, high, [0.0, 1.5, 0.0, 0.5]], axis=1))
        np.testing.assert_allclose(late - value, [0, dist.logsf(np.log(1.5)), 0, dist.logsf(np.log(0.5))], atol=1e-12)


def test_smoothed_pinball_is_within_its_limit():
    r = draws().normal(size=(N, 1))
    for h in (0.3, 0.01, 1e-4):
        value, _ = losses(net(D.QUANTILES, IDENTITY, (0.0, 0.0, h, 0.3)), np.zeros((N, 1)), r)
        pinball = np.where(r[:, 0] > 0, 0.3 * r[:, 0], -0.7 * r[:, 0])
        assert np.all(value >= pinball - 1e-12) and np.all(value <= pinball + h * np.log(2) + 1e-12)


def test_robust_densities_integrate_to_one():
    y = np.linspace(-400, 400, 800_001)[:, np.newaxis]
    eta = np.tile([0.3, -0.2], (len(y), 1))
    for family in (F.Laplace(0.2), F.Laplace(), F.Huber(1.345), F.Huber(0.4)):
        value, _ = losses(net(family.kind, IDENTITY, family.parameters), eta, y)
        assert np.sum(np.exp(-value)) * 1e-3 == pytest.approx(1.0, abs=1e-6)
    limit, _ = losses(net(D.LAPLACE, IDENTITY, F.Laplace(1e-4).parameters), eta[::500], y[::500])
    np.testing.assert_allclose(-limit, stats.laplace.logpdf(y[::500, 0], 0.3, np.exp(-0.2)), atol=2e-4)


def test_tweedie_is_a_poisson_sum_of_gammas():
    mu, phi, place = 2.0, 0.7, 0.3
    power = 1.01 + 0.98 * place
    eta = np.array([np.log(mu), np.log(phi), np.log(place / (1 - place))])
    rate, shape = mu ** (2 - power) / (phi * (2 - power)), (2 - power) / (power - 1)
    scale = phi * (power - 1) * mu ** (power - 1)
    y = np.array([0.0, 1e-6, 0.1, 1.0, 5.0, 40.0])
    count = np.arange(1, 200)[:, np.newaxis]
    with np.errstate(divide="ignore"):
        density = np.sum(stats.poisson.pmf(count, rate) * stats.gamma.pdf(y, count * shape, scale=scale), axis=0)
    density[0] = np.exp(-rate)
    found, _ = losses(net(D.TWEEDIE_3, LOG), np.tile(eta, (6, 1)), y[:, np.newaxis])
    np.testing.assert_allclose(np.exp(-found), density, rtol=1e-10)
    phi, power = np.exp(-9.0), 1.01 + 0.98 / (1 + np.exp(-0.5))  # a peak at some 10^4 terms: nearly normal
    small, _ = losses(net(D.TWEEDIE_3, LOG), np.array([[np.log(20), -9.0, 0.5]]), np.array([[20.0]]))
    assert small[0] == pytest.approx(0.5 * np.log(2 * np.pi * phi * 20.0**power), abs=1e-3)


@pytest.mark.parametrize("power", [1.011, 1.1, 1.5, 1.9, 1.985])
def test_tweedie_series_of_many_terms_is_that_of_all_of_them(power):
    """Small dispersions: of the wide peak some terms are left out."""
    given = [(phi, y, mu) for phi in (3e-4, 1e-2, 0.1, 3.0) for y, mu in ((0.1, 0.2), (1.0, 1.1), (40.0, 30.0))]
    eta = np.array([[np.log(mu), np.log(phi), np.log((power - 1.01) / (1.99 - power))] for phi, _, mu in given])
    y = np.array([y for _, y, _ in given])
    found, slopes = losses(net(D.TWEEDIE_3, LOG), eta, y[:, np.newaxis])
    for k, (phi, y_k, mu) in enumerate(given):
        peak = y_k ** (2 - power) / ((2 - power) * phi)
        j = np.arange(1, int(peak + 60 * np.sqrt(peak) + 300))
        a = (2 - power) / (power - 1)
        w = (j * (a * np.log(y_k / (power - 1)) - (1 + a) * np.log(phi) - np.log(2 - power)) - special.gammaln(j + 1)
             - special.gammaln(a * j))
        fit = (y_k * mu ** (1 - power) / (1 - power) - mu ** (2 - power) / (2 - power)) / phi
        assert found[k] == pytest.approx(np.log(y_k) - fit - special.logsumexp(w), rel=1e-9, abs=1e-9)
        mean = np.sum(j * np.exp(w - special.logsumexp(w)))
        assert slopes[k, 1] == pytest.approx(fit + (1 + a) * mean, rel=1e-8, abs=1e-8 * abs(fit))


def test_hazards_between_cuts():
    cuts, eta = (1.0, 2.5), np.array([[-0.3, 0.4, -0.9]])
    hazards = np.exp(eta[0, 0] + np.array([0.0, 0.4, -0.9]))
    for stop, event, entry in ((0.5, 1, 0.0), (1.0, 1, 0.2), (2.0, 0, 1.2), (7.0, 1, 0.0), (7.0, 1, 3.0)):
        spent = np.diff(np.clip([0.0, *cuts, np.inf], entry, stop))
        at = int(np.searchsorted(cuts, stop))
        expected = hazards @ spent - event * np.log(hazards[at])
        found, _ = losses(net(D.PIECEWISE, IDENTITY, (0.0, 0.0, *cuts)), eta, [[stop, stop * event, entry]])
        assert found[0] == pytest.approx(expected, rel=1e-12)


def test_responses_that_are_normal_together():
    rng = draws()
    eta, y = rng.normal(size=(N, 9)), rng.normal(size=(N, 3))
    found, _ = losses(net(D.MULTINORMAL, IDENTITY), eta, y)
    for value, (one, two, three, a, b, c, f21, f31, f32), row in zip(found, eta, y, strict=True):
        unit = np.array([[1, 0, 0], [-f21, 1, 0], [-f31, -f32, 1]])
        inverse = np.linalg.inv(unit)
        cov = inverse @ np.diag(np.exp(2 * np.array([a, b, c]))) @ inverse.T
        assert -value == pytest.approx(stats.multivariate_normal.logpdf(row, [one, two, three], cov), rel=1e-9)


def cox_problem(n=50):
    rng = draws()
    stop = np.ceil(rng.exponential(4.0, n)) + 1.0
    start = np.where(rng.uniform(size=n) < 0.5, np.floor(stop * rng.uniform(size=n)), 0.0)
    event = rng.uniform(size=n) < 0.7
    weight = rng.choice([0.0, 1.0, 2.5], n)
    return start, stop, event, weight, rng.normal(size=n)


def naive_cox(start, stop, event, weight, eta):
    """Minus Efron's log partial likelihood, event time by event time."""
    total = 0.0
    for t in np.unique(stop[event & (weight > 0)]):
        risk = (start < t) & (stop >= t)
        dead = event & (stop == t) & (weight > 0)
        at, among = np.sum(weight[risk] * np.exp(eta[risk])), np.sum(weight[dead] * np.exp(eta[dead]))
        d = dead.sum()
        total -= weight[dead] @ eta[dead] - weight[dead].mean() * sum(np.log(at - k / d * among) for k in range(d))
    return total


def kernel_cox(y, weight, eta):
    """Loss, its derivatives (n,) and second derivatives (n, n) in eta, of a linear model with a column for each row."""
    n = eta.size
    names = [f"x{k}" for k in range(n)]
    network = dense_network(n, (), [], family_objective(F.Cox()), names, ["t"])
    data = make_data(np.eye(n), y, weight)
    theta = np.concatenate([[0.0], eta])
    gradient, hessian = derivatives.gradient(network, data, theta), derivatives.hessian(network, data, theta)
    return derivatives.error(network, data, theta), gradient[1:], hessian[1:, 1:]


@pytest.mark.parametrize("shift", [0.0, 800.0])
def test_cox(shift):
    start, stop, event, weight, eta = cox_problem()
    y = F.cox.ranked(np.stack([stop, stop * event, start]))
    value, slopes, hessian = kernel_cox(y, weight, eta + shift)
    assert value == pytest.approx(naive_cox(start, stop, event, weight, eta), rel=1e-12)
    losses, own = F.Cox().losses(eta[np.newaxis], y[:3], weight)  # the same on arrays
    assert losses @ weight == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(own[0] * weight, slopes, atol=1e-12)
    np.testing.assert_allclose(F.Cox().scores(eta, y, weight, np.eye(50)).sum(axis=0), slopes, atol=1e-12)
    for i in range(50):
        moved = eta.astype(complex)
        moved[i] += 1j * STEP
        assert naive_cox(start, stop, event, weight, moved).imag / STEP == pytest.approx(slopes[i], rel=1e-9, abs=1e-12)
    step = 1e-5
    for i in range(0, 50, 7):
        up, down = eta.copy(), eta.copy()
        up[i] += step
        down[i] -= step
        column = (kernel_cox(y, weight, up)[1] - kernel_cox(y, weight, down)[1]) / (2 * step)
        np.testing.assert_allclose(hessian[i], column, atol=1e-7)


def test_cox_keeps_small_risks():
    """Risks that leave are some 10^20 times those that stay."""
    start, stop = np.array([0.0, 0.0, 3.0, 3.0]), np.array([5.0, 6.0, 5.5, 7.0])
    eta, event = np.array([0.0, 0.5, 50.0, 49.0]), np.array([True, True, True, True])
    early = (np.append(start, 0.0), np.append(stop, 2.0), np.append(event, True), np.ones(5), np.append(eta, -1.0))
    y = F.cox.ranked(np.stack([early[1], early[1] * early[2], early[0]]))
    value, slopes, _ = kernel_cox(y, early[3], early[4])
    assert value == pytest.approx(naive_cox(*early), rel=1e-12)
    np.testing.assert_allclose(F.Cox().losses(early[4][np.newaxis], y, early[3])[1][0], slopes, atol=1e-12)
