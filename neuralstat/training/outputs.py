"""What follows at once from a fit: its penalty, and what outputs are that are parameters of a distribution.

Parts of `fitted.Fitted`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..families import Distributional, Survival
from ..network import derivatives
from ..network.scaling import output_units


class Penalised:
    """The penalty of each repetition."""

    procedure: Any
    fit: Any

    @property
    def penalised(self) -> bool:
        """Whether there is a penalty beside the sum of errors."""
        return self.fit.penalty is not None or self.procedure.penalty is not None

    def penalty_of(self, b: int) -> np.ndarray | None:
        """(P, 4) coefficients of the penalty beside the sum of errors in repetition b, None without one.

        Repetitions differ in it where its strengths were estimated.
        """
        return self.procedure.penalty if self.fit.penalty is None else self.fit.penalty[b]

    def penalty_value(self, b: int) -> float:
        """The penalty of repetition b at its weights, internal units; 0 without one."""
        held = self.penalty_of(b)
        return 0.0 if held is None else derivatives.penalty_value(held, self.fit.theta[b].astype(float))

    def penalty_curvature(self, b: int) -> np.ndarray:
        """(P,) second derivatives of the penalty of repetition b at its weights; 0 without one."""
        held, theta = self.penalty_of(b), self.fit.theta[b].astype(float)
        return np.zeros(theta.size) if held is None else derivatives.penalty_curvature(held, theta)


class OfParameters:
    """Parameters and losses of distributions with several parameters."""

    network: Any
    design: Any
    fit: Any
    family: Any
    responses: Any
    case_weights: Any
    penalty_value: Any
    fitted_raw: Any
    total: Any

    @functools.cached_property
    def observed(self) -> np.ndarray:
        """(K', n) what means are compared with: the response in original units; of survival times the last known time."""
        if isinstance(self.family, Survival):
            return np.where(self.responses[:1] > 0, self.responses[:1], self.responses[1:2])
        return self.responses

    @property
    def mean_names(self) -> tuple[str, ...]:
        """Names of the predicted means: the responses', or one where times have two columns."""
        return (self.design.response,) if isinstance(self.family, Survival) else self.design.y_names

    def several_error(self, b: int) -> float:
        """Minus the log-likelihood (or the sum of the losses) in the units of the response, with the penalty."""
        return self.total(weighted_losses, b) + self.penalty_value(b)

    def observed_losses(self, b: int) -> np.ndarray:
        """(n,) losses of the observations where several outputs describe a response, in its units, without case weights."""
        raw = self.original_predictors(self.fitted_raw([b]))[0]
        return derivatives.predictor_losses(self.network, raw, self.responses, self.case_weights)[0]

    def original_predictors(self, raw: np.ndarray) -> np.ndarray:
        """Linear predictors (..., K, m) of a distribution's parameters, units of the response, from what kernels give."""
        if self.design.scaling is None:
            return raw
        scale, shift = output_units(self.network, self.design.scaling)
        return raw * scale[:, np.newaxis] + shift[:, np.newaxis]

    def parameters(self, raw: np.ndarray) -> np.ndarray:
        """Parameters (B', K', m) of a distribution with several, units of the response, from what kernels give (B', K, m).

        Raises
        ------
        ArgumentError
            Where the family has one parameter.
        """
        family = self.distribution
        return np.stack([family.natural(r) for r in self.original_predictors(raw)])

    @property
    def distribution(self) -> Distributional:
        """The family, where its parameters are outputs.

        Raises
        ------
        ArgumentError
            Where it is another one.
        """
        family = self.network.objective.family
        if not isinstance(family, Distributional):
            raise ArgumentError(f"the family {getattr(family, 'name', None)!r} has no parameters beside its mean.")
        return family


def weighted_losses(fitted: Any, b: int) -> float:
    """Sum of the losses of repetition b where several outputs describe a response, in its units."""
    with np.errstate(all="ignore"):
        return float(fitted.observed_losses(b) @ fitted.case_weights)
