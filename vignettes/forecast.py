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
# Monthly sea surface temperatures of the Pacific off Peru, 1950 to 2010 (statsmodels' `elnino`). From the last 12 months the
# next 24 are to be forecast. `lags(sst, 12)` are the 12 values before a row, `leads(sst, 24)` the 24 values from the row on:
# no gap, and no value on both sides.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm

import neuralstat as ns
from neuralstat import layers as L

quick = "NEURALSTAT_QUICK" in os.environ  # fewer restarts, epochs and forecasts, for the tests
rep, epochs = (1, 2) if quick else (5, 200)

wide = sm.datasets.elnino.load_pandas().data.set_index("YEAR")
months = pd.date_range("1950-01", periods=wide.size, freq="MS")
series = pd.DataFrame({"sst": wide.to_numpy().ravel(), "month": months.month_name().str[:3]}, index=months)
split = pd.Timestamp("1995-01")
train = series[: split - pd.Timedelta(days=1)]
origins = series[split:].index[:-23]  # first months of the forecasts that are judged
origins = origins[::24] if quick else origins

# %% [markdown]
# ## Networks
#
# The same formula for a dense network, which sees 12 columns, and for recurrent ones, which see a sequence of 12 months.
# A tabular covariate beside the sequence, the calendar month, enters at the first Dense layer, here the output layer.
# Rows whose windows reach beyond the training data drop out; `standardize=True` gives all lags one centre and scale.

# %%
formula = "leads(sst, 24) ~ lags(sst, 12)"
shared = {"standardize": True, "algorithm": "adam", "epochs": epochs, "batch_size": 32, "rep": rep, "random_state": 1,
          "learningrate": 0.003, "validation": 0.15, "early_stopping": ns.EarlyStopping(patience=25)}  # fmt: skip
fits = {
    "dense (16)": ns.neuralnet(formula, train, hidden=16, act_fct="tanh", **shared),
    "LSTM (8)": ns.neuralnet(formula, train, layers=[L.LSTM(8)], **shared),
}
if hasattr(L, "SimpleRNN"):
    fits["SimpleRNN (8)"] = ns.neuralnet(formula, train, layers=[L.SimpleRNN(8)], **shared)
fits["LSTM (8), month"] = ns.neuralnet(f"{formula} + month", train, layers=[L.LSTM(8)], **shared)
fits["linear"] = ns.neuralnet(formula, train, hidden=0, standardize=True, algorithm="lm")
pd.DataFrame({name: {"weights": fit.k_params, "rows": fit.nobs} for name, fit in fits.items()}).T

# %% [markdown]
# New data are the series up to the month before the forecast; the row of the first month itself may be missing. Here all
# test months are forecast at once, each from its own lags.

# %%
forecasts = {name: fit.predict(series).loc[origins].to_numpy() for name, fit in fits.items()}
truth = np.stack([series["sst"].shift(-k).loc[origins] for k in range(24)], axis=1)

# %% [markdown]
# ## Seasonal ARIMA, and the mean of the month
#
# The ARIMA's coefficients come from the same training months; its forecasts start from all months before the origin.

# %%
arima = sm.tsa.SARIMAX(train["sst"], order=(2, 0, 0), seasonal_order=(1, 1, 1, 12)).fit(disp=False)
forecasts["SARIMA (2,0,0)(1,1,1)"] = np.stack([
    arima.apply(series["sst"][: origin - pd.Timedelta(days=1)]).forecast(24).to_numpy() for origin in origins
])  # fmt: skip
climate = train["sst"].groupby(train.index.month).mean()
forecasts["mean of the month"] = np.stack([
    climate.loc[[(origin.month + k - 1) % 12 + 1 for k in range(24)]].to_numpy() for origin in origins
])  # fmt: skip

# %% [markdown]
# ## Root mean squared error by lead

# %%
rmse = pd.DataFrame({name: np.sqrt(np.mean((f - truth) ** 2, axis=0)) for name, f in forecasts.items()},
                    index=pd.RangeIndex(1, 25, name="lead"))  # fmt: skip
overall = pd.Series({name: np.sqrt(np.mean((f - truth) ** 2)) for name, f in forecasts.items()}, name="all leads")
pd.concat([rmse.loc[[1, 3, 6, 12, 24]], overall.to_frame().T]).T.round(3)

# %%
fig, ax = plt.subplots(figsize=(8, 4.5))
for name in rmse:
    rest = {"color": "0.6", "ls": "--"} if name == "mean of the month" else {"marker": "o", "ms": 3}
    ax.plot(rmse.index, rmse[name], label=name, lw=1.3, **rest)
ax.set_xlabel("months ahead")
ax.set_ylabel("root mean squared error (degrees C)")
ax.set_xticks([1, 6, 12, 18, 24])
ax.legend(frameon=False, fontsize=8)
fig.tight_layout()

# %% [markdown]
# Seasonal ARIMA, with a handful of coefficients that all leads share, is the best up to a year ahead; beyond that nothing
# is better than the mean of the month. 45 years are about 500 windows, which overlap: little for hundreds of weights.
# A linear regression on lags, which is a network without a hidden layer, shows how much of the networks' error is not
# their nonlinearity but the free weights of 24 leads.
#
# ## One forecast: the El Nino of 1997

# %%
origin = pd.Timestamp("1997-01") if pd.Timestamp("1997-01") in origins else origins[0]
at = origins.get_loc(origin)
ahead = pd.date_range(origin, periods=24, freq="MS")
fig, ax = plt.subplots(figsize=(8, 4))
shown = series.loc[origin - pd.DateOffset(months=24) : ahead[-1], "sst"]
ax.plot(shown.index, shown, color="0.3", label="observed")
for name in ("dense (16)", "LSTM (8)", "SARIMA (2,0,0)(1,1,1)"):
    ax.plot(ahead, forecasts[name][at], lw=1.3, label=name)
ax.axvline(origin, color="0.8", zorder=0)
ax.set_ylabel("sea surface temperature (degrees C)")
ax.legend(frameon=False, fontsize=8)
fig.tight_layout()
