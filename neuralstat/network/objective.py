"""What a network aims at: error, output activation, and whether the error is of the linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..checks import shown
from ..errors import ArgumentError
from ..functions.activation_calls import activation_values
from ..functions.activations import ACTIVATIONS, ALIASES, Parametric
from ..functions.activations import CUSTOM as CUSTOM_ACTIVATION
from ..functions.distributions import DISTRIBUTION
from ..functions.losses import LOSSES, MULTINOMIAL, SSE
from ..symbolic.custom import Activation


@dataclass(frozen=True)
class ActivationSpec:
    """An activation with its parameter, a user's compiled one, or the inverse of a link."""

    name: str
    code: int
    parameter: float = 0.0
    address: int = 0
    custom: Any = None
    link: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the address, which is of this process."""
        return _rebuilt, (ActivationSpec, {f.name: getattr(self, f.name) for f in fields(self)})

    def values(self, z: np.ndarray) -> np.ndarray:
        """The activation of an array of any shape (softmax: over the first axis)."""
        z = np.array(z, dtype=np.float64)
        if self.link is not None:
            return self.link.inverse(z)
        flat = np.ascontiguousarray(z.reshape(z.shape[0] if z.ndim else 1, -1))
        activation_values(self.code, self.parameter, self.address, flat, np.empty_like(flat))
        return flat.reshape(z.shape)

    def slopes(self, z: np.ndarray) -> np.ndarray:
        """The derivative at an array (not softmax, whose units are coupled)."""
        if self.link is not None:
            return self.link.inverse_deriv(np.array(z, dtype=np.float64))
        flat = np.array(z, dtype=np.float64).reshape(1, -1)
        slope = np.empty_like(flat)
        activation_values(self.code, self.parameter, self.address, flat, slope)
        return slope.reshape(np.shape(z))


def _rebuilt(kind: Any, parts: dict[str, Any]) -> Any:
    """What was pickled, its user's function compiled in this process."""
    custom = parts["custom"]
    if custom is None and hasattr(parts.get("family"), "address"):
        custom = parts["family"]
        return kind(**{**parts, "address": custom.address})
    return kind(**{**parts, "address": 0 if custom is None else custom.address})


def resolve_activation(given: Any, argument: str = "act_fct") -> ActivationSpec:
    """Turn what a user gave into an `ActivationSpec`.

    Parameters
    ----------
    given : str, Activation, ActivationSpec, callable or None
        A name of `ACTIVATIONS` or of their aliases; a `neuralstat.Activation`; a Python function; None for the
        identity.
    argument : str
        Name of the argument, for the message.

    Raises
    ------
    ArgumentError
        Where it is none of these.
    """
    if given is None:
        given = "identity"
    if isinstance(given, ActivationSpec):
        return given
    if isinstance(given, Parametric):
        return ActivationSpec(given.name, ACTIVATIONS[given.name].code, float(given.parameter))
    if isinstance(given, str):
        name = ALIASES.get(given, given)
        if name not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ArgumentError(f"{argument}: unknown activation function {shown(given)}. Known: {known}; or a function.")
        kind = ACTIVATIONS[name]
        return ActivationSpec(name, kind.code, kind.parameter)
    if isinstance(given, Callable) and not isinstance(given, Activation):  # type: ignore[arg-type]
        try:
            given = Activation(given)
        except ArgumentError as error:
            raise ArgumentError(f"{argument}: {error}") from error
    if not isinstance(given, Activation):
        raise ArgumentError(f"{argument} must be a name, an Activation or a function, got {shown(given)}.")
    return ActivationSpec(given.name, CUSTOM_ACTIVATION, 0.0, given.address, given)


@dataclass(frozen=True)
class Objective:
    """What is minimised: a loss, and the function that turns the last layer's units into predictions.

    Attributes
    ----------
    name : str
        Entry of `LOSSES`, or of a user's function.
    loss, parameter, address : int, float, int
        What kernels are told.
    output : ActivationSpec
        Activation of the output layer as the user sees it (the inverse link of a family).
    of_predictor : bool
        True: kernels see the linear predictor, and `output` is applied afterwards.
    custom : Loss or None
    family : Family or None
        The exponential family that was asked for, with its link.
    """

    name: str
    loss: int
    output: ActivationSpec
    of_predictor: bool = False
    parameter: float = 0.0
    address: int = 0
    custom: Any = None
    family: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the address, which is of this process."""
        return _rebuilt, (Objective, {f.name: getattr(self, f.name) for f in fields(self)})

    @property
    def inside(self) -> ActivationSpec:
        """Activation of the output layer inside kernels."""
        return resolve_activation("identity") if self.of_predictor else self.output

    @property
    def several(self) -> bool:
        """Whether several outputs describe one response."""
        return self.loss >= DISTRIBUTION

    @property
    def coupled(self) -> bool:
        """Whether the loss is no sum over observations."""
        return self.several and self.family.coupled

    def response(self, raw: np.ndarray) -> np.ndarray:
        """Predictions (K, n) from what kernels give; of a distribution with several parameters its means."""
        if self.several:
            return self.family.response(raw)
        return self.output.values(raw) if self.of_predictor else raw

    def as_in_keras(self, outputs: int) -> float:
        """What Keras' loss of a row is of the error here, of so many outputs.

        Errors are halves of deviances, and sums over outputs, as in R; Keras' losses are means over outputs (so are functions
        of a user's here), and squared errors whole. Of classes, and of distributions with several parameters, there is one
        term to a row on both sides.
        """
        if self.several or self.loss == MULTINOMIAL or getattr(self.family, "name", "") == "multinomial":
            return 1.0
        squared = self.loss == SSE or getattr(self.family, "name", "") == "gaussian"
        return (2.0 if squared else 1.0) / outputs

    def output_slopes(self, raw: np.ndarray, d: np.ndarray) -> np.ndarray:
        """d prediction / d x (K, D, n) from the linear predictor (K, n) and its slopes (K, D, n)."""
        if self.several:
            return np.einsum("rkn,kdn->rdn", self.family.response_slopes(raw), d)
        if self.output.name == "softmax":
            p = self.output.values(raw)
            return p[:, None, :] * (d - np.sum(p[:, None, :] * d, axis=0, keepdims=True))
        return self.output.slopes(raw)[:, None, :] * d


def objective(name: str, output: ActivationSpec) -> Objective:
    """The objective of an entry of `LOSSES` with an output activation."""
    kind = LOSSES[name]
    return Objective(name, kind.code, output, kind.of_predictor)
