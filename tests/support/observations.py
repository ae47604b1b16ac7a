"""Families with responses that they can have: what kernels of losses are run on. Walks the dictionaries of families."""

from __future__ import annotations

import numpy as np

from neuralstat import families as F
from neuralstat import layers as L
from neuralstat.engine.cuda.losses import cpu_only
from neuralstat.engine.data import make_data
from neuralstat.functions.distributions import DISTRIBUTION
from neuralstat.network.network import Network

SMOOTH = 0.3  # of quantiles: wide, so that rounding decides nothing
N = 9


def _survival(times, intervals):
    """Observed, right, left and interval censored times, some looked at from some time on only."""
    low, high = times.copy(), times.copy()
    high[1::4] = 0.0
    if intervals:
        low[2::4], high[3::4] = 0.0, 2 * times[3::4]
    return np.stack([low, high, np.where(np.arange(len(times)) % 3 == 0, 0.4 * times, 0.0)])


def _kinds():
    """(name, family): every family with every link, that a device can have."""
    given = {
        "quantile": ((0.2, 0.5, 0.9), SMOOTH), "expectile": ((0.2, 0.6),), "mixture": (3,), "multivariate_normal": (2,),
        "piecewise_exponential": ((0.4, 1.2),),
    }  # fmt: skip
    for name, kind in F.DISTRIBUTIONS.items():
        if cpu_only(DISTRIBUTION + kind.kind) is not None:
            continue
        if len(kind.links) == 1:
            yield name, kind(*given.get(name, ()))
        else:
            for link in kind.links:
                yield f"{name} {link}", kind(link, *((4,) if name == "ordinal" else ()))
    for name, kind in F.FAMILIES.items():
        shape = {"negative_binomial": (0.5,), "tweedie": (1.5,)}.get(name, ())
        for link in kind.links:
            chosen = {"power": F.power(0.5), "nbinom": F.nbinom(0.5)}.get(link, link)
            yield f"{name} {link}", kind(*shape, chosen) if name != "multinomial" else kind()


KINDS = dict(_kinds())
SEVERAL = [name for name, family in KINDS.items() if isinstance(family, F.Distributional)]
#: one of every distribution: loops over observations do not depend on the link
EACH = list({family.name: name for name, family in KINDS.items() if isinstance(family, F.Distributional)}.values())


def centre(family):
    """(K,) moderate linear predictors."""
    if not isinstance(family, F.Distributional):
        return np.array([float(family.link(0.4))] * (2 if family.name == "multinomial" else 1))
    return np.array([float(family.link(0.4)), *np.full(len(family.roles) - 1, -0.3)])


def respond(family, rng, eta):
    """(L, n) responses to linear predictors (K, n)."""
    n = eta.shape[1]
    if not isinstance(family, F.Distributional):
        y = rng.uniform(0.05, 0.95, (len(eta), n))
        if family.name in ("poisson", "binomial", "quasibinomial", "quasipoisson", "negative_binomial", "tweedie"):
            y[0, :2] = 0.0, 1.0
        return y / y.sum(axis=0) if family.name == "multinomial" else y
    if isinstance(family, F.Ordinal):
        return np.eye(len(eta) + 1)[:, np.arange(n) % (len(eta) + 1)]
    if isinstance(family, F.Quantile | F.Expectile):
        return rng.standard_normal((1, n))
    y = family.draw(rng, family.natural(eta))
    if isinstance(family, F.Survival):
        return _survival(y, family.name != "piecewise_exponential")
    if family.discrete:
        y[:3] = 0, 1, 70  # the last one is beyond where sums are written out
    return y.reshape(-1, n).astype(float)


def problem(name, layers=(2,), n=N, b=2, skip=False, dtype=np.float64):
    """A network of a family, weights (b, P), and data with weights and known parts of the linear predictors."""
    family, rng = KINDS[name], np.random.default_rng([len(name), n])
    eta = centre(family)[:, np.newaxis] + 0.1 * rng.standard_normal((len(centre(family)), n))
    y = respond(family, rng, eta)
    goal = F.resolve_objective("sse", True, "identity", family, None, None)
    chain = (*(L.Dense(units, "tanh") for units in layers), L.Dense(len(eta)))
    network = Network(chain, (2,), goal, ("x", "z"), tuple(f"y{k}" for k in range(len(eta))), True, skip=skip)
    theta = 0.1 * rng.standard_normal((b, network.n_params))
    data = make_data(rng.standard_normal((2, n)), y, rng.uniform(0.5, 2, n), eta, dtype=dtype)
    return network, theta.astype(dtype), data
