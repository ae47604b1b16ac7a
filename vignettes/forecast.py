# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Forecasting a seasonal series: networks and seasonal ARIMA
#
# Monthly sea surface temperatures off Peru (0-10° S, 80-90° W), 1950 to 2010 (statsmodels' `elnino`). From the last 12 months the
# next 24 are to be forecast. `lags(sst, 12)` are the 12 values before a row, `leads(sst, 24)` the 24 values from the row on:
# no gap, and no value on both sides. Models learn from 1950 to 1984 and are judged on 1985 to 2010.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm

import neuralstat as ns
from neuralstat import layers as L

quick = "NEURALSTAT_QUICK" in os.environ  # fewer restarts, epochs and forecasts, for the tests
rep, most = (1, 2) if quick else (5, 400)

wide = sm.datasets.elnino.load_pandas().data.set_index("YEAR")
months = pd.date_range("1950-01", periods=wide.size, freq="MS")
series = pd.DataFrame({"sst": wide.to_numpy().ravel(), "month": months.month_name().str[:3]}, index=months)
split = pd.Timestamp("1985-01")
train = series[: split - pd.Timedelta(days=1)]
origins = series[split:].index[:-23]  # first months of the forecasts that are judged
origins = origins[::24] if quick else origins
len(train), len(origins)

# %% [markdown]
# ## Networks
#
# The same formula for a dense network, which sees 12 columns, and for recurrent ones, which see a sequence of 12 months. A tabular
# covariate beside the sequence, the calendar month, enters at the first Dense layer, here the output layer. `standardize=True`
# gives all lags one centre and scale.
#
# The number of epochs, up to 400, is the one of least mean loss on the last 30 % of the training rows, which the network does not
# see then; a second fit, for so many epochs, sees all rows, as the linear regression and the ARIMA do. So these networks are
# stopped before an optimum, on purpose: trained on, they get worse on the rows that are held out.

# %%
formula = "leads(sst, 24) ~ lags(sst, 12)"
shared = {"standardize": True, "algorithm": "adam", "learningrate": 0.003, "batch_size": 32, "rep": rep, "random_state": 1}


def network(formula, **more):
    """Fitted to all training rows, for the number of epochs that rows held out recommend; its validation losses."""
    tried = ns.neuralnet(formula, train, validation=0.3, epochs=most, **shared, **more)
    loss = tried.history.groupby("epoch")["val_loss"].mean()
    return ns.neuralnet(formula, train, epochs=int(loss.idxmin()), **shared, **more), loss


tries = {
    "dense (16)": network(formula, hidden=16, act_fct="tanh"),
    "SimpleRNN (8)": network(formula, layers=[L.SimpleRNN(8)]),
    "LSTM (8)": network(formula, layers=[L.LSTM(8)]),
    "LSTM (8), month": network(f"{formula} + month", layers=[L.LSTM(8)]),
}
fits = {name: fit for name, (fit, _) in tries.items()}
fits["linear"] = ns.neuralnet(formula, train, hidden=0, standardize=True, algorithm="lm")
used = pd.DataFrame({
    name: {"weights": fit.k_params, "rows": fit.nobs, "epochs": "-" if name == "linear" else fit.history["epoch"].max()}
    for name, fit in fits.items()
}).T
used

# %% [markdown]
# All five see the same 385 rows: the 420 months less 12 lags and 23 leads. 296 weights and more are many for so few rows, which
# overlap besides.
#
# New data are the series up to the month before the forecast; here all test months are forecast at once, each from its own
# lags. A network's forecast is the mean over its five restarts.

# %%
forecasts = {name: fit.predict(series).loc[origins].to_numpy() for name, fit in fits.items()}
truth = np.stack([series["sst"].shift(-k).loc[origins] for k in range(24)], axis=1)

# %% [markdown]
# ## Seasonal ARIMA, and the mean of the month
#
# The ARIMA's coefficients come from the same training months; its forecasts start from all months before the origin.

# %%
arima = sm.tsa.SARIMAX(train["sst"], order=(2, 0, 0), seasonal_order=(1, 1, 1, 12)).fit(disp=False)
arima_converged = arima.mle_retvals["converged"]
forecasts["SARIMA"] = np.stack([
    arima.apply(series["sst"][: origin - pd.Timedelta(days=1)]).forecast(24).to_numpy() for origin in origins
])  # fmt: skip
climate = train["sst"].groupby(train.index.month).mean()
forecasts["mean of the month"] = np.stack([
    climate.loc[[(origin.month + k - 1) % 12 + 1 for k in range(24)]].to_numpy() for origin in origins
])  # fmt: skip
arima.params.round(3).to_frame("SARIMA (2,0,0)(1,1,1)")

# %% [markdown]
# ## Root mean squared error by lead
#
# Neighbouring origins share 23 of their 24 months, and an El Niño lasts a year, so 289 forecasts are far from 289 independent
# ones. Intervals (95 %) come from a circular block bootstrap of the origins: blocks of 36 neighbours, all models on the same
# blocks. There are eight blocks in the test years; such intervals are rough, and rather too short.

# %%
rng = np.random.default_rng(1)
draws, block, m = 50 if quick else 2000, min(36, len(origins)), len(origins)
first = rng.integers(m, size=(draws, -(-m // block)))
picked = ((first[:, :, np.newaxis] + np.arange(block)) % m).reshape(draws, -1)[:, :m]
LEADS = {"1": [0], "3": [2], "6": [5], "12": [11], "24": [23], "all": list(range(24))}


def rmse(name, lead):
    """Root mean squared error at a lead, or over all: its value, and its bootstrap draws."""
    square = np.mean((forecasts[name] - truth)[:, LEADS[lead]] ** 2, axis=1)
    return np.sqrt(square.mean()), np.sqrt(square[picked].mean(axis=1))


def around(value, drawn, form="{:.2f}"):
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{form} [{form}, {form}]".format(value, low, high)


errors = pd.DataFrame({lead: {name: rmse(name, lead)[0] for name in forecasts} for lead in LEADS})
pd.DataFrame({lead: {name: around(*rmse(name, lead)) for name in forecasts} for lead in LEADS}).rename_axis(columns="months ahead")

# %% [markdown]
# All models are judged on the same months, so that differences are better known than these intervals suggest. Model less other
# (negative: the model is better):

# %%
pairs = [(name, "SARIMA") for name in forecasts if name != "SARIMA"]
pairs += [(name, "mean of the month") for name in forecasts if name != "mean of the month"]
pairs += [("dense (16)", "linear"), ("LSTM (8), month", "LSTM (8)")]
parts = []
for name, other in pairs:
    for lead in LEADS:
        (a, drawn_a), (b, drawn_b) = rmse(name, lead), rmse(other, lead)
        low, high = np.quantile(drawn_a - drawn_b, [0.025, 0.975])
        parts.append({"other": other, "model": name, "lead": lead, "difference": a - b, "low": low, "high": high})
differences = pd.DataFrame(parts).set_index(["other", "model", "lead"])
shown = differences.apply(lambda d: f"{d['difference']:+.2f} [{d['low']:+.2f}, {d['high']:+.2f}]", axis=1)
shown.unstack("lead").loc[pd.MultiIndex.from_tuples([(o, m) for m, o in pairs]), list(LEADS)].rename_axis(columns="months ahead")

# %%
by_lead = pd.DataFrame({name: np.sqrt(np.mean((f - truth) ** 2, axis=0)) for name, f in forecasts.items()},
                       index=pd.RangeIndex(1, 25, name="lead"))  # fmt: skip
COLOURS = dict(zip(forecasts, ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "0.5"), strict=True))
fig, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
for name in by_lead:
    rest = {"ls": "--"} if name == "mean of the month" else {"marker": "o", "ms": 3}
    ax.plot(by_lead.index, by_lead[name], label=name, lw=1.5, color=COLOURS[name], **rest)
ax.set(xlabel="months ahead", ylabel="root mean squared error (°C)", xticks=[1, 6, 12, 18, 24], ylim=(0, None))
ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5));

# %% [markdown]
# - **The seasonal ARIMA**, with five parameters that all leads share, is the best: one month ahead, and over all leads, every other
#   model is worse by more than the intervals allow. At single leads between, some intervals include zero.
# - **A year ahead and beyond** no model is shown to be better than the mean of the month. 24 months ahead all networks and the
#   linear regression are worse than it, by about 0.1 °C.
# - **It is not the nonlinearity.** A linear regression on the lags, which is a network without a hidden layer, and the dense network
#   differ by less than 0.1 °C at every lead. What both lack is what the ARIMA is given: one year is like the last, and one set of
#   coefficients serves all leads.
# - **The month as a covariate** makes the LSTM's errors smaller up to half a year ahead, but every interval for the difference
#   includes zero: these years do not show that it helps.
#
# ## One forecast: the El Niño of 1997

# %%
origin = pd.Timestamp("1997-01") if pd.Timestamp("1997-01") in origins else origins[0]
at = origins.get_loc(origin)
ahead = pd.date_range(origin, periods=24, freq="MS")
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
past = series.loc[origin - pd.DateOffset(months=24) : ahead[-1], "sst"]
ax.plot(past.index, past, color="0.2", label="observed")
for name in ("dense (16)", "LSTM (8)", "SARIMA"):
    ax.plot(ahead, forecasts[name][at], lw=1.5, label=name, color=COLOURS[name])
ax.axvline(origin, color="0.8", zorder=0)
ax.set(xlabel="month", ylabel="sea surface temperature (°C)")
ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5));

# %%
second = [k for k, month in enumerate(ahead) if "1997-07" <= f"{month:%Y-%m}" <= "1997-12"] or [0]
nino = pd.Series({"observed": truth[at, second].mean(), **{name: f[at, second].mean() for name, f in forecasts.items()}})
nino.to_frame("mean of July to December 1997, °C").round(1)

# %% [markdown]
# In January no model sees the El Niño of the second half of the year: all forecasts for it lie more than 2 °C below what came. One
# event is an example, not evidence; the tables above hold 26 years.
