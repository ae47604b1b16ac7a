"""Noise of a study: how responses scatter about their means, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..checks import arguments as kinds
from ..checks import shown
from ..checks.arguments import FUNCTION, NONE, TEXT, arguments
from ..checks.values import told
from ..errors import ArgumentError, NeuralStatError
from ..families import FAMILIES, Family

SMALL, LARGE = 1e-100, 1e100  # standard deviations lie between, so that their squares are numbers
SD = kinds.Number(SMALL, LARGE)
SHAPES = ("gaussian", "t", "laplace")
OF_FAMILY = {"bernoulli": "binomial", "binomial": "binomial", "poisson": "poisson", "gamma": "gamma"}
QUANTILES = 400  # points that stand for a continuous distribution
TRIES = 20_000  # values drawn to compare a user's draws with the variance that is said
FAR = 0.1  # relative difference of the two that is refused, where it is beyond chance


@arguments(sd=SD)
@dataclass(frozen=True)
class Noise:
    """Additive normal noise.

    A subclass may draw otherwise; it then says its variance as well, from which targets come.

    Attributes
    ----------
    sd : float
        Standard deviation, > 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> noise = ns.study.noise("gaussian", sd=0.5)
    >>> isinstance(noise, ns.study.Noise), noise.label
    (True, '0.5')
    """

    sd: float

    additive: ClassVar[bool] = True
    family: ClassVar[Family | None] = None

    @property
    def value(self) -> Any:
        """What the column `noise` of the table says: the standard deviation, or a name."""
        return self.sd

    @property
    def label(self) -> str:
        """Text that names it."""
        return repr(self.value)

    @property
    def dispersion(self) -> float | None:
        """Variance of one observation over the variance function; None where it differs between observations."""
        return float(self.sd) ** 2

    def mean(self, f: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Means (n,) of responses from values (n,) of the truth at covariates (n, D)."""
        del x
        return f

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) around means (n,)."""
        return mean + self.sd * rng.standard_normal(mean.size)

    def response(self, mean: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) around means (n,) at covariates (n, D)."""
        del x
        return self.draw(mean, rng)

    def variance(self, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Variances (n,) of responses with means (n,) at covariates (n, D)."""
        del x
        return np.full(mean.shape, float(self.sd) ** 2)

    def nodes(self, mean: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Responses (K, n) and their weights (K, n), which stand for the distribution."""
        from scipy.stats import norm

        return _spread(norm, mean, np.sqrt(self.variance(mean, x)))

    def natural(self, mean: np.ndarray) -> np.ndarray:
        """The natural parameter of means."""
        return mean


def _spread(law: Any, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of a standardised law about means, and equal weights."""
    z = law.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES) / law.std()
    y = mean + np.multiply.outer(z, sd)
    return y, np.full(y.shape, 1 / QUANTILES)


@dataclass(frozen=True)
class Additive(Noise):
    """Additive noise of another shape, or of a standard deviation that depends on the covariates; made by `noise`.

    Attributes
    ----------
    sd : float or callable
        Standard deviation, or a function of the covariates that gives it: of (n,) where there is one, else of (n, D).
    shape : {"gaussian", "t", "laplace"} or callable
        ``shape(mean, generator)`` draws a response (n,).
    df : float
        Of "t".
    name : str
    """

    sd: Any
    shape: Any = "gaussian"
    df: float | None = None
    name: str = ""

    @property
    def value(self) -> Any:
        """Its name."""
        return self.name

    @property
    def dispersion(self) -> float | None:
        """Its variance, None where that depends on the covariates."""
        return None if callable(self.sd) else float(self.sd) ** 2

    def response(self, mean: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) around means (n,) at covariates (n, D)."""
        if callable(self.shape):
            return self.shape(mean, rng)
        if self.shape == "t":
            df: Any = self.df
            z = rng.standard_t(df, mean.size) * np.sqrt((df - 2) / df)
        elif self.shape == "laplace":
            z = rng.laplace(size=mean.size) / np.sqrt(2)
        else:
            z = rng.standard_normal(mean.size)
        return mean + np.sqrt(self.variance(mean, x)) * z

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) around means (n,), of a standard deviation that is the same everywhere."""
        return self.response(mean, np.zeros((mean.size, 1)), rng)

    def variance(self, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Variances (n,) at covariates (n, D)."""
        if not callable(self.sd):
            return np.full(mean.shape, float(self.sd) ** 2)
        return _numbers(f"noise {self.name!r}: its sd", self.sd, x[:, 0] if x.shape[1] == 1 else x, size=mean.size) ** 2

    def nodes(self, mean: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Responses (K, n) and their weights (K, n), which stand for the distribution."""
        from scipy import stats

        if callable(self.shape):
            raise ArgumentError(f"loss: of noise {self.name!r} only the variance is known, which is enough for loss='mse'.")
        laws = {"t": stats.t(self.df), "laplace": stats.laplace, "gaussian": stats.norm}
        return _spread(laws[self.shape], mean, np.sqrt(self.variance(mean, x)))


@dataclass(frozen=True)
class OfFamily(Noise):
    """Responses of an exponential family; made by `noise`.

    Attributes
    ----------
    sd : float
        Root of the dispersion (1 but for the gamma family).
    kind : str
        "bernoulli", "poisson", "gamma".
    link : str
        The truth is the mean's value under it.
    name : str
    """

    sd: float
    kind: str = "bernoulli"
    link: str = "logit"
    name: str = ""

    additive: ClassVar[bool] = False

    @property
    def family(self) -> Family:  # type: ignore[override]
        """The family with its link, which networks are fitted with."""
        return FAMILIES[OF_FAMILY[self.kind]](self.link if self.link != "identity" else None)

    @property
    def value(self) -> Any:
        """Its name."""
        return self.name

    def mean(self, f: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Means (n,) of responses from values (n,) of the truth.

        Raises
        ------
        ArgumentError
            Where they are none of this family.
        """
        del x
        mean = f if self.link == "identity" else np.asarray(self.family.link.inverse(f))
        low, high = self.family.means
        if not np.all((mean > low) & (mean < high) & np.isfinite(mean)):
            worst = float(f[np.argmax(~((mean > low) & (mean < high) & np.isfinite(mean)))])
            raise ArgumentError(f"noise {self.name!r}: the truth's value {worst:.4g} gives no mean between {low:g} and "
                                f"{high:g} under the link {self.link!r}.")  # fmt: skip
        return mean

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A response (n,) with means (n,); means beyond the family's range are moved to its ends."""
        if self.kind in ("bernoulli", "binomial"):
            return rng.binomial(1, np.clip(mean, 0, 1)).astype(float)
        if self.kind == "poisson":
            return rng.poisson(np.clip(mean, 0, 1e15)).astype(float)
        shape = 1 / float(self.sd) ** 2
        return np.maximum(rng.gamma(shape, np.maximum(mean, 0) / shape), np.finfo(float).tiny)

    def variance(self, mean: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Variances (n,) of responses with means (n,)."""
        del x
        return float(self.sd) ** 2 * np.asarray(self.family.variance(mean))

    def nodes(self, mean: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Responses (K, n) and their probabilities (K, n)."""
        from scipy import stats

        if self.kind in ("bernoulli", "binomial"):
            return np.stack([np.zeros_like(mean), np.ones_like(mean)]), np.stack([1 - mean, mean])
        if self.kind == "poisson":
            most = int(stats.poisson.ppf(1 - 1e-13, mean.max())) + 1
            y = np.broadcast_to(np.arange(most + 1.0)[:, np.newaxis], (most + 1, mean.size))
            return y, stats.poisson.pmf(y, mean)
        shape = 1 / float(self.sd) ** 2
        z = stats.gamma.ppf((np.arange(QUANTILES) + 0.5) / QUANTILES, shape) / shape
        y = np.multiply.outer(z, mean)
        return y, np.full(y.shape, 1 / QUANTILES)

    def natural(self, mean: np.ndarray) -> np.ndarray:
        """The natural parameter of means."""
        if self.kind in ("bernoulli", "binomial"):
            p = np.clip(mean, 1e-10, 1 - 1e-10)
            return np.log(p) - np.log1p(-p)
        return np.log(np.maximum(mean, 1e-10)) if self.kind == "poisson" else -1 / np.maximum(mean, 1e-100)


def _numbers(what: str, function: Callable[..., Any], *given: Any, size: int) -> np.ndarray:
    """Finite numbers > 0, (size,), from a user's function."""
    try:
        values = np.asarray(function(*given), dtype=float)
        values = np.broadcast_to(values, (size,)) if values.ndim == 0 else values
    except NeuralStatError:
        raise
    except Exception as error:  # of a user's own function
        raise ArgumentError(f"{what} raised {told(error)}"[:300]) from error
    if values.shape != (size,) or not np.all((values >= SMALL) & (values <= LARGE)):
        raise ArgumentError(f"{what} must be {size} finite numbers > 0; got {shown(values)}.")
    return values


@arguments(
    kind=kinds.Anything("a distribution, or a function that draws", *SHAPES, *OF_FAMILY),
    sd=NONE | SD | FUNCTION, df=NONE | kinds.Number(above=2.0), link=NONE | TEXT, name=NONE | TEXT,
)  # fmt: skip
def noise(kind: Any = "gaussian", *, sd: Any = None, df: float | None = None, link: str | None = None,
          name: str | None = None) -> Noise:  # fmt: skip
    """Noise for `study`.

    Parameters
    ----------
    kind : str or callable
        - "gaussian", "t", "laplace": additive, of standard deviation `sd`.
        - "bernoulli" ("binomial"), "poisson", "gamma": responses of a family. The truth is on the scale of `link`: for a
          Bernoulli response and the logit a truth of 1 is a probability of 0.73. With ``link="identity"`` it is the mean.
        - ``kind(mean, generator)``, which draws responses (n,) with means (n,) and standard deviation `sd`.
    sd : float or callable
        Standard deviation of additive noise; or a function of the covariates that gives it ((n,) where there is one
        covariate, else (n, D)): heteroscedastic noise. Of "gamma" the coefficient of variation (1).
    df : float
        Degrees of freedom of "t", > 2.
    link : str, optional
        "logit", "log" and "log" where not given; networks are fitted with it, or with the family's own under "identity".
    name : str, optional
        In the table's column `noise`.

    Raises
    ------
    ArgumentError
        Where they do not suit one another, or what a function draws has not the variance that is said.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.noise("t", sd=0.3, df=5).value
    't(5) 0.3'
    """
    words = ", ".join(map(repr, (*SHAPES, *OF_FAMILY)))
    if not (isinstance(kind, str) and str.__str__(kind) in (*SHAPES, *OF_FAMILY)) and (
        isinstance(kind, type | str) or not callable(kind)
    ):
        raise ArgumentError(f"noise: kind must be one of {words}, or a function draw(mean, generator); got {shown(kind)}.")
    if df is not None and kind != "t":
        raise ArgumentError("noise: df is for kind='t'.")
    if isinstance(kind, str) and kind in OF_FAMILY:
        return _of_family(str(kind), sd, link, name)
    if link is not None:
        raise ArgumentError("noise: link is for 'bernoulli', 'poisson' and 'gamma'; means of additive noise are the truth.")
    if sd is None:
        raise ArgumentError(f"noise: {shown(kind)} needs sd=, its standard deviation (a number, or a function of x).")
    if kind == "t" and df is None:
        raise ArgumentError("noise: 't' needs df=.")
    if kind == "gaussian" and not callable(sd) and name is None:
        return Noise(sd)
    if name is None:
        size = f"{sd:g}" if not callable(sd) else _title(sd, "sd(x)")
        law = _title(kind, "noise") if callable(kind) else f"t({df:g})" if kind == "t" else str(kind)
        name = f"{law} {size}"
    return Additive(sd, kind if callable(kind) else str(kind), df, name)


def _title(function: Any, other: str) -> str:
    title = getattr(function, "__name__", other)
    return other if not isinstance(title, str) or title == "<lambda>" else title


def _of_family(kind: str, sd: Any, link: str | None, name: str | None) -> Noise:
    if kind != "gamma" and sd is not None:
        raise ArgumentError(f"noise: {kind!r} has no sd; its mean says its variance.")
    if callable(sd):
        raise ArgumentError("noise: sd of 'gamma' must be a number, its coefficient of variation.")
    kind = "bernoulli" if kind == "binomial" else kind
    chosen = {"bernoulli": "logit"}.get(kind, "log") if link is None else link
    if chosen != "identity":
        try:
            FAMILIES[OF_FAMILY[kind]](chosen)
        except ArgumentError as error:
            raise ArgumentError(f"noise: {error}") from None
    title = kind + ("" if link is None else f" ({link})") + ("" if sd is None else f" {sd:g}")
    return OfFamily(1.0 if sd is None else float(sd), kind, chosen, name or title)


def noise_of(value: Any) -> Noise:
    """Noise from a standard deviation, a function of the covariates that gives it, the name of a family, or noise.

    Raises
    ------
    ArgumentError
        Where it is none of these; and where a subclass draws otherwise and does not say its variance.
    """
    if isinstance(value, Noise):
        line = type(value).__mro__

        def who(method: str) -> int:
            return next(k for k, part in enumerate(line) if method in vars(part))

        if min(who("draw"), who("response")) < who("variance"):
            raise ArgumentError(f"noise: {line[0].__name__} draws for itself, but does not say its variance, from which the "
                                "true risks come: give it variance(self, mean, x).")  # fmt: skip
        return value
    if isinstance(value, str) and str.__str__(value) in (*SHAPES, *OF_FAMILY):
        return noise(str.__str__(value))
    if callable(value) and not isinstance(value, type):
        return noise("gaussian", sd=value)
    return Noise(SD.check(value, "noise"))


def check_draws(given: Noise, mean: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> None:
    """Raise an ArgumentError unless what is drawn about means (n,) has the mean and the variance that are said."""
    if type(given) in (Noise, OfFamily) or (type(given) is Additive and isinstance(given.shape, str)):
        return
    variance = np.asarray(given.variance(mean, x), dtype=float)
    if variance.shape != mean.shape or not np.all((variance > 0) & np.isfinite(variance)):
        raise ArgumentError(
            f"noise {given.label}: its variance must be {mean.size} finite numbers > 0; got {shown(variance)}."
        )
    draws = max(2, TRIES // mean.size)
    z = np.stack([(drawn(given, mean, x, rng) - mean) / np.sqrt(variance) for _ in range(draws)])
    for values, wanted, what in ((z, 0.0, "mean"), (z**2, 1.0, "variance")):
        off = abs(float(values.mean()) - wanted)
        if off > max(FAR, 8 * float(values.std()) / np.sqrt(values.size)):
            said = f"{float(values.mean()):.3g} times the one" if what == "variance" else "not the one"
            raise ArgumentError(f"noise {given.label}: the {what} of what it draws is {said} that is said.")


def drawn(given: Noise, mean: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A response (n,).

    Raises
    ------
    ArgumentError
        Where a user's noise gives something else.
    """
    try:
        y = np.asarray(given.response(mean, x, rng), dtype=float)
    except NeuralStatError:
        raise
    except Exception as error:  # of a user's own noise
        raise ArgumentError(f"noise {given.label}: drawing raised {told(error)}"[:300]) from error
    if y.shape != mean.shape or not np.isfinite(y).all():
        raise ArgumentError(f"noise {given.label} must draw {mean.size} finite numbers; got {shown(y)}.")
    return y
