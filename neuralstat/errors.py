"""Exceptions and warnings of neuralstat: one short tree, so that callers can catch by kind.

Messages hold no links. Where the documentation says more is shown beside them: below the traceback of an error (its
``__notes__``), and after the message where Python prints a warning.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

SITE = ""  # address of the documentation with a slash at its end, once it has one; links are relative to it until then
PAGE = f"{SITE}reference/errors.html"


def caller() -> int:
    """The `stacklevel` with which a warning points to the line outside this package that led to it.

    Contexts that decorate the package's functions are not outside.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (__package__, "contextlib"):
        level, frame = level + 1, frame.f_back
    return level


class _Told:
    """What the documentation says of an error or a warning: where, and what to do."""

    anchor: ClassVar[str] = ""
    remedy: ClassVar[str] = "as the message says."

    @classmethod
    def _link(cls) -> str:
        """Its place in the documentation."""
        return f"{PAGE}{'#' if cls.anchor else ''}{cls.anchor}"


class NeuralStatError(_Told, Exception):
    """Base of all errors that neuralstat raises on purpose.

    Examples
    --------
    >>> import neuralstat as ns
    >>> try:
    ...     ns.neuralnet("accel ~ time", ns.datasets.mcycle())
    ... except ns.errors.NeuralStatError as error:  # whatever kind it is
    ...     print(type(error).__name__)
    DataError
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        name = type(self).__name__
        # what `add_note` of Python 3.11 sets
        self.__notes__ = [f'More: neuralstat.errors.explain("{name}"); documentation: {self._link()}']


class ArgumentError(NeuralStatError, ValueError):
    """An argument of a public function is not usable; the message names it and says what would be.

    Examples
    --------
    >>> import neuralstat as ns
    >>> try:
    ...     ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hiden=3)
    ... except ns.errors.ArgumentError as error:
    ...     print(error)
    unknown argument 'hiden'. Did you mean 'hidden'?
    """

    anchor = "error-argument"
    remedy = "change the argument as the message says."


class TooLargeError(ArgumentError):
    """What a call would make does not fit in the memory at hand; refused before it is begun.

    Examples
    --------
    >>> import neuralstat as ns
    >>> try:
    ...     ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=(10**6, 10**6))
    ... except ns.errors.TooLargeError as error:
    ...     print(type(error).__name__)
    TooLargeError
    """

    anchor = "error-too-large"
    remedy = 'fewer rows at a time (ns.chunks), dtype="float32", fewer repetitions at once, or what the message names.'


class DataError(NeuralStatError, ValueError):
    """The data do not fit the formula or the model; the message names the column or level at fault.

    Examples
    --------
    >>> import neuralstat as ns
    >>> try:
    ...     ns.neuralnet("accel ~ time", ns.datasets.mcycle())
    ... except ns.errors.DataError as error:
    ...     print(error)
    formula: the data have no column 'time'. Did you mean 'times'? Columns: 'times', 'accel'.
    """

    anchor = "error-data"
    remedy = "the message names the column or level; columns are matched by name, never by position."


class FileFormatError(NeuralStatError, ValueError):
    """A file is not a saved neuralstat model, or is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> import neuralstat as ns
    >>> size = Path("notes.nst").write_text("no saved fit")
    >>> try:
    ...     ns.load("notes.nst")
    ... except ns.errors.FileFormatError as error:
    ...     print(error)
    notes.nst: not a saved fit, or damaged (BadZipFile: File is not a zip file)
    """

    anchor = "error-file-format"
    remedy = "save it again; a file that was written by a newer version says so."


class DeviceError(NeuralStatError, RuntimeError):
    """The device asked for is not there, or cannot do what was asked; the message says what would mend it.

    Examples
    --------
    >>> import neuralstat as ns
    >>> try:
    ...     ns.neuralnet("accel ~ times", ns.datasets.mcycle(), device="cuda:99")
    ... except ns.errors.DeviceError as error:
    ...     print("no such device")
    no such device
    """

    anchor = "error-device"
    remedy = 'the message says which: a driver, the extra neuralstat[cuda], or device="cpu" for what no device does.'


class NeuralStatWarning(_Told, UserWarning):
    """Base of all warnings of neuralstat.

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ns.errors.NeuralStatWarning)  # those of this package only
    ...     fit = ns.neuralnet("accel ~ times", data, hidden=2, stepmax=5, random_state=1)
    >>> fit.converged
    False
    """

    def __format__(self, spec: str) -> str:
        """What Python prints of a warning; `str` is the message alone."""
        return format(f'{self!s} (More: neuralstat.errors.explain("{type(self).__name__}"))', spec)


class ConvergenceWarning(NeuralStatWarning):
    """Some repetition did not reach the threshold.

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     fit = ns.neuralnet("accel ~ times", data, hidden=2, stepmax=5, random_state=1)
    >>> print(said[0].category.__name__, said[0].message, sep=": ")
    ConvergenceWarning: Algorithm did not converge in 5 of 5 repetition(s) within the stepmax.
    (stepmax reached; repetition 1: largest partial derivative 322.5 at Intercept.to.accel,
    threshold 0.01.) The weights reached are kept. Try algorithm="lm" or "lbfgs", standardize=True,
    a larger stepmax (epochs) or threshold; fit.update() goes on.
    """

    anchor = "warning-convergence"
    remedy = 'algorithm="lm" or "lbfgs", standardize=True, a larger stepmax (epochs) or threshold; fit.update() goes on.'


class FitWarning(NeuralStatWarning):
    """A fit is not what was asked for: collapsed, diverged, without degrees of freedom, or with infinite estimates.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> import neuralstat as ns
    >>> data = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]})  # x tells the classes apart
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     fit = ns.neuralnet("y ~ x", data, hidden=0, family="binomial")
    >>> print(said[0].category.__name__, said[0].message, sep=": ")
    FitWarning: Separation: x: tells responses apart, so that estimates grow without end. Remedy: a
    penalty (ns.decay), fewer levels or covariates; estimates and standard errors mean nothing,
    fitted values do. (fit.diagnose() has all findings.)
    """

    anchor = "warning-fit"
    remedy = "as it says; fit.diagnose() is the whole table."


class DataWarning(NeuralStatWarning):
    """The data were changed or look unusual (rows dropped, constant columns).

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     fit = ns.neuralnet("accel ~ log(times - 3)", ns.datasets.mcycle(), hidden=0)
    >>> print(said[0].category.__name__, said[0].message, sep=": ")
    DataWarning: 'log(times - 3)' is not a number in 2 row(s) without missing values, as log(-1)
    would be; these rows are dropped.
    """

    anchor = "warning-data"
    remedy = 'missing="raise" has missing values refused; check the rows and columns that it names.'


class SingularHessianWarning(NeuralStatWarning):
    """The information matrix has not full rank; a pseudo-inverse was used.

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     errors = ns.neuralnet("y ~ x", data, hidden=6, random_state=1).bse
    >>> print(said[0].category.__name__, said[0].message, sep=": ")
    SingularHessianWarning: The expected information of repetition ... has rank ... for 19 weights:
    some are not determined by the data. Standard errors come from a pseudo-inverse.
    """

    anchor = "warning-singular-hessian"
    remedy = "fewer units, or a penalty (ns.decay); standard errors of predictions hold, those of the weights do not."


class DfError(NeuralStatError, ValueError):
    """An estimator of degrees of freedom is not defined at this fit.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=4, algorithm="lm", rep=2, random_state=1)
    >>> try:
    ...     ns.risk(fit, "gcv", df=60)
    ... except ns.errors.DfError as error:
    ...     print(error)
    risk: GCV is not defined where df (60) reaches the number of values (60).
    """

    anchor = "error-df"
    remedy = 'another method: fit.df("gdf") refits the whole procedure and is defined wherever fitting is.'


class DfWarning(NeuralStatWarning):
    """Degrees of freedom were computed where their meaning is limited; the message says what would be better.

    Examples
    --------
    >>> import warnings
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=20, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=4, algorithm="lm", rep=2, random_state=1)
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     estimate = ns.risk(fit, "rcp")
    >>> print(said[0].category.__name__, said[0].message, sep=": ")
    DfWarning: risk: df (...) are more than half the observations, where 'rcp' overstates the error
    of networks; without a penalty nothing holds a network between the rows, and 'rcp' understates
    its error there. method='cv' refits.
    """

    anchor = "warning-df"
    remedy = 'the estimator that it names, or fit.df("auto").'


def explain(what: Any) -> str:
    """What an error or a warning of this package means, what to do, and where the documentation says more.

    Parameters
    ----------
    what : error, warning, class of them, or its name
        As ``except ... as error`` or ``warnings.catch_warnings(record=True)`` give it, or as a traceback names it.

    Returns
    -------
    str

    Raises
    ------
    ArgumentError
        Where it is none of this package.

    Examples
    --------
    >>> import neuralstat as ns
    >>> print(ns.errors.explain(ns.errors.ConvergenceWarning))
    ConvergenceWarning: Some repetition did not reach the threshold.
    Remedy: algorithm="lm" or "lbfgs", standardize=True, a larger stepmax (epochs) or threshold; fit.update()
    goes on.
    More: reference/errors.html#warning-convergence
    """
    if isinstance(what, str):
        known = {name: kind for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, _Told)}
        if what not in known or what.startswith("_"):
            names = ", ".join(name for name in known if not name.startswith("_"))
            raise ArgumentError(f"what: neuralstat has no error or warning {what[:60]!r}. It has {names}.")
        what = known[what]
    kind = getattr(what, "category", what)
    kind = kind if isinstance(kind, type) else type(kind)
    if not issubclass(kind, _Told):
        raise ArgumentError(f"what must be an error or a warning of neuralstat, or a class of them, not {kind.__name__}.")
    meaning = (kind.__doc__ or "").partition("\n")[0]
    return f"{kind.__name__}: {meaning}\nRemedy: {kind.remedy}\nMore: {kind._link()}"
