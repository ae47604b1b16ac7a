"""What follows at once from a fit whose outputs are parameters of a distribution: a part of `fitted.Fitted`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..families import Distributional, Survival
from ..network import derivatives
from ..network.scaling import output_units


class OfParameters:
    """Parameters and losses of distributions with several parameters."""

    network: Any
    design: Any
    fit: Any
    family: Any
    responses: Any
    case_weights: Any
    penalty_coefficients: Any
    fitted_raw: Any

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
        total = float(self.observed_losses(b) @ self.case_weights)
        if self.penalty_coefficients is not None:
            total += derivatives.penalty_value(self.penalty_coefficients, self.fit.theta[b].astype(float))
        return total

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
