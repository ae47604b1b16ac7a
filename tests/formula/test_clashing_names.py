"""Names that two weights would share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import DataError
from neuralstat.formula import design, from_arrays

FRAME = pd.DataFrame({"Intercept": 1.0, "x": [0.0, 1, 2, 4], "y": [1.0, 3, 2, 5], "1layhid1": [2.0, 1, 0, 3]})


@pytest.mark.parametrize("formula", ["y ~ x + Intercept", "y ~ .", "y ~ 0 + Intercept", "y ~ x*Intercept"])
def test_a_covariate_called_intercept_is_refused(formula):
    with pytest.raises(DataError, match=r"column 'Intercept'.*names of the biases.*Leave it out.*rename"):
        raw.neuralnet(formula, FRAME, hidden=1)


def test_arrays_and_parts():
    with pytest.raises(DataError, match="column 'Intercept'"):
        from_arrays(FRAME["y"], FRAME[["Intercept", "x"]])
    with pytest.raises(DataError, match="column 'Intercept'"):
        raw.NeuralNet(FRAME["y"], FRAME[["x", "Intercept"]])
    with pytest.raises(DataError, match="column 'Intercept'"):
        raw.neuralnet("y ~ Intercept", ns.chunks([FRAME, FRAME]), hidden=0)


def test_what_makes_other_names_is_taken():
    for formula in ("y ~ I(Intercept) + x", "Intercept ~ x", "y ~ C(Intercept, levels=[1.0, 2.0])", "y ~ {Intercept * x}"):
        d = design(formula, FRAME)
        assert "Intercept" not in d.x_names
    fit = raw.neuralnet("Intercept ~ x", FRAME.assign(Intercept=FRAME["y"]), hidden=0, algorithm="lm")
    assert fit.params.index.is_unique


def test_outputs_called_like_hidden_units():
    with pytest.raises(DataError, match="response '1layhid1': a hidden unit has this name"):
        raw.neuralnet("y + `1layhid1` ~ x", FRAME, hidden=2)
    fit = raw.neuralnet("y + `1layhid1` ~ x", FRAME, hidden=0, algorithm="lm")
    assert fit.params.index.is_unique
    levels = FRAME.assign(g=np.array(["1layhid1", "b", "1layhid1", "b"]))
    with pytest.raises(DataError, match="response '1layhid1'"):
        raw.neuralnet("g ~ x", levels, hidden=1, family="multinomial")
