"""Fits in raw units, one network, by R's algorithm: what tests of other things than the defaults begin with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest

import neuralstat as ns
from neuralstat.errors import FitWarning
from neuralstat.training.model import Source

RAW: dict[str, Any] = {"standardize": False, "rep": 1, "algorithm": "rprop+"}

# Fits that are cut short on purpose are rightly called collapsed or diverged.
CUT_SHORT = pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")


def neuralnet(formula: str, data: Any, **arguments: Any) -> ns.NeuralNetResults:
    """`ns.neuralnet` with `RAW` where nothing else is given; what it says of bad fits is tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return ns.neuralnet(formula, data, **{**RAW, **arguments})


class NeuralNet(ns.NeuralNet):
    """`ns.NeuralNet` with `RAW` where nothing else is given."""

    def _of(self, source: Source, settings: Mapping[str, Any]) -> None:
        super()._of(source, {**RAW, **settings})

    def fit(self, **settings: Any) -> ns.NeuralNetResults:
        """As `neuralnet`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            return super().fit(**settings)
