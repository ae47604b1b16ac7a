"""Penalties of layers are of the mean error of the observations that are trained on: repeated rows, parts, samples."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.layers import L2, Dense
from neuralstat.training import parts, refits

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
RNG = np.random.default_rng(4)
TABLE = pd.DataFrame({"x": RNG.normal(size=30), "z": RNG.normal(size=30), "f": RNG.integers(1, 6, 30)})
TABLE["y"] = np.sin(TABLE["x"]) + 0.2 * RNG.normal(size=30)
LONG = TABLE.loc[np.repeat(TABLE.index, TABLE["f"])].reset_index(drop=True)
LAYERS = [Dense(3, "tanh", kernel_regularizer=L2(0.02), bias_regularizer=L2(0.01))]
BASE = {"layers": LAYERS, "random_state": 1, "rep": 1, "standardize": False, "penalty": ns.decay(0.05)}
FULL = {**BASE, "algorithm": "lbfgs", "threshold": 1e-7, "stepmax": 5000}
EPOCHS = {**BASE, "algorithm": "sgd", "batch_size": None, "epochs": 20}
START = ns.neuralnet("y ~ x + z", TABLE, **BASE, algorithm="adam", epochs=0).get_weights()


def fit(table=TABLE, **settings):
    return ns.neuralnet("y ~ x + z", table, **settings)


def test_frequencies_are_repeated_rows_by_full_batches():
    one, other = fit(**FULL, freq_weights="f", startweights=START), fit(LONG, **FULL, startweights=START)
    np.testing.assert_allclose(one.fit.theta, other.fit.theta, atol=1e-6)
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-9)
    assert one.df("nic") == pytest.approx(other.df("nic"), rel=1e-4)  # the curvature of the penalty, too


def test_frequencies_are_repeated_rows_by_epochs():
    """The mean over fewer rows of larger weights: the steps are those of a larger rate."""
    settings = {**EPOCHS, "startweights": START}
    one = fit(**settings, freq_weights="f", learningrate=0.1 * len(TABLE) / len(LONG))
    other = fit(LONG, **settings, learningrate=0.1)
    np.testing.assert_allclose(one.fit.theta, other.fit.theta, rtol=1e-10)
    np.testing.assert_allclose(one.fit.loss, other.fit.loss, rtol=1e-10)
    again = refits.Refits(one.fitted.procedure, one.fit)
    np.testing.assert_array_equal(again.to_responses(one.design.y[np.newaxis], one.fit.start).theta, one.fit.theta)
    (sample,) = again.to_samples([np.repeat(np.arange(30), TABLE["f"])], one.fit.start[np.newaxis])
    slower = fit(LONG, **settings, learningrate=0.1 * len(TABLE) / len(LONG))
    np.testing.assert_allclose(sample.theta, slower.fit.theta, rtol=1e-10)


@pytest.mark.parametrize("weights", [None, "f"])
@pytest.mark.parametrize("settings", [FULL, EPOCHS], ids=["full", "epochs"])
def test_parts_have_the_penalty_of_their_own_rows(settings, weights):
    whole = fit(**settings, freq_weights=weights, startweights=START)
    procedure, rows = whole.fitted.procedure, [np.arange(24), np.arange(18, 30)]
    found = parts.train_parts(procedure, [parts.part_of(procedure, r) for r in rows], rows, [procedure.seeds] * 2,
                              given=whole.fit.start)  # fmt: skip
    for own, at in zip(found, rows, strict=True):
        alone = fit(TABLE.iloc[at], **settings, freq_weights=weights, startweights=START)
        np.testing.assert_allclose(own.theta, alone.fit.theta, atol=1e-6)
        np.testing.assert_allclose(own.loss, alone.fit.loss, rtol=1e-8)


def test_cross_validation_is_of_fits_to_folds():
    given = [np.arange(0, 20), np.arange(20, 30)]
    whole = fit(**FULL, startweights=START)
    risk = ns.risk(whole, "cv", folds=np.repeat([1, 2], [20, 10]), random_state=1)
    squares = []
    for at in given:
        rest = np.setdiff1d(np.arange(30), at)
        own = fit(TABLE.iloc[rest], **FULL, startweights=START)
        squares.append((TABLE["y"].iloc[at] - own.predict(TABLE.iloc[at]).to_numpy().ravel()) ** 2)
    assert float(risk) == pytest.approx(np.concatenate(squares).mean(), rel=1e-4)
