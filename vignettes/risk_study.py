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
# # Which estimate of the risk should one trust?
#
# A network's size and its penalty are chosen by an estimate of its risk. There are many: criteria that add a penalty to the training
# error (Cp, GCV, AICc, BIC), leave-one-out by leverages, cross-validation, the bootstrap's .632+, and estimates that
# perturb the response (Cp with Ye's degrees of freedom, the coupled bootstrap). With simulated data the truth is known, and they can be judged
# by it. There are two truths, the expected squared error of new responses at the covariates of the fit, and at new covariates:
#
# $$ R_\mathrm{same} = \sigma^2 + \frac{1}{n} \sum_{i=1}^n \big(\hat f(x_i) - f(x_i)\big)^2, \qquad
# R_\mathrm{new} = \sigma^2 + \mathrm{E}_X \big(\hat f(X) - f(X)\big)^2 . $$
#
# Cp, AIC, the coupled bootstrap estimate the first; cross-validation, leave-one-out and .632+ the second. Each is compared with its
# own.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neuralstat as ns

QUICK = bool(os.environ.get("NEURALSTAT_QUICK"))  # fewer data sets, for the tests

# %% [markdown]
# ## One call
#
# A study is one call of `ns.study`: models, truths, estimators, replicates. Here a small one, run now, with a design of its own for every data
# set (`target="new_x"`); the larger one below is read from a table, with the command that makes it again.

# %% tags=["live"]
live = ns.study(
    [ns.study.net(k, standardize=True, penalty=ns.decay(0.01)) for k in (1, 2, 4, 8)], "sine", noise=0.3, n=100,
    replicates=4 if QUICK else 50, estimators=["training", "cp", "gcv", "alo"], restarts=2, random_state=1, target="new_x",
    x=lambda stream, n: stream.random(n), n_jobs=1,
)  # fmt: skip
found = live.summary().reset_index()[["model", "estimator", "bias", "bias_se", "rmse"]]
found.round(4)

# %% [markdown]
# The training error is too small for every network, by more than two standard errors; the other three are not shown to be biased. Each is compared
# with its own target: here `training`, `gcv` and `alo` with the risk at new covariates, `cp` with that at the same.
#
# ## Four truths, nine networks
#
# One covariate: Doppler data and a sine; two covariates: a network of three units; ten covariates: Friedman's function, five of which
# matter. Covariates are drawn anew for each of 60 data sets. Networks of 2, 4 and 8 units in one layer with a decay of 0, 0.01 and 1 on
# standardised data, trained by Levenberg-Marquardt, the best of three restarts (`python benchmarks/risk_study.py`).

# %%
runs = pd.read_csv("data/risk_study.csv.gz")
runs[["units", "decay"]] = runs["model"].str.extract(r"(\d+) units, decay ([\d.]+)").astype(float)
TRUTHS = {"doppler": "Doppler, 1 covariate", "sine": "sine, 1 covariate", "three units": "three units, 2 covariates",
          "friedman": "Friedman, 10 covariates"}  # fmt: skip
runs["truth"] = pd.Categorical(runs["truth"], list(TRUTHS))
COLOURS = {0.0: "#D55E00", 0.01: "#0072B2", 1.0: "#009E73"}
sets = runs["replicate"].nunique()
variance = runs["noise"] ** 2
same, new = runs["risk_same_x"] + variance, runs["risk_new_x"] + variance
runs["distance"] = runs["risk_new_x"] / variance


def decimals(ax, axis, ticks):
    """Ticks of a logarithmic axis as decimal numbers."""
    getattr(ax, f"set_{axis}ticks")(ticks, [f"{t:g}" for t in ticks])
    getattr(ax, f"{axis}axis").set_minor_locator(plt.NullLocator())


fig, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained", sharey=True)
for ax, truth in zip(axes, TRUTHS, strict=True):
    for k, (decay, part) in enumerate(runs[runs["truth"] == truth].groupby("decay")):
        middle = part.groupby("units")["distance"].quantile([0.25, 0.5, 0.75]).unstack()
        at = middle.index + 0.12 * (k - 1)
        ends = [middle[0.5] - middle[0.25], middle[0.75] - middle[0.5]]
        ax.errorbar(at, middle[0.5], ends, marker="o", markersize=4, color=COLOURS[decay], capsize=2, label=f"decay {decay:g}")
    ax.set(xlabel="hidden units", yscale="log", title=TRUTHS[truth], xticks=[2, 4, 8])
decimals(axes[0], "y", [0.05, 0.2, 1, 5, 20])
axes[0].set_ylabel("distance from the truth / noise variance")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False);

# %% [markdown]
# Mean squared distance from the truth at new covariates, in units of the noise's variance: median and quartiles of the data sets.

# %%
medians = runs.groupby(["truth", "model"], observed=True, sort=False)["distance"].median().unstack("truth")
two = pd.DataFrame({"same": same / variance, "new": new / variance, "ratio": new / same})
ratio = two.groupby([runs["truth"], runs["decay"]], observed=True).median().unstack("decay")["ratio"]
medians.round(2)

# %%
ratio.rename(columns="decay {:g}".format).rename_axis(columns="median of R new / R same").round(2)

# %% [markdown]
# No setting suits all truths: Doppler data want 8 units and no decay, the sine 2 units or a slight decay, the three units and Friedman's
# function a slight decay; a decay of 1 is too much everywhere. All but two of the 2160 fits converged. The second table says where the two risks differ: with ten
# covariates new responses at new points cost 1.3 to 1.8 times as much as at the old ones, with one or two covariates hardly more, but for
# Doppler data without decay.
#
# ## Bias and root mean squared error
#
# Of log(estimate / its own target), so that a factor counts the same wherever it occurs: 0.1 is an overestimate by about 10 %. A value
# per data set (the mean over the networks of a decay), so that intervals of two standard errors are over the 60 data sets. The axis is linear
# between -0.2 and 0.2 and logarithmic beyond.

# %%
SAME, NEW = ("training", "cp", "cp, sigma estimated", "cp:gdf", "coupled", "gcv"), ("alo", "cv", "cv corrected", "632+")
TITLES = {"training": "training error", "cp": "Cp", "cp, sigma estimated": "Cp, sigma estimated", "cp:gdf": "Cp, Ye's df",
          "coupled": "coupled bootstrap", "gcv": "GCV", "alo": "leave-one-out by leverages", "cv": "10-fold CV",
          "cv corrected": "10-fold CV, corrected", "632+": ".632+"}  # fmt: skip
with np.errstate(divide="ignore", invalid="ignore"):
    logs = pd.DataFrame({name: np.log((runs[name]) / (same if name in SAME else new)) for name in TITLES})
logs = logs.where(np.isfinite(logs))
by_set = logs.groupby([runs["truth"], runs["decay"], runs["replicate"]], observed=True).mean()
by_square = (logs**2).groupby([runs["truth"], runs["decay"], runs["replicate"]], observed=True).mean()
cells = ["truth", "decay"]
bias, half = by_set.groupby(cells, observed=True).mean(), 2 * by_set.groupby(cells, observed=True).sem()
rmse = by_square.groupby(cells, observed=True).mean() ** 0.5

fig, axes = plt.subplots(1, 4, figsize=(14, 5), layout="constrained", sharey=True)
place = np.arange(len(TITLES))
for ax, truth in zip(axes, TRUTHS, strict=True):
    for k, decay in enumerate(COLOURS):
        ax.errorbar(bias.loc[(truth, decay)], place + 0.22 * (k - 1), xerr=half.loc[(truth, decay)], fmt="o", markersize=4,
                    color=COLOURS[decay], label=f"decay {decay:g}")  # fmt: skip
    ax.axvline(0, color="0.4", linewidth=1, zorder=0)
    ax.set_xscale("symlog", linthresh=0.2)
    ax.set_xticks([-1, -0.2, 0, 0.2, 1], ["-1", "-0.2", "0", "0.2", "1"])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    ax.set(title=TRUTHS[truth], xlabel="bias of log(estimate / target)")
axes[0].set_yticks(place, TITLES.values())
axes[0].invert_yaxis()
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False);

# %%
shown = bias.map("{:+.2f}".format) + " ± " + half.map("{:.2f}".format)
shown.rename(columns=TITLES).T.rename(columns=TRUTHS, level=0)

# %%
rmse.rename(columns=TITLES).T.rename(columns=TRUTHS, level=0).rename_axis("root mean squared error").round(2)

# %% [markdown]
# * **Cp** with the Jacobian's degrees of freedom is unbiased within 0.02 in one dimension, and too small where the search among restarts costs
#   degrees of freedom that no derivative sees: by 0.07 with two covariates and by 0.12 with ten, without decay. **Ye's degrees of freedom** mend that:
#   0.01 and 0.03, and half the root mean squared error with ten covariates.
# * **Sigma** estimated from the largest network's residuals makes Cp noisier, since that network's degrees of freedom miss the search as
#   well: with ten covariates its root mean squared error without decay is 0.27 in place of 0.18.
# * **The coupled bootstrap** is unbiased within 0.03, but with ten covariates, where it is 0.08 too large without decay or with little: it estimates the
#   risk at a noise that is larger by a quarter.
# * **Leave-one-out by leverages** is useless without decay: root mean squared errors of 1.6 to 7.1 on the log scale, 33 infinite values left
#   out. With decay it is as good as cross-validation, but for ten covariates and little decay (-0.35).
# * **Cross-validation and .632+** are right within 0.06 where there is decay and one or two covariates. Without decay single folds explode: CV's
#   root mean squared error is 0.65 to 1.44. With ten covariates and little decay they are too large, CV by 0.25 and .632+ by 0.59: they train on fewer
#   rows. Burman's correction takes a quarter off CV's bias there.
#
# ## What choosing by an estimate costs
#
# Each estimator chooses one of the nine networks for each data set; the oracle takes the one nearest to the truth at new covariates. How often is
# the choice's distance from the truth within 10 % of the oracle's (with Wilson's 95 % interval), and what is the geometric mean of the ratio of
# the two (with two standard errors on the log scale)?

# %%
CHOICE = {**TITLES, "aicc": "AICc", "bic": "BIC"}


def wilson(share, n, z=1.96):
    """Interval of a share."""
    middle, half = (share + z**2 / (2 * n)) / (1 + z**2 / n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return (middle - half).clip(0), middle + half


keys = [runs["truth"], runs["replicate"]]
oracle = runs.groupby(["truth", "replicate"], observed=True)["risk_new_x"].min()
ratios = {}
for name, title in CHOICE.items():
    at = runs[name].fillna(np.inf).groupby(keys, observed=True).idxmin()
    ratios[title] = pd.Series(runs["risk_new_x"].to_numpy()[at.to_numpy()], at.index) / oracle
ratios = pd.DataFrame(ratios)
every = ratios.groupby("truth", observed=True)
near = every.agg(lambda r: (r <= 1.1).mean()).T
overall = pd.DataFrame({"within 10 %": (ratios <= 1.1).mean()})
overall["low"], overall["high"] = wilson(overall["within 10 %"], len(ratios))
overall["mean ratio"] = np.exp(np.log(ratios).mean())
overall["ratio low"], overall["ratio high"] = (np.exp(np.log(ratios).mean() + s * 2 * np.log(ratios).sem()) for s in (-1, 1))
overall = overall.sort_values("mean ratio")
overall.round(2)

# %%
fig, axes = plt.subplots(1, 4, figsize=(14, 4.4), layout="constrained", sharey=True)
for ax, truth in zip(axes, TRUTHS, strict=True):
    share = near.loc[overall.index, truth]
    low, high = wilson(share, sets)
    ax.errorbar(share, np.arange(len(share)), xerr=[share - low, high - share], fmt="o", markersize=5, color="#0072B2")
    ax.set(title=TRUTHS[truth], xlabel="share within 10 % of the oracle", xlim=(-0.03, 1.03))
axes[0].set_yticks(np.arange(len(overall)), overall.index)
axes[0].invert_yaxis()

# %% [markdown]
# Differences between estimators are better known than this, since all choose for the same data sets. Log ratio of the distances, less that
# of the best row of the table, with two standard errors:

# %%
first = overall.index[0]
pairs = np.log(ratios).sub(np.log(ratios[first]), axis=0)
paired = pd.DataFrame({"all": pairs.mean(), "±": 2 * pairs.sem()}).loc[overall.index[1:]]
by_truth = np.log(ratios).groupby("truth", observed=True).mean().T.loc[overall.index]
paired.round(3)

# %%
np.exp(by_truth).rename(columns=TRUTHS).rename_axis("geometric mean of the ratio").round(2)

# %% [markdown]
# * **To choose a network: Cp with Ye's degrees of freedom**, with a mean ratio of 1.19 to the oracle's distance, and 74 % of its choices
#   within 10 % of it. AICc and BIC, which cost nothing and need no sigma, are 5 and 7 % behind; for AICc the interval just reaches zero. Cp here is told
#   sigma, which these are not.
# * The **coupled bootstrap** is as good where there are one or two covariates, and poor with ten.
# * **Cross-validation, GCV and Cp** with the Jacobian's degrees of freedom, told sigma or not, cost 25 to 37 % more than the best, **.632+ and
#   leave-one-out by leverages** over 70 %: their explosions choose badly on Doppler data. The training error is last.
# * **No estimate is best on every truth.** On the three units .632+ is best, on the sine the coupled bootstrap, on Friedman's function
#   BIC. With 60 data sets for each truth these single winners are less sure than the table over all four.
# * **To state a risk**, say which: at new covariates it was up to 1.8 times the other. Without decay no estimate that leaves observations out is to be
#   trusted here; look at the folds.
