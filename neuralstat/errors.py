"""Exceptions and warnings of neuralstat: one short tree, so that callers can catch by kind."""


class NeuralStatError(Exception):
    """Base of all errors that neuralstat raises on purpose."""


class ArgumentError(NeuralStatError, ValueError):
    """An argument of a public function is not usable; the message names it and says what would be."""


class DataError(NeuralStatError, ValueError):
    """The data do not fit the formula or the model; the message names the column or level at fault."""


class FileFormatError(NeuralStatError, ValueError):
    """A file is not a saved neuralstat model, or is damaged."""


class NeuralStatWarning(UserWarning):
    """Base of all warnings of neuralstat."""


class ConvergenceWarning(NeuralStatWarning):
    """Some repetition did not reach the threshold."""


class DataWarning(NeuralStatWarning):
    """The data were changed or look unusual (rows dropped, constant columns)."""


class SingularHessianWarning(NeuralStatWarning):
    """The information matrix has not full rank; a pseudo-inverse was used."""
