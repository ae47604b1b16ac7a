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
# # How many degrees of freedom has a neural network?
#
# R's `neuralnet` counts weights and calls the number degrees of freedom. What AIC, Cp and the residual variance need is
#
# $$ \mathrm{df} = \frac{1}{\sigma^2} \sum_{i=1}^n \mathrm{Cov}(\hat\mu_i, y_i), $$
#
# how much the fit follows the noise. For a linear smoother this is the trace of the smoother matrix; for a network it depends on the whole
# procedure: random starts, the choice among them, a penalty, an early stop.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neuralstat as ns

QUICK = bool(os.environ.get("NEURALSTAT_QUICK"))  # fewer draws, for the tests

# %% [markdown]
# ## The estimators
#
# Every estimator returns a float that knows how it was found. A network of 10 units with a decay of 0.1, on Doppler data:

# %% tags=["live"]
data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=10, penalty=ns.decay(0.1), standardize=False, algorithm="lm", rep=5, random_state=1)
found = {method: fit.df(method) for method in ("weights", "jacobian", "divergence", "nic", "auto")}
again = {"draws": 20 if QUICK else 200, "sigma": 0.1, "restarts": "fresh", "random_state": 1}
found |= {method: fit.df(method, **again) for method in ("gdf", "covariance")}
pd.DataFrame({
    method: {"df": float(df), "standard error": df.se, "refits": df.draws or 0} for method, df in found.items()
}).T.astype(float).map("{:.2f}".format).replace("nan", "–")  # fmt: skip

# %% [markdown]
# * `jacobian` and `divergence` are local: what happens to this optimum when the response moves a little, with the Gauss-Newton and with
#   the exact Hessian. They presume an optimum; `divergence` also that the Hessian is positive definite, and refuses otherwise.
# * `gdf` (Ye) perturbs the response and `covariance` (Efron) draws new ones around the fit; both run the whole procedure again, with its
#   starts, its choice among them, its averaging and its stopping rule. Standard errors are those of the draws.
# * `nic` estimates the same where the model is true, and is too large where it is not. Here it is a fifth larger.
# * `auto` chooses by how the fit was made, and is what criteria use unless told otherwise. Here a penalty holds the optimum, so that it
#   takes the divergence.
#
# `notes` of the value say what was chosen, and why:

# %% tags=["live"]
print(*found["auto"].notes, sep="\n")

# %% [markdown]
# ## The truth by simulation
#
# Seven procedures on three truths: Doppler data (1-D, n = 200), a network of three units of two covariates (2-D, n = 150), and Friedman's
# function, five of whose ten covariates matter (10-D, n = 200). The truth is the covariance of fit and response over 1000 responses that are drawn
# around the true curve, each fitted with start weights of its own. Each estimator sees one data set only; the table has its mean over 50 data sets
# (`python benchmarks/df_truth.py`). A dash: not defined at half of the fits or more.

# %%
runs = pd.read_csv("data/degrees_of_freedom.csv")
designs = list(dict.fromkeys(runs["design"]))
METHODS = ["auto", "gdf", "covariance", "covariance, larger model", "divergence", "jacobian", "weights"]
truth = runs[runs["method"] == "truth"].set_index("design").loc[designs, ["df", "se"]]
of = runs[runs["method"] != "truth"].groupby(["design", "method"])["df"]
mean, error, defined = (part.unstack("method").loc[designs, METHODS] for part in (of.mean(), of.sem(), of.count()))
sets = int(runs["data_set"].max())
enough = defined.ge(sets / 2) | (mean.columns == "weights")
mean, error = mean.where(enough), error.where(enough)
table = truth["df"].to_frame("truth").join(mean)
table.map("{:.1f}".format).replace("nan", "–")

# %% [markdown]
# Standard errors, of the truth's draws and of the means over data sets:

# %%
errors = truth["se"].to_frame("truth").join(error.drop(columns="weights"))
errors.map("{:.1f}".format).replace("nan", "–")

# %%
COLOURS = dict(zip(METHODS, ("k", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#E69F00"), strict=True))
fig, ax = plt.subplots(figsize=(10, 1.1 * len(designs) + 1), layout="constrained")
for k, method in enumerate(METHODS):
    at = np.arange(len(designs)) + (k - (len(METHODS) - 1) / 2) * 0.11
    ratio = mean[method] / truth["df"]
    ax.errorbar(ratio, at, xerr=2 * error[method].fillna(0) / truth["df"], fmt="o", markersize=4, color=COLOURS[method], label=method)
for k, design in enumerate(designs):
    half = 2 * truth.loc[design, "se"] / truth.loc[design, "df"]
    ax.fill_betweenx([k - 0.45, k + 0.45], 1 - half, 1 + half, color="0.88", zorder=0)
ax.axvline(1, color="0.4", linewidth=1, zorder=1)
ax.set(xscale="log", xlabel="mean estimate / truth (band: two standard errors of the truth)")
ax.set_xticks([0.5, 0.7, 1, 1.5, 2, 4, 8, 15], ["0.5", "0.7", "1", "1.5", "2", "4", "8", "15"])
ax.minorticks_off()
ax.set_yticks(range(len(designs)), designs)
ax.set_ylim(len(designs) - 0.45, -0.55)
ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5));

# %% [markdown]
# ## Where each one fails
#
# Bias, in percent of the truth with its interval (two standard errors, the truth's included); and how far the estimate of a
# single data set is from the truth (root mean square, in percent), which for methods that refit holds the error of their draws.

# %%
relative = 100 * (mean.div(truth["df"], axis=0) - 1)
spread = 200 * np.sqrt(error.fillna(0) ** 2 + (mean.mul(truth["se"] / truth["df"], axis=0)) ** 2).div(truth["df"], axis=0)
squares = runs[runs["method"] != "truth"].assign(t=lambda r: r["design"].map(truth["df"]))
rms = 100 * ((squares["df"] / squares["t"] - 1) ** 2).groupby([squares["design"], squares["method"]]).mean().unstack() ** 0.5
rms = rms.loc[designs, METHODS].where(enough)
bias = relative.map("{:+.0f}".format) + " ± " + spread.map("{:.0f}".format)
bias = bias.where(mean.notna(), "–")
bias

# %%
rms.map("{:.0f}".format).replace("nan", "–")

# %%
auto = runs[runs["method"] == "auto"]
took = auto.groupby(["design", "chosen"]).size().unstack(fill_value=0).loc[designs]
took.join(auto.groupby("design")["seconds"].median().rename("seconds (median)").round(2)).join(
    runs.groupby("design")["converged"].mean().rename("share that ended by its rule").round(2)
)

# %% [markdown]
# * **auto** is within its interval of the truth, but for ten covariates with a decay of 1, where it is 2 % too small (interval 0 to 4 %). Where
#   a penalty holds the optimum it is nearly always the divergence, else gdf with as many draws as a few seconds of work allow (once in 200 the
#   Jacobian, since a fit had taken so many steps). Its root mean square error is the least, or near the least. With ten covariates, in one of
#   50 data sets, the Hessian is nearly singular, and the divergence says 94 where the truth is 31: far from the Jacobian's, so that `auto`
#   refits there.
# * **weights** is right for none of them: it is nearest for 10 units without penalty, and up to fourteen times the truth for early stops.
# * **jacobian** is within a tenth where there is a penalty. Without one it is the rank of the Jacobian: it misses the search among
#   restarts (two covariates: 30 % too small) and overstates early stops, two to four times.
# * **divergence** is right in the mean where a penalty holds the optimum. Elsewhere there is no regular minimum to differentiate at, and it refuses.
# * **gdf** describes every procedure, with no bias beyond the intervals. With 30 draws that of an early stop is uncertain by more than half of the truth.
# * **covariance** draws around the fit itself and so describes the procedure on data that are as smooth as the fit: it is 12 % too small where a
#   decay of 0.1 smooths the Doppler curve, and 33 % with ten covariates. Drawn around a **larger model** (`mean=`), as Efron advises, it is not.
#
# ## Choosing a model
#
# One layer of 1 to 15 units on Doppler data, 100 data sets; the oracle knows the distance of each fit from the truth. How often is the choice within
# 10 % of the oracle's (with Wilson's interval), and what is the mean ratio of the two distances (with two standard errors)? These criteria refit
# nothing but cross-validation, which was computed for 20 of the data sets (`python benchmarks/model_choice.py`).


# %%
def wilson(share, n, z=1.96):
    """Interval of a share."""
    middle, half = (share + z**2 / (2 * n)) / (1 + z**2 / n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


choice = pd.read_csv("data/model_choice.csv")
choice["good"], choice["ratio"] = choice["loss"] <= 1.1 * choice["oracle"], choice["loss"] / choice["oracle"]
groups = choice.groupby(["setting", "criterion"])
chosen = groups.agg(share=("good", "mean"), n=("good", "size"), ratio=("ratio", "mean"), error=("ratio", "sem"), units=("units", "median"))
chosen["low"], chosen["high"] = wilson(chosen["share"], chosen["n"])
chosen["error"] *= 2
chosen = chosen[["share", "low", "high", "ratio", "error", "units", "n"]].sort_values(["setting", "share"], ascending=[True, False])
chosen.rename(columns={"share": "within 10 %", "ratio": "mean ratio", "error": "±", "units": "median units", "n": "data sets"}).round(2)

# %% [markdown]
# * **R's criterion** always picks two units, and never a good network. What ruins it is less the count of weights than the noise variance,
#   which it takes to be 1: an AIC with the variance estimated (`AIC, df weights`) and weights for degrees of freedom chooses almost as well
#   as the criteria with the Jacobian's, where there are five starts. With twenty it is worse than AIC with the Jacobian's, beyond the intervals.
# * **AICc with the Jacobian's degrees of freedom** finds one of the best networks in 78 to 89 of 100 data sets. That GCV, Cp or BIC are worse
#   or better these intervals do not show, but for BIC without a penalty, whose mean ratio is larger.
# * **`divergence`** is not defined at most of these optima, and cannot choose among them.
# * **Cross-validation** by five folds did badly here, in 20 data sets: its interval ends below all the others' but R's and divergence's. The likely reason is that at
#   the left there are few points for each oscillation, and every fold lacks a fifth of them.
#
# These are 15 candidates on one truth. `auto`, which counts the search, is compared on other truths by `benchmarks/select_default.py`.
#
# ## Do intervals cover?
#
# Nominal 95 % intervals for the mean and for new observations, over 500 data sets (jackknife+: 50): where the model is right (the
# truth is a small network), and where it is too small for the truth (`python benchmarks/interval_coverage.py`). Coverage in percent ± two standard
# errors:

# %%
coverage = pd.read_csv("data/coverage.csv")
coverage["shown"] = coverage.apply(lambda r: f"{100 * r['coverage']:.1f} ± {200 * r['se']:.1f}", axis=1)
wide = coverage.pivot(index="method", columns=["design", "target"], values="shown").loc[coverage["method"].unique()]
wide[[("right", "mean"), ("right", "obs"), ("too small", "mean"), ("too small", "obs")]].fillna("–")

# %% [markdown]
# * **New observations** are covered by all: between 94 and 97 %.
# * **The mean, where the model is right**: between 93 and 96 %. The sandwich and the bootstraps of cases and of residuals are about one
#   percent point below the nominal 95, by more than their errors.
# * **The mean, where the model is too small**: below 91 %, whatever the method. These are intervals for the best small network, not for the curve,
#   and no resampling tells.
