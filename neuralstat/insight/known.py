"""Networks with weights that are no fits, as what looks inside fits reads these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..checks import shown
from ..errors import ArgumentError
from ..network.array_weights import ArrayWeights
from ..network.arrays import to_arrays
from ..network.network import Network

Encoded = tuple[np.ndarray, np.ndarray | None, Any, np.ndarray]


@dataclass(frozen=True)
class Known:
    """A network with weights, without data: it has of `Fitted` what `neuralstat.insight` asks for.

    Parameters
    ----------
    name : str
    network : Network
    theta : (P,) array, or ArrayWeights
    outputs : int
        The outputs are numbered from 0; 0 where it has none one by one.
    lacking : str
        Says why, where it has none.
    read : callable
        Function of given arrays: inputs (m, *shape), checked.
    """

    name: str
    network: Network
    theta: np.ndarray | ArrayWeights
    outputs: int
    lacking: str
    read: Callable[[Any], np.ndarray]

    @property
    def fit(self) -> Any:
        """Weights, as of one repetition."""
        return SimpleNamespace(theta=(self.theta,))

    @property
    def design(self) -> Any:
        """Names of the outputs; nothing is scaled."""
        if not self.outputs:
            raise ArgumentError(f"{self.name}: {self.lacking}")
        return SimpleNamespace(scaling=None, y_names=range(self.outputs), classes=None)

    def which(self, rep: Any) -> int:
        """There is one repetition."""
        if (isinstance(rep, str) and rep == "best") or rep == 1:
            return 0
        raise ArgumentError(f"rep must be 'best' or 1, got {shown(rep)}.")

    def arrays(self, rep: Any) -> Mapping[str, np.ndarray]:
        """Weights by array."""
        theta = self.fit.theta[self.which(rep)]
        return theta.arrays if isinstance(theta, ArrayWeights) else to_arrays(self.network, theta)

    def encoded(self, new: Any, what: str) -> Encoded:
        """Inputs (D, m), no offset, no index, and which rows are complete."""
        if new is None:
            raise ArgumentError(f"{what}: new must be arrays (m, {', '.join(map(str, self.network.input_shape))}); "
                                f"{self.name} has no data of its own.")  # fmt: skip
        rows = self.read(new)
        x = np.ascontiguousarray(rows.reshape(len(rows), int(np.prod(rows.shape[1:]))).T, float)
        return x, None, None, ~np.isnan(x).any(axis=0)

    def response(self, raw: np.ndarray) -> np.ndarray:
        """Predictions (1, K, m) from what the last layer gives."""
        objective = self.network.objective
        return objective.output.values(raw[0])[np.newaxis] if objective.of_predictor else raw

    def original_means(self, raw: np.ndarray) -> np.ndarray:
        """Nothing is scaled."""
        return raw
