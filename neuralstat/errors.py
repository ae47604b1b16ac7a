"""Exceptions and warnings of neuralstat: one short tree, so that callers can catch by kind."""


from __future__ import annotations

import sys


def caller() -> int:
    """The `stacklevel` with which a warning points to the line outside this package that led to it.

    Contexts that decorate the package's functions are not outside.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (__package__, "contextlib"):
        level, frame = level + 1, frame.f_back
    return level


class NeuralStatError(Exception):
    """Base of all errors that neuralstat raises on purpose."""


class ArgumentError(NeuralStatError, ValueError):
    """An argument of a public function is not usable; the message names it and says what would be."""


class TooLargeError(ArgumentError):
    """What a call would make does not fit in the memory at hand; refused before it is begun."""


class DataError(NeuralStatError, ValueError):
    """The data do not fit the formula or the model; the message names the column or level at fault."""


class FileFormatError(NeuralStatError, ValueError):
    """A file is not a saved neuralstat model, or is damaged."""


class DeviceError(NeuralStatError, RuntimeError):
    """The device asked for is not there, or cannot do what was asked; the message says what would mend it."""


class NeuralStatWarning(UserWarning):
    """Base of all warnings of neuralstat."""


class ConvergenceWarning(NeuralStatWarning):
    """Some repetition did not reach the threshold."""


class FitWarning(NeuralStatWarning):
    """A fit is not what was asked for: collapsed, diverged, without degrees of freedom, or with infinite estimates."""


class DataWarning(NeuralStatWarning):
    """The data were changed or look unusual (rows dropped, constant columns)."""


class SingularHessianWarning(NeuralStatWarning):
    """The information matrix has not full rank; a pseudo-inverse was used."""


class DfError(NeuralStatError, ValueError):
    """An estimator of degrees of freedom is not defined at this fit."""


class DfWarning(NeuralStatWarning):
    """Degrees of freedom were computed where their meaning is limited; the message says what would be better."""
