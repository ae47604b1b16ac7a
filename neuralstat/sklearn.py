"""Estimators for scikit-learn: `NeuralNetRegressor` and `NeuralNetClassifier`.

They work in pipelines, grid searches and cross-validation; what was fitted is a `NeuralNetResults` in
``results_``, with its summary, plots and diagnostics. Ctrl-C ends a fit with KeyboardInterrupt, so that searches end with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .api import NeuralNet
from .checks.arguments import FLAG, N_JOBS, NONE, POSITIVE, RANDOM_STATE, Choice, Number, Whole
from .network.penalties import decay as weight_decay
from .results import NeuralNetResults
from .training.interrupts import passed_on

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        "neuralstat.sklearn needs scikit-learn 1.6 or newer: pip install 'neuralstat[sklearn]'"
    ) from error

if TYPE_CHECKING:
    from .formula import Design

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]

_PARAMETERS = """
    hidden : int or sequence of int
        Units per hidden layer; 0 for none.
    act_fct : str, Activation or callable, or a sequence of them
        Hidden activation, or one per layer.
    decay : float
        Weight decay, ``decay / 2 * sum w^2`` is added to the error.
    penalty : Penalty, optional
        Another penalty instead of `decay`, such as ``neuralstat.l1(0.1)``.
    algorithm : {"rprop+", "rprop-", "sag", "slr", "backprop"}
    learningrate : float, optional
        Of "backprop".
    threshold : float
        Stop where no partial derivative of the error is larger.
    stepmax : int
        At most so many steps.
    rep : int
        Repetitions from random starts; predictions are averaged over those that converged.
    standardize : bool
        Centre and scale covariates (and the response of a regression) inside the model.
    n_jobs : int, optional
        Threads over repetitions.
    random_state : int, RandomState, Generator, SeedSequence, optional
"""

#: what parameters may be, beyond what `NeuralNet` checks; scikit-learn wants them checked in `fit`, and stored as given
_KINDS = {
    "decay": Number(0.0, 1e100), "learningrate": NONE | POSITIVE, "rep": Whole(1), "standardize": FLAG | Choice("auto"),
    "n_jobs": N_JOBS, "random_state": RANDOM_STATE,
}  # fmt: skip
_ATTRIBUTES = """
    results_ : NeuralNetResults
        The fit.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X was a DataFrame with string column names.
    n_iter_ : int
        Most steps that a repetition took.
"""


def _documented(kind: type) -> type:
    """Fill in what the docstrings of both estimators share."""
    if kind.__doc__:  # there is none under python -OO
        kind.__doc__ = kind.__doc__.replace("{PARAMETERS}", _PARAMETERS.strip())
        kind.__doc__ = kind.__doc__.replace("{ATTRIBUTES}", _ATTRIBUTES.strip())
    return kind


class _NeuralNetEstimator(BaseEstimator):
    """What both estimators share."""

    results_: NeuralNetResults
    n_features_in_: int

    def __init__(
        self,
        hidden: Any = 3,
        *,
        act_fct: Any = "logistic",
        decay: float = 0.01,
        penalty: Any = None,
        algorithm: str = "rprop+",
        learningrate: float | None = None,
        threshold: float = 0.05,
        stepmax: int = 10_000,
        rep: int = 1,
        standardize: bool = True,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.act_fct = act_fct
        self.decay = decay
        self.penalty = penalty
        self.algorithm = algorithm
        self.learningrate = learningrate
        self.threshold = threshold
        self.stepmax = stepmax
        self.rep = rep
        self.standardize = standardize
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _train(self, endog: Any, x: np.ndarray, sample_weight: Any, family: str) -> None:
        """Fit the model of checked data."""
        given = {name: getattr(self, name) for name in _KINDS}
        if isinstance(self.random_state, np.random.RandomState):
            given["random_state"] = self.random_state.randint(0, 2**31 - 1, size=4).tolist()
        checked = {name: kind.check(given[name], name) for name, kind in _KINDS.items()}
        decay = checked.pop("decay")
        weights = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        )
        model = NeuralNet(
            endog,
            self._frame(x),
            hidden=self.hidden,
            act_fct=self.act_fct,
            penalty=weight_decay(decay) if self.penalty is None else self.penalty,
            algorithm=self.algorithm,
            threshold=self.threshold,
            stepmax=self.stepmax,
            weights=weights,
            family=family,
            **checked,
        )
        model.design = _population_scaling(model.design)
        with passed_on():  # a search or validation around it must not go on with half a fit
            self.results_ = model.fit()
        self.n_iter_ = int(self.results_.fit.steps.max())

    def _frame(self, x: np.ndarray) -> pd.DataFrame:
        """Covariates under their names, x1, x2, ... where they have none."""
        names = getattr(self, "feature_names_in_", [f"x{j + 1}" for j in range(x.shape[1])])
        return pd.DataFrame(x, columns=list(names))

    def _mean(self, X: Any) -> np.ndarray:
        """Predictions (m, K), averaged over the converged repetitions, over all where none converged."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        table = self.results_.predict(self._frame(x), rep="all").to_numpy()
        values = table.reshape(len(x), self.results_.nrep, -1)
        done = self.results_.fit.finished
        return values[:, done if done.any() else slice(None)].mean(axis=1)


@_documented
class NeuralNetRegressor(RegressorMixin, MultiOutputMixin, _NeuralNetEstimator):
    """Neural network regression: least squares with a linear output.

    Parameters
    ----------
    {PARAMETERS}

    Attributes
    ----------
    {ATTRIBUTES}

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from neuralstat.sklearn import NeuralNetRegressor
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    >>> model = NeuralNetRegressor(5, random_state=1)
    >>> scores = cross_val_score(model, data[["x"]], data["y"])  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetRegressor:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n, D)
        y : array-like of shape (n,) or (n, K)
        sample_weight : array-like of shape (n,), optional
            Case weights.

        Returns
        -------
        self
        """
        x, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        self._flat = y.ndim == 1
        self._train(np.asarray(y, dtype=np.float64), x, sample_weight, "gaussian")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict the response, shape (m,) or (m, K) as `y` was."""
        values = self._mean(X)
        return values[:, 0] if self._flat else values


@_documented
class NeuralNetClassifier(ClassifierMixin, _NeuralNetEstimator):
    """Neural network classification: cross entropy with logistic or softmax outputs.

    Parameters
    ----------
    {PARAMETERS}

    Attributes
    ----------
    classes_ : array of shape (C,)
    {ATTRIBUTES}

    Examples
    --------
    >>> from neuralstat.sklearn import NeuralNetClassifier
    >>> import neuralstat as ns
    >>> iris = ns.datasets.iris()
    >>> model = NeuralNetClassifier(3, rep=5, random_state=1)
    >>> model.fit(iris.drop(columns="Species"), iris["Species"]).score(...)  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n, D)
        y : array-like of shape (n,)
            Labels of any kind.
        sample_weight : array-like of shape (n,), optional
            Case weights.

        Returns
        -------
        self
        """
        x, y = validate_data(self, X, y, dtype=np.float64)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.size < 2:
            raise ValueError(
                f"y has one class, {self.classes_[0]!r}; a classifier needs at least two classes."
            )
        labels = pd.Series(pd.Categorical.from_codes(codes, [str(c) for c in self.classes_]), name="y")
        self._train(labels, x, sample_weight, "binomial" if self.classes_.size == 2 else "multinomial")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class, shape (m, C) in the order of `classes_`."""
        values = self._mean(X)
        return np.column_stack([1 - values[:, 0], values[:, 0]]) if self.classes_.size == 2 else values

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class."""
        best = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[best]


def _population_scaling(design: Design) -> Design:
    """Scale by standard deviations with divisor n, as scikit-learn's StandardScaler does, instead of n - 1.

    Then a row of weight 2 counts as two rows exactly, which scikit-learn asks of ``sample_weight``.
    """
    if design.scaling is None:
        return design
    used = design.y.shape[1] if design.weights is None else int(np.count_nonzero(design.weights > 0))
    factor = np.sqrt(max(used - 1, 1) / used)

    def narrower(rows: np.ndarray, sd: np.ndarray, scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        factors = np.where(scaled, factor, 1.0)
        return rows / factors[:, None], sd * factors

    old = design.scaling
    x, x_sd = narrower(design.x, old.x_sd, np.any(design.x, axis=1))
    y, y_sd = narrower(design.y, old.y_sd, np.asarray((old.y_sd != 1) | (old.y_mean != 0)))
    scaling = replace(old, x_sd=x_sd, y_sd=y_sd)
    return replace(design, x=x, y=y, scaling=scaling, spec=replace(design.spec, scaling=scaling))
