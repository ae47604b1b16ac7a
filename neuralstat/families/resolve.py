"""What a user names as error function or family becomes a `Family` and an `Objective`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..checks import shown
from ..errors import ArgumentError, FileFormatError
from ..functions.deviance import WIDTH
from ..functions.distributions import DISTRIBUTION
from ..functions.losses import CUSTOM, FAMILY
from ..network.objective import ActivationSpec, Objective, objective, resolve_activation
from ..symbolic.custom import Loss
from .amounts import TweedieScale
from .continuous import Beta, GammaScale, GaussianScale, InverseGaussianScale, LogNormal, Student
from .counts import (
    HurdleNegativeBinomial,
    HurdlePoisson,
    NegativeBinomialScale,
    ZeroInflatedNegativeBinomial,
    ZeroInflatedPoisson,
)
from .cox import Cox
from .distributional import Distributional
from .family import (
    Binomial,
    Family,
    Gamma,
    Gaussian,
    InverseGaussian,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Tweedie,
)
from .hazards import PiecewiseExponential
from .links import Link, nbinom, power, resolve_link
from .mixtures import Mixture
from .multinormal import MultivariateNormal
from .ordered import Ordinal
from .own import Distribution
from .quantiles import Expectile, Quantile
from .quasi import QuasiBinomial, QuasiNegativeBinomial, QuasiPoisson
from .robust import Huber, Laplace
from .survival import LogLogistic, LogNormalAFT, Weibull

#: name -> class
FAMILIES: dict[str, type[Family]] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "multinomial": Multinomial,
    "poisson": Poisson,
    "gamma": Gamma,
    "inverse_gaussian": InverseGaussian,
    "negative_binomial": NegativeBinomial,
    "tweedie": Tweedie,
    "quasipoisson": QuasiPoisson,
    "quasibinomial": QuasiBinomial,
}
#: name -> class of distributions whose parameters are outputs
DISTRIBUTIONS: dict[str, type[Distributional]] = {
    cls.name: cls
    for cls in (GaussianScale, NegativeBinomialScale, GammaScale, InverseGaussianScale, Beta, Student, LogNormal,
                ZeroInflatedPoisson, ZeroInflatedNegativeBinomial, HurdlePoisson, HurdleNegativeBinomial, Ordinal, Quantile,
                Expectile, Weibull, LogNormalAFT, LogLogistic, Mixture, TweedieScale, Laplace, Huber, Cox,
                PiecewiseExponential, MultivariateNormal)
}  # fmt: skip
#: the distribution that an exponential family becomes where `dispformula` makes its dispersion a parameter
WITH_DISPERSION: dict[type[Family], type[Distributional]] = {
    Gaussian: GaussianScale, Gamma: GammaScale, InverseGaussian: InverseGaussianScale,
    NegativeBinomial: NegativeBinomialScale, Tweedie: TweedieScale,
}  # fmt: skip
#: names of families that users give
NAMES = (*FAMILIES, *(name for name in DISTRIBUTIONS if not name.endswith("_scale")))
_CLASSES = {cls.__name__: cls for cls in FAMILIES.values()}

#: Error functions by name that are expressions of output x and response y, compiled where they are asked for
ERRORS: dict[str, Callable[[Any, Any], Any]] = {"mae": lambda x, y: abs(x - y)}  # sum of absolute deviations
#: What others call what is here, or what stands for it
_OTHER_NAMES = {
    "mse": "'sse', the sum of half squared errors", "rmse": "'sse'", "l2": "'sse'", "squared_error": "'sse'",
    "mean_squared_error": "'sse'", "l1": "'mae'", "mad": "'mae'", "absolute_error": "'mae'", "mean_absolute_error": "'mae'",
    "cross_entropy": "'ce', or family='binomial'", "crossentropy": "'ce', or family='binomial'",
    "binary_crossentropy": "family='binomial'", "log_loss": "family='binomial'", "logloss": "family='binomial'",
    "categorical_crossentropy": "family='multinomial'", "poisson": "family='poisson'", "deviance": "family=",
}  # fmt: skip

# Built-in activations whose values lie in (0, 1), as cross entropy needs.
_UNIT = {"logistic", "softmax"}

# Output activations that are inverse links
_ACTIVATION = {"identity": "identity", "logit": "logistic"}


def resolve_family(given: Any, dispformula: Any = None) -> Family | None:
    """A `Family` from a name, a `Family`, or an instance of a statsmodels family with its link.

    Parameters
    ----------
    given : None, str, Family or statsmodels family
        A statsmodels object is read by the name of its class and its attributes.
    dispformula : optional
        Where it is not None, the family's dispersion is a parameter that is estimated with the rest. "negative_binomial" by
        name has its alpha estimated in any case, "tweedie" its dispersion and power.

    Raises
    ------
    ArgumentError
        Where it is none of these, or `dispformula` is given for a family without a dispersion.
    """
    found = _resolve(given)
    if isinstance(found, Distributional):
        return found
    if isinstance(given, str) and isinstance(found, NegativeBinomial | Tweedie):
        return WITH_DISPERSION[type(found)]()
    if dispformula is None:
        return found
    kind = WITH_DISPERSION.get(Gaussian if found is None else type(found))
    if kind is None:
        raise ArgumentError(f"dispformula: the family {found.name!r} has one parameter only.")  # type: ignore[union-attr]
    return kind() if found is None or found.link.name == found.default else kind(found.link)


def _resolve(given: Any) -> Family | None:
    if given is None or isinstance(given, Family):
        return given
    if isinstance(given, str):
        if given in DISTRIBUTIONS:
            return DISTRIBUTIONS[given]()
        if given not in FAMILIES:
            raise ArgumentError(f"family must be one of {', '.join(map(repr, NAMES))}; got {shown(given)}.")
        return FAMILIES[given]()
    if isinstance(given, type):
        raise ArgumentError(f"family must be an instance, not the class {given.__name__}: write {given.__name__}().")
    name = type(given).__name__
    if name not in _CLASSES or not hasattr(given, "link"):
        raise ArgumentError(
            f"family must be one of {', '.join(map(repr, NAMES))}, or a family instance with a link; got {shown(given)}."
        )
    link = resolve_link(given.link)
    if name == "NegativeBinomial":
        alpha: Any = getattr(given, "alpha", None)
        return NegativeBinomial(alpha, link)
    if name == "Tweedie":
        var_power: Any = getattr(given, "var_power", None)
        return Tweedie(var_power, link)
    return _CLASSES[name](link)


def family_from_json(stored: Any) -> Family:
    """Rebuild what `Family.to_json` gave.

    Raises
    ------
    FileFormatError
        Where it is not a known family and link with their parameters.
    """
    try:
        if not isinstance(stored, dict):
            raise TypeError("no mapping")
        name, link = stored["family"], stored["link"]
        parameter, more = float(stored["parameter"]), float(stored["link_parameter"])
        with_parameter: dict[str, Callable[[float], Link]] = {"power": power, "nbinom": nbinom}
        chosen = with_parameter[link](more) if link in with_parameter else resolve_link(str(link))
        if name == Distribution.name:
            return Distribution.from_json(stored)
        if name in DISTRIBUTIONS:
            return _distribution(stored, DISTRIBUTIONS[name], parameter, chosen)
        if name in ("negative_binomial", QuasiNegativeBinomial.name):
            return (NegativeBinomial if name == "negative_binomial" else QuasiNegativeBinomial)(parameter, chosen)
        return Tweedie(parameter, chosen) if name == "tweedie" else FAMILIES[name](chosen)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FileFormatError(f"a stored family is not readable: {stored!r:.200}") from error


def _distribution(stored: dict[str, Any], kind: type[Distributional], parameter: float, link: Link) -> Distributional:
    if issubclass(kind, Quantile):
        return Quantile(stored["q"], stored["smooth"])
    if issubclass(kind, Expectile):
        return Expectile(stored["q"])
    if issubclass(kind, Mixture | MultivariateNormal):
        return kind(int(parameter))
    if issubclass(kind, Laplace | Huber):
        return kind(parameter)
    if issubclass(kind, Cox):
        return Cox()
    if issubclass(kind, PiecewiseExponential):
        return PiecewiseExponential(stored["cuts"], int(stored["intervals"]))
    if issubclass(kind, Student):
        return Student(parameter or None)
    return Ordinal(link, int(parameter)) if issubclass(kind, Ordinal) else kind(link)


def needs(err_fct: Any, family: Any, dispformula: Any = None) -> str | None:
    """What the error function or family demands of the response (see `formula.design`)."""
    chosen = resolve_family(family, dispformula)
    if chosen is not None:
        return chosen.needs
    return "binary" if isinstance(err_fct, str) and err_fct == "ce" else None


def family_objective(family: Family) -> Objective:
    """Half the family's deviance, in the linear predictor; minus the log-likelihood of one with several parameters."""
    if isinstance(family, Distributional):
        output = resolve_activation("identity") if family.link.name == "identity" else ActivationSpec(
            family.link.name, -1, family.link.parameter, link=family.link)  # fmt: skip
        address = family.address if isinstance(family, Distribution) else 0
        return Objective(family.name, DISTRIBUTION + family.code, output, True, 0.0, address, family=family)
    if isinstance(family, Multinomial):
        kind = objective("multinomial", resolve_activation("softmax"))
        return Objective(kind.name, kind.loss, kind.output, True, family=family)
    name = family.link.name
    if name in _ACTIVATION:
        output = resolve_activation(_ACTIVATION[name])
    else:
        output = ActivationSpec(name, -1, family.link.parameter, link=family.link)
    if family.code == Gaussian.code and name == "identity":
        kind = objective("sse", output)
        return Objective("sse", kind.loss, output, False, family=family)
    return Objective(family.name, FAMILY + family.code + WIDTH * family.link.code, output, True, family=family)


def resolve_objective(
    err_fct: Any, linear_output: bool, output_act_fct: Any, family: Any, hidden_act: ActivationSpec, compat: str | None
) -> Objective:
    """The objective of a fit.

    Parameters
    ----------
    err_fct, linear_output, output_act_fct, family, compat
        As in `neuralstat.neuralnet`.
    hidden_act : ActivationSpec
        R looks at it to decide on its shortcut for cross entropy.

    Raises
    ------
    ArgumentError
        For unknown names, and for cross entropy of outputs that can leave (0, 1).
    """
    if isinstance(output_act_fct, str) or not callable(output_act_fct):
        resolve_activation(output_act_fct, "output_act_fct")  # checked even where it is not used
    chosen = family if isinstance(family, Family) else resolve_family(family)
    if chosen is not None:
        return family_objective(chosen)
    output = resolve_activation("identity" if linear_output else output_act_fct, "output_act_fct")
    if isinstance(err_fct, str):
        if err_fct == "sse":
            return objective("sse", output)
        if err_fct == "ce":
            return _cross_entropy(output, linear_output, hidden_act, compat)
        if err_fct not in ERRORS:
            hint = f" Here it is {_OTHER_NAMES[err_fct.lower()]}." if err_fct.lower() in _OTHER_NAMES else ""
            known = ", ".join(map(repr, ("sse", "ce", *ERRORS)))
            raise ArgumentError(
                f"err_fct: unknown error function {shown(err_fct)}.{hint} Known: {known}; or a function err(x, y)."
            )
        err_fct = named_error(err_fct)
    if isinstance(err_fct, Callable) and not isinstance(err_fct, Loss):  # type: ignore[arg-type]
        try:
            err_fct = Loss(err_fct)
        except ArgumentError as error:
            raise ArgumentError(f"err_fct: {error}") from error
    if not isinstance(err_fct, Loss):
        raise ArgumentError(f"err_fct must be 'sse', 'ce', 'mae', a Loss or a function err(x, y), got {shown(err_fct)}.")
    return Objective(err_fct.name, CUSTOM, output, False, 0.0, err_fct.address, err_fct)


@functools.cache
def named_error(name: str) -> Any:
    """The `Loss` of an entry of `ERRORS`."""
    return Loss(ERRORS[name], name=name)


def _cross_entropy(output: ActivationSpec, linear: bool, hidden: ActivationSpec, compat: str | None) -> Objective:
    if compat == "R":  # R's shortcut looks at the hidden activation only
        if not linear and hidden.name == "logistic":
            return objective("ce_r", output)
        return objective("ce", output)
    if linear or (output.name not in _UNIT and output.custom is None):
        what = "linear outputs" if linear else f"{output.name} outputs"
        raise ArgumentError(
            f"err_fct='ce' needs outputs between 0 and 1, but {what} can leave that range: "
            "set linear_output=False and output_act_fct='logistic', or family='binomial'."
        )
    return objective("ce_logit" if output.name == "logistic" else "ce", output)
