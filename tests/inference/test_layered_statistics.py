"""Statistics of layered nets: against least squares on held features, ridge regression, and refits by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, ConvergenceWarning, DfWarning, SingularHessianWarning
from neuralstat.network import derivatives
from neuralstat.network.arrays import positions

CNN = (L.Conv2D(2, 3, "tanh", strides=2), L.Flatten())
RNN = (L.LSTM(2),)
N = 90
FILTERS = {"conv2d/kernel": np.random.default_rng(3).normal(0, 0.6, (3, 3, 1, 2)), "conv2d/bias": np.array([0.1, -0.2])}


@pytest.fixture(scope="module")
def images():
    """Threes and eights, and how much ink they took."""
    raw, rng = load_digits(), np.random.default_rng(1)
    chosen = np.flatnonzero(np.isin(raw.target, [3, 8]))[:N]
    pixels = raw.images[chosen][:, 1:7, 1:7, np.newaxis] / 16
    ink = 10 * pixels.mean(axis=(1, 2, 3)) + 0.2 * rng.standard_normal(N)
    return {"pixels": pixels, "ink": ink, "eight": (raw.target[chosen] == 8).astype(float),
            "digit": raw.target[chosen].astype(str), "case": rng.uniform(0.5, 2, N)}  # fmt: skip


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(2)
    return pd.DataFrame({"flow": np.sin(np.arange(90) / 4) + 0.2 * rng.standard_normal(90)},
                        index=pd.date_range("2024-01-01", periods=90, freq="h"))  # fmt: skip


@pytest.fixture(scope="module")
def held(images, series):
    """Nets whose hidden layers are held at their start: linear regressions on features, and these features."""
    same = {"algorithm": "lm", "threshold": 1e-9, "family": "gaussian", "random_state": 3}
    cnn = raw.neuralnet("ink ~ pixels", images, layers=CNN, freeze="conv2d", startweights=FILTERS, **same)
    body = raw.neuralnet("flow ~ lags(flow, 6)", series, layers=RNN, algorithm="adam", epochs=0, random_state=3).get_weights()
    gates = {name: array for name, array in body.items() if name.startswith("lstm")}
    rnn = raw.neuralnet("flow ~ lags(flow, 6)", series, layers=RNN, freeze="lstm", startweights=gates, **same)
    return {
        "cnn": (cnn, sm.OLS(images["ink"], sm.add_constant(cnn.features("flatten").to_numpy())).fit()),
        "rnn": (rnn, sm.OLS(series["flow"].iloc[6:], sm.add_constant(rnn.features("lstm").iloc[6:].to_numpy())).fit()),
    }


# layers that are held: a linear model on their features ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["cnn", "rnn"])
def test_held_layers_make_a_linear_model(held, kind):
    fit, ols = held[kind]
    own = fit.params.index[fit.fit.free[0]]
    np.testing.assert_allclose(fit.params[own], ols.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.bse[own], ols.bse, rtol=1e-6)
    assert fit.bse.drop(own).isna().all() or (fit.bse.drop(own) == 0).all()
    np.testing.assert_allclose(fit.llf, ols.llf)
    p = len(ols.params)
    assert float(fit.df("jacobian")) == pytest.approx(p)
    assert float(fit.df("divergence")) == pytest.approx(p)
    assert fit.k_params == p
    assert fit.info_criteria("aic", dk_params=0) == pytest.approx(ols.aic)
    assert fit.info_criteria("bic", dk_params=0) == pytest.approx(ols.bic)
    frame = fit.get_prediction().summary_frame().dropna()
    there = ols.get_prediction().summary_frame()
    np.testing.assert_allclose(frame, there, rtol=1e-6)


@pytest.mark.parametrize("kind", ["cnn", "rnn"])
def test_risk_and_influence_with_held_layers(held, kind):
    fit, ols = held[kind]
    leverage = ols.get_influence().hat_matrix_diag
    press = np.mean((ols.resid / (1 - leverage)) ** 2)
    assert float(ns.risk(fit, "cv", k=len(leverage))) == pytest.approx(press, rel=1e-4)
    n, p = ols.nobs, len(ols.params)
    assert float(ns.risk(fit, "gcv")) == pytest.approx(ols.ssr / n / (1 - p / n) ** 2, rel=1e-6)
    assert float(ns.risk(fit, "cp")) == pytest.approx((ols.ssr + 2 * p * ols.scale) / n, rel=1e-6)
    np.testing.assert_allclose(fit.get_influence().hat_matrix_diag.dropna(), leverage, rtol=1e-5)
    drawn = fit.df("gdf", draws=60, sigma=float(np.sqrt(ols.scale)), restarts="warm", random_state=1)
    assert abs(float(drawn) - p) < 4 * drawn.se


@pytest.mark.parametrize("kind", ["parametric", "residual", "case"])
def test_bootstrap_with_held_layers(held, kind):
    fit, ols = held["cnn"]
    found = fit.get_prediction(method="bootstrap", kind=kind, draws=300, random_state=1)
    cov = ols.cov_params() if kind != "case" else ols.get_robustcov_results("HC0").cov_params()
    x = ols.model.exog
    se = np.sqrt(np.einsum("ni,ij,nj->n", x, cov, x))
    assert abs(np.mean(found.se_mean / se) - 1) < 0.1
    limits = fit.get_prediction(method="bootstrap", kind=kind, draws=300, random_state=1, interval="percentile").conf_int()
    np.testing.assert_allclose(limits["upper"] - limits["lower"], 2 * 1.96 * se, rtol=0.4)


def test_decay_with_held_layers_is_ridge_regression(images):
    lam = 0.7
    fit = raw.neuralnet("ink ~ pixels", images, layers=CNN, freeze="conv2d", startweights=FILTERS, algorithm="lm",
                       threshold=1e-9, family="gaussian", penalty=ns.decay(lam, biases=False))  # fmt: skip
    x = sm.add_constant(fit.features("flatten").to_numpy())
    curvature = lam * np.diag(np.r_[0.0, np.ones(x.shape[1] - 1)])
    hat = x @ np.linalg.solve(x.T @ x + curvature, x.T)
    np.testing.assert_allclose(fit.predict(), hat @ images["ink"], rtol=1e-6)
    assert float(fit.df("jacobian")) == pytest.approx(np.trace(hat), rel=1e-6)
    assert float(ns.risk(fit, "gcv")) == pytest.approx(
        np.mean((images["ink"] - hat @ images["ink"]) ** 2) / (1 - np.trace(hat) / N) ** 2, rel=1e-6
    )


def test_penalties_by_layer(images, tmp_path):
    strengths = {"conv2d/bias": 0.3, "conv2d": 0.02, "dense": 0.1}
    same = {"layers": CNN, "family": "gaussian", "algorithm": "lbfgs", "threshold": 1e-7, "random_state": 1}
    fit = raw.neuralnet("ink ~ pixels", images, penalty=ns.decay(0.0, biases=False, layers=strengths), **same)
    expected = {"conv2d/kernel": 0.02, "conv2d/bias": 0.3, "dense/kernel": 0.1, "dense/bias": 0.0}
    weights = fit.get_weights()
    plain = derivatives.gradient(fit.network, fit.fitted.data, fit.fit.theta[0])  # of the error alone
    for name, at in positions(fit.network).items():
        np.testing.assert_allclose(plain[at], -expected[name] * weights[name], atol=1e-6)
    assert np.abs(weights["conv2d/kernel"]).max() > 0.1
    assert 1 < float(fit.df("jacobian")) < fit.k_params
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    assert again.settings.penalty == fit.settings.penalty
    np.testing.assert_array_equal(again.penalty_coefficients, fit.fitted.penalty_of(0))
    assert "layers={'conv2d': 0.02, 'dense': 0.1, 'conv2d/bias': 0.3}, biases=False" in str(fit.settings.penalty)
    sparse = raw.neuralnet("ink ~ pixels", images, layers=CNN, algorithm="rprop+", threshold=0.01, family="gaussian",
                          penalty=ns.l1(0, layers={"conv2d/kernel": 1.0}) + ns.decay(0.1), random_state=1)  # fmt: skip
    zero = {name: float(np.mean(array == 0)) for name, array in sparse.get_weights().items()}
    assert zero["conv2d/kernel"] > 0.3 and zero["dense/kernel"] == 0
    with pytest.raises(ArgumentError, match="no layer 'flatten' with weights; known: 'conv2d', 'dense', 'conv2d/kernel'"):
        raw.neuralnet("ink ~ pixels", images, penalty=ns.decay(0, layers={"flatten": 1}), **same)
    with pytest.raises(ArgumentError, match=r"layers must be .* finite number >= 0 .*; got \{'conv2d': -1\}"):
        ns.l1(0, layers={"conv2d": -1})


# refits by epochs, against fits by hand --------------------------------------------------------------------------

BY_EPOCHS = {"algorithm": "adam", "learningrate": 0.02, "batch_size": 16, "random_state": 5}


def rows_of(data, at):
    return {name: values[at] for name, values in data.items()}


@pytest.mark.parametrize(("response", "family"), [("ink", "gaussian"), ("eight", "binomial"), ("digit", "multinomial")])
@pytest.mark.parametrize("restarts", ["same", "warm"])
@raw.CUT_SHORT
def test_cases_by_epochs_are_fits_to_drawn_rows(images, response, family, restarts):
    from neuralstat.inference.bootstrap import counts
    from neuralstat.seeds import children, seed_sequence

    same = {"layers": CNN, "family": family, "epochs": 4, "weights": images["case"], "rep": 2, **BY_EPOCHS}
    fit = raw.neuralnet(f"{response} ~ pixels", images, **same)
    draws = fit.get_prediction(method="bootstrap", kind="case", draws=3, restarts=restarts, random_state=7).draws
    usual = fit.get_prediction(method="bootstrap", kind="case", draws=3, random_state=7).draws
    assert np.array_equal(usual, draws) == (restarts == "same")  # fits by epochs are no optima to start from
    begin = raw.neuralnet(f"{response} ~ pixels", images, **{**same, "epochs": 0}) if restarts == "same" else fit
    for t, line in enumerate(counts(fit.fitted, 3, children(seed_sequence(7), 2)[0])):
        at = np.repeat(np.arange(N), line.astype(int))
        assert at.size == N and np.unique(at).size < N
        again = raw.neuralnet(f"{response} ~ pixels", rows_of(images, at), startweights=begin.get_weights("all"),
                             **{**same, "weights": images["case"][at]})  # fmt: skip
        np.testing.assert_allclose(draws[t].T.squeeze(), again.predict(images), rtol=1e-10)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("restarts", ["same", "warm"])
def test_validation_rows_stop_refits_too(series, standardize, restarts):
    from neuralstat.inference.bootstrap import responses
    from neuralstat.seeds import children, seed_sequence

    rows = pd.DataFrame({f"x{j}": series["flow"].shift(j) for j in range(1, 5)}).assign(flow=series["flow"]).dropna()
    columns = [f"x{j}" for j in range(1, 5)]
    train, check = ({"flow": part["flow"].to_numpy(), "past": part[columns].to_numpy()[..., np.newaxis]}
                    for part in (rows.iloc[:60], rows.iloc[60:]))  # fmt: skip
    same = {"layers": RNN, "epochs": 60, "validation": check, "early_stopping": ns.EarlyStopping(2), "rep": 2,
            "standardize": standardize, "family": "gaussian", **BY_EPOCHS}  # fmt: skip
    fit = raw.neuralnet("flow ~ past", train, **same)
    draws = fit.get_prediction(method="bootstrap", draws=3, restarts=restarts, random_state=7).draws
    begin = raw.neuralnet("flow ~ past", train, **{**same, "epochs": 0}) if restarts == "same" else fit
    drawn = responses(fit.fitted, "parametric", 3, children(seed_sequence(7), 2)[0], "mean")
    scaling = fit.design.scaling
    for t, y in enumerate(drawn[:, 0]):
        y = y if scaling is None else y * scaling.y_sd + scaling.y_mean
        internal = {"startweights": begin.fit.theta}
        if standardize:  # the same internal weights, in the units of these responses
            ratio = y.std(ddof=1) / scaling.y_sd[0]
            start = begin.get_weights("all")
            for arrays, theta in zip(start, begin.fit.theta, strict=True):
                own = theta[-3:]  # bias and weights of the output unit, internal
                arrays["dense/kernel"] = own[1:, np.newaxis] * scaling.y_sd * ratio
                arrays["dense/bias"] = own[:1] * scaling.y_sd * ratio + y.mean()
            internal = {"startweights": start}
        again = raw.neuralnet("flow ~ past", {**train, "flow": y}, **same, **internal)
        assert (again.history.groupby("rep").size() < 60).any()
        np.testing.assert_allclose(draws[t, 0], again.predict(train), rtol=1e-6)


def test_degrees_of_freedom_of_stopped_fits(series, tmp_path):
    fit = raw.neuralnet("flow ~ lags(flow, 4)", series, layers=RNN, epochs=40, validation=0.2, family="gaussian",
                       early_stopping=ns.EarlyStopping(3), standardize=True, **BY_EPOCHS)  # fmt: skip
    df = fit.df("gdf", draws=40, sigma=0.2, random_state=1)
    assert float(df) + 3 * df.se > 0 and float(df) < fit.k_params
    fit.save(tmp_path / "fit.nst")
    with pytest.raises(ArgumentError, match="validation rows, which saved fits"):
        ns.load(tmp_path / "fit.nst").get_prediction(method="bootstrap", draws=2)


# restarts, averaging, exclude -------------------------------------------------------------------------------------


def test_averages_over_restarts(images):
    fit = raw.neuralnet("eight ~ pixels", images, layers=CNN, family="binomial", epochs=5, rep=4, **BY_EPOCHS)
    every = fit.predict(rep="all")
    np.testing.assert_allclose(fit.predict(), every.mean(axis=1))
    found = fit.get_prediction(method="bootstrap", draws=5, random_state=1)
    np.testing.assert_allclose(found.var_restarts[0], every.var(axis=1) / 4)
    fresh = fit.get_prediction(method="bootstrap", draws=5, random_state=1, restarts="fresh")
    assert np.all(fresh.var_restarts == 0)
    assert list(fit.reps["error"]) == list(fit.fit.loss)
    frame = found.summary_frame()
    assert ((frame["mean_ci_lower"] > 0) & (frame["mean_ci_upper"] < 1)).all()


def test_excluded_weights_stay_in_every_refit(images):
    mask = {"exclude": ["conv2d/kernel[0,1,0,1]", "conv2d/bias[0]"], "constant_weights": [0.5, -0.25]}
    fit = raw.neuralnet("ink ~ pixels", images, layers=CNN, algorithm="lbfgs", threshold=1e-3, penalty=ns.decay(0.01), rep=2,
                       family="gaussian", random_state=1, **mask)  # fmt: skip
    free = raw.neuralnet("ink ~ pixels", images, layers=CNN, algorithm="lbfgs", threshold=1e-3, penalty=ns.decay(0.01),
                        family="gaussian", random_state=1)  # fmt: skip
    for weights in fit.get_weights("all"):
        assert weights["conv2d/kernel"][0, 1, 0, 1] == 0.5 and weights["conv2d/bias"][0] == -0.25
    assert fit.k_params == free.k_params - 2
    assert float(fit.df("jacobian")) < fit.k_params
    for method in ("hessian", "sandwich"):
        cov = fit.cov_params(cov_type=method)
        held = cov.loc[mask["exclude"]].to_numpy()
        assert np.all((held == 0) | np.isnan(held))
    assert float(ns.risk(fit, "cv", k=3, random_state=1)) > 0


@raw.CUT_SHORT
@pytest.mark.filterwarnings("ignore:no degrees of freedom are left")
def test_more_weights_than_rows(images):
    """Fits that end by epochs have intervals of the mean by cases; the rest needs degrees of freedom, and says so."""
    few = rows_of(images, np.arange(30))
    fit = raw.neuralnet("ink ~ pixels", few, layers=[*CNN, L.Dense(5, "tanh")], family="gaussian", epochs=4, **BY_EPOCHS)
    assert fit.k_params > 30
    by_t = fit.get_prediction(method="bootstrap", kind="case", draws=3, random_state=1).summary_frame()
    assert by_t[["mean_ci_lower", "obs_ci_lower"]].isna().all(axis=None)  # no t with no degrees of freedom
    frame = fit.get_prediction(method="bootstrap", kind="case", draws=10, use_t=False, random_state=1).summary_frame()
    assert frame[["obs_ci_lower", "obs_ci_upper"]].isna().all(axis=None)
    assert (frame["mean_ci_lower"] < frame["mean"]).all() and (frame["mean"] < frame["mean_ci_upper"]).all()
    split = fit.get_prediction(method="split", random_state=1).summary_frame(alpha=0.1)
    assert split["obs_ci_upper"].notna().all()


def test_normalisation_and_dropout(images):
    """Moving averages are no parameters; refits have their own."""
    layers = [*CNN, L.Dropout(0.2), L.Dense(4), L.BatchNorm(), L.Activation("relu")]
    fit = raw.neuralnet("eight ~ pixels", images, layers=layers, family="binomial", epochs=4, rep=2, **BY_EPOCHS)
    averages = ["batch_normalization/moving_mean", "batch_normalization/moving_variance"]
    assert fit.k_params == fit.layer_table["trained"].sum() == fit.layer_table["params"].sum() - 8
    assert float(fit.df("weights")) == fit.k_params
    with pytest.warns(DfWarning, match="stopped before its optimum"):
        assert 1 < float(fit.df("jacobian", rep=1)) <= fit.k_params
    with pytest.warns(SingularHessianWarning, match="not determined by the data"):  # biases before the normalisation
        bse = fit.bse
    averaged = bse.index.str.contains("moving")
    assert averaged.sum() == 8 and not (bse[averaged] > 0).any() and (bse[~averaged] > 0).mean() > 0.8
    found = fit.get_prediction(method="bootstrap", draws=8, random_state=1)
    case = fit.get_prediction(method="bootstrap", kind="case", draws=8, random_state=1)
    for draws in (found.draws, case.draws):
        assert np.isfinite(draws).all() and draws.std(axis=0).min() > 0
    at = np.random.default_rng(1).integers(N, size=N)
    again = raw.neuralnet("eight ~ pixels", rows_of(images, at), layers=layers, family="binomial", epochs=4, **BY_EPOCHS)
    for name in averages:
        assert np.abs(again.get_weights()[name] - fit.get_weights(1)[name]).max() > 0
    assert 0 < float(ns.risk(fit, "cv", k=3, random_state=1)) < 1.5
    np.testing.assert_array_equal(fit.predict(), fit.predict())  # no unit is dropped in predictions


# choosing ---------------------------------------------------------------------------------------------------------


def test_select_among_layers(series):
    """What is chosen is what fits one by one say, and neither too few nor too many lags' worth of units."""
    candidates = {"one": [L.LSTM(1)], "two": [L.LSTM(2)], "flat": [L.Flatten()]}
    same = {"algorithm": "lm", "threshold": 1e-3, "family": "gaussian"}
    found = ns.select("flow ~ lags(flow, 4)", series, layers=candidates, decay=[0.01, 1.0], criterion="bic", rep=2,
                      average=False, random_state=1, standardize=False, **same)  # fmt: skip
    assert found.path["hidden"].tolist() == ["one", "one", "two", "two", "flat", "flat"]
    assert found.path["criterion"].notna().all()
    chosen = found.path[found.path["selected"]].iloc[0]
    assert chosen["criterion"] == found.path["criterion"].min()
    for k, (_, row) in enumerate(found.path.iterrows()):
        alone = raw.neuralnet("flow ~ lags(flow, 4)", series, layers=candidates[row["hidden"]], rep=2, random_state=1,
                             penalty=ns.decay((0.01, 1.0)[k % 2]), **same)  # fmt: skip
        assert row["weights"] == alone.k_params
        assert row["criterion"] == pytest.approx(alone.bic, rel=1e-6)
    assert found.best.settings.layers == tuple(candidates[chosen["hidden"]])
    ax = found.plot()
    assert ax.get_xlabel() == "layers" and ax.get_title(loc="left").startswith(f"selected: {chosen['hidden']}")
    assert [t.get_text() for t in ax.get_xticklabels()] == list(candidates)


def test_select_by_cross_validation_of_fits_by_epochs(images):
    small = {"layers": [[*CNN], [L.Flatten()]], "algorithm": "adam", "epochs": 3, "batch_size": 16, "learningrate": 0.02}
    found = ns.select("eight ~ pixels", images, family="binomial", criterion="cv", criterion_options={"k": 3}, rep=1,
                      random_state=1, **small)  # fmt: skip
    fit = raw.neuralnet("eight ~ pixels", images, family="binomial", random_state=1, **{**small, "layers": CNN})
    assert found.path["hidden"].tolist() == ["layers 1", "layers 2"]
    assert found.path["criterion"].iloc[0] == pytest.approx(float(ns.risk(fit, "cv", k=3, random_state=1)))
    assert float(ns.risk(fit, "holdout", random_state=1)) > 0


@pytest.mark.parametrize(("more", "message"), [
    ({"hidden": [2, 3]}, "hidden or layers, not both"), ({"inputs": True}, "dense networks"),
    ({"layers": [L.Flatten()]}, "list of sequences"), ({"layers": {}}, "one at least"),
    ({"layers": {1: [L.Flatten()]}}, "texts"),
])  # fmt: skip
def test_select_says_what_it_cannot(images, more, message):
    with pytest.raises(ArgumentError, match=message):
        ns.select("ink ~ pixels", images, **{"layers": {"a": [L.Flatten()]}, **more})


# going on ---------------------------------------------------------------------------------------------------------


def test_interrupted_fits_go_on_bit_by_bit(images, tmp_path):
    """Dropout, moving averages, a schedule, clipping, class weights and early stopping: all of it resumes exactly."""
    layers = [*CNN, L.Dropout(0.2), L.Dense(4), L.BatchNorm(), L.Activation("relu")]
    rate = ns.schedules.Exponential(0.02, steps=30)
    same = {"layers": layers, "family": "binomial", "epochs": 8, "batch_size": 16, "rep": 2, "random_state": 5,
            "algorithm": ns.optimizers.Adam(rate, clipnorm=0.5), "class_weight": {1.0: 2.0}, "validation": 0.2,
            "early_stopping": ns.EarlyStopping(5)}  # fmt: skip
    whole = raw.neuralnet("eight ~ pixels", images, **same)
    seen, file = [], tmp_path / "state.npz"

    def interrupt(epoch, logs):
        seen.append((logs["rep"], epoch))
        if epoch == 3 and logs["rep"] == 2:
            raise KeyboardInterrupt

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        part = raw.neuralnet("eight ~ pixels", images, checkpoint=file, callbacks=interrupt, **same)
    assert (2, 3) in seen and part.history.groupby("rep")["epoch"].max()[2] == 3
    rest = raw.neuralnet("eight ~ pixels", images, checkpoint=file, **same)
    np.testing.assert_array_equal(rest.fit.theta, whole.fit.theta)
    pd.testing.assert_frame_equal(rest.history, whole.history)
    rates = whole.history["learning_rate"].to_numpy()
    assert rates[1] < rates[0] < 0.02
    unclipped = raw.neuralnet("eight ~ pixels", images, **{**same, "algorithm": ns.optimizers.Adam(rate)})
    assert np.abs(unclipped.fit.theta - whole.fit.theta).max() > 1e-4
    assert whole.plot_history().get_xlabel() == "epoch"
