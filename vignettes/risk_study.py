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
# A network's size and its penalty are chosen by an estimate of its risk. There are many: criteria that add a penalty to the
# training error (Cp, GCV, AIC, AICc, BIC), leave-one-out by leverages, cross-validation, the bootstrap and its .632 kin,
# and covariance penalties that refit (Ye's generalised degrees of freedom, Efron's conditional bootstrap). With simulated
# data the truth is known, and they can be judged by it.
#
# What they are judged by is the **prediction risk** of the fit at hand: the expected squared error of new responses at the same
# design points,
#
# $$ R = \sigma^2 + \frac{1}{n} \sum_{i=1}^n \big(\hat f(x_i) - f(x_i)\big)^2 . $$
#
# Every network is trained by Levenberg-Marquardt from three random starts, the best of which is kept; n = 200. Criteria use the
# trace of the Gauss-Newton hat matrix as degrees of freedom, never the number of weights. Cp and SURE are told the noise's
# variance.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neuralstat as ns

QUICK = bool(os.environ.get("NEURALSTAT_QUICK"))
COLOURS = {0.0: "#D55E00", 1e-4: "#0072B2", 1e-2: "#009E73"}
NAMES = {0.0: "no decay", 1e-4: "decay 0.0001", 1e-2: "decay 0.01"}


def say(text):
    """Text with numbers of the tables in it."""
    if "get_ipython" in globals():
        from IPython.display import Markdown, display

        display(Markdown(text))
    else:
        print(text)


# %% [markdown]
# ## One call
#
# A study is one call of `ns.study`: models, truths, estimators, replicates. Here a small one, run now; the larger ones below are
# read from tables, with the command that makes each again.

# %%
if __name__ == "__main__":  # processes are started
    live = ns.study(
        [ns.study.net(k, standardize=True, penalty=ns.decay(1e-4)) for k in (1, 2, 4, 8)], "sine", noise=0.3, n=100,
        replicates=4 if QUICK else 30, estimators=["training", "cp", "gcv", "cv"], restarts=2, random_state=1,
    )
    live.plot("risk")

# %% [markdown]
# The training error falls with the size of the network whatever the risk does; the others follow the risk. (All of them see the
# same noise, and so lie above or below the risk together.)
#
# ## The risk itself: units by layers by decay, four truths
#
# `python benchmarks/study.py --grid`: networks of 2 to 12 hidden units, in one layer or in two equal ones, with three levels of
# decay (on standardised data), for four regression functions.

# %%
grid = pd.read_csv("data/risk_grid.csv.gz")
grid[["units", "layers", "decay"]] = grid["model"].str.split("|", expand=True).astype(float)
TRUTHS = dict(grid.drop_duplicates("truth")[["truth", "noise"]].to_numpy())
grid["target"] = grid["risk"] + grid["noise"] ** 2
REPLICATES = grid["replicate"].nunique()

fig, axes = plt.subplots(1, 4, figsize=(13, 3), layout="constrained")
for ax, truth in zip(axes, TRUTHS, strict=True):
    found = ns.datasets.truth(truth)
    data = getattr(ns.datasets, truth)(n=200, noise=TRUTHS[truth], random_state=3).sort_values("x")
    ax.plot(data["x"], data["y"], ".", color="0.75", markersize=3)
    ax.plot(data["x"], found(data["x"].to_numpy()), color="0.2", linewidth=1.5)
    ax.set(xlabel="x", title=f"{truth}, noise {TRUTHS[truth]:g}")
axes[0].set_ylabel("y")

# %%
fig, axes = plt.subplots(1, 4, figsize=(13, 4), layout="constrained")
for ax, (truth, part) in zip(axes, grid.groupby("truth", sort=False), strict=True):
    for (decay, layers), line in part.groupby(["decay", "layers"]):
        middle = line.groupby("units")["risk"].median() / TRUTHS[truth] ** 2
        ax.plot(middle.index, middle, "o-" if layers == 1 else "s--", color=COLOURS[decay], markersize=4,
                label=f"{NAMES[decay]}, {'one layer' if layers == 1 else 'two layers'}")
    ax.set(xlabel="hidden units", yscale="log", title=truth, xticks=[2, 4, 8, 12])
axes[0].set_ylabel("median squared distance / noise variance")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False, fontsize=9)


# %% tags=["remove-input"]
def leader(part):
    """The setting of least median risk."""
    units, layers, decay = part.groupby(["units", "layers", "decay"])["risk"].median().idxmin()
    return f"{units:.0f} units in {'one layer' if layers == 1 else 'two layers'} with {NAMES[decay]}"


spread = grid.groupby(["truth", "model"], sort=False)["risk"].median().groupby("truth", sort=False).agg(["min", "max"])
say("Least median risk: " + "; ".join(f"**{t}** {leader(p)}" for t, p in grid.groupby("truth", sort=False)) + ". "
    "No setting suits all four truths: the worst of the 24 costs "
    + ", ".join(f"{r.max_ / r.min_:.0f}" for r in spread.rename(columns={"min": "min_", "max": "max_"}).itertuples())
    + " times the risk of the best.")

# %% [markdown]
# ## Estimate against truth
#
# A point per network and data set, both in units of the noise variance (so that 1 is the least possible). On the line the
# estimate is right.

# %%
SHOWN = {"training": "training error", "cp": "Cp", "gcv": "GCV", "loo": "leave-one-out by leverages", "cv": "10-fold CV",
         "cv corrected": "10-fold CV, corrected"}
grid["training"] = grid["training_error"]
some = grid[grid["replicate"] < 12].sample(frac=1, random_state=1)
fig, axes = plt.subplots(2, 3, figsize=(12, 7.5), layout="constrained", sharex=True, sharey=True)
for ax, (name, title) in zip(axes.flat, SHOWN.items(), strict=True):
    for decay, part in some.groupby("decay"):
        unit = part["noise"] ** 2
        ax.scatter(part["target"] / unit, (part[name] / unit).clip(upper=400), s=7, alpha=0.45, linewidth=0,
                   color=COLOURS[decay], label=NAMES[decay])
    ax.axline((1, 1), (2, 2), color="0.2", linewidth=1)
    ax.set(xscale="log", yscale="log", xlim=(0.9, 40), ylim=(0.4, 450), title=title)
    ax.label_outer()
for ax in axes[:, 0]:
    ax.set_ylabel("estimate / noise variance")
for ax in axes[1]:
    ax.set_xlabel("prediction risk / noise variance")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, markerscale=3)

# %% [markdown]
# (Estimates above 400 are drawn at 400.) The training error is too small. Cp and GCV lie on the line, with any decay. Leave-one-out and
# cross-validation lie on it where there is decay, and explode for some networks without: a unit that is held in place by one
# observation is free to do anything where that observation is missing.
#
# ## Bias and root mean squared error
#
# Of log(estimate / risk), so that a factor counts the same wherever it occurs: 0.1 is an overestimate by about 10 %. Bars are 95 %
# Monte-Carlo intervals (over data sets, whose networks are averaged first).


# %%
def logs(table, names):
    """log(estimate / prediction risk), a column per estimator; NaN where an estimate is infinite or missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(table[list(names)].div(table["target"], axis=0))
    return ratio.where(np.isfinite(ratio))


def judged(table, names):
    """Bias and RMSE of every estimator with the half widths of their intervals."""
    each = logs(table, names)
    mean, square = (v.groupby(table["replicate"]).mean() for v in (each, each**2))
    root, t = np.sqrt(square.mean()), len(mean)
    return pd.DataFrame({
        "bias": mean.mean(), "bias ±": 1.96 * mean.std() / np.sqrt(t),
        "rmse": root, "rmse ±": 1.96 * square.std() / np.sqrt(t) / (2 * root),
    })


def draw(panels, names, columns):
    """Bias and RMSE, a pair of panels for each truth, points with intervals."""
    shape, at = (2, len(panels)) if len(panels) > 1 else (1, 2), np.arange(len(names))
    share = "row" if len(panels) > 1 else "none"
    fig, axes = plt.subplots(*shape, figsize=(13, 6), layout="constrained", sharey=True, sharex=share)
    for column, (title, parts) in zip(axes.reshape(2, -1).T, panels.items(), strict=True):
        for k, (decay, part) in enumerate(parts.items()):
            found = judged(part, names)
            for ax, what in zip(column, ("bias", "rmse"), strict=True):
                shifted = at + 0.22 * (k - (len(parts) - 1) / 2)
                ax.errorbar(found[what], shifted, xerr=found[what + " ±"], fmt="o", markersize=4,
                            color=COLOURS[decay], label=NAMES[decay])
        column[0].axvline(0, color="0.2", linewidth=1)
        column[0].set(title=title, xlabel="bias of log(estimate / risk)")
        column[0].set_xscale("symlog", linthresh=0.1)
        column[0].set_xticks([-1, -0.1, 0, 0.1, 1, 10], ["-1", "-0.1", "0", "0.1", "1", "10"])
        column[1].set(xscale="log", xlabel="root mean squared error")
    first = axes.flat[0]
    first.set_yticks(at, columns)
    first.invert_yaxis()
    fig.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


panels = {t: dict(list(part.groupby("decay"))) for t, part in grid.groupby("truth", sort=False)}
draw(panels, SHOWN, SHOWN.values())

# %%
table = pd.concat({NAMES[d]: judged(p, SHOWN) for d, p in grid.groupby("decay")}, names=["networks", "estimator"])
table.rename(index=SHOWN).round(3)

# %% tags=["remove-input"]
double = (grid[["loo", "cv", "cp"]].gt(2 * grid["target"], axis=0)).groupby(grid["decay"]).mean()
say("More than twice the risk: " + "; ".join(
    f"with {NAMES[d]} {v.loo:.1%} of the leave-one-out estimates, {v.cv:.1%} of cross-validation's, {v.cp:.1%} of Cp's"
    for d, v in double.iterrows()) + ".")

# %% [markdown]
# ## What choosing by an estimate costs
#
# Each estimator chooses one of the 24 networks for each data set; the oracle takes the one nearest to the truth. How often is the
# choice's mean squared distance from the truth within 10 % of the oracle's, and what is the (median) ratio of the two?

# %%
CHOICE = {"training": "training error", "cp": "Cp", "gcv": "GCV", "aic": "AIC", "aicc": "AICc", "bic": "BIC",
          "loo": "leave-one-out by leverages", "cv": "10-fold CV", "cv corrected": "10-fold CV, corrected"}


def chosen(table, names):
    """Squared distance of the choice over the oracle's: a row per truth and data set, a column per estimator."""
    keys, out = ["truth", "replicate"], {}
    oracle = table.groupby(keys)["risk"].min()
    for name, title in names.items():
        best = table.loc[table[name].fillna(np.inf).groupby([table[k] for k in keys]).idxmin()]
        out[title] = best.set_index(keys)["risk"] / oracle
    return pd.DataFrame(out)


def shares(ratio):
    """Share within 10 % of the oracle and its 95 % interval (Wilson), and the median ratio."""
    p, t, z = (ratio <= 1.1).mean(), len(ratio), 1.96
    centre = (p + z**2 / (2 * t)) / (1 + z**2 / t)
    half = z * np.sqrt(p * (1 - p) / t + z**2 / (4 * t**2)) / (1 + z**2 / t)
    return pd.DataFrame({"share": p, "low": (centre - half).clip(lower=0), "high": centre + half, "ratio": ratio.median()})


def bars(ax, ratio, title):
    """Shares as points with intervals; the median ratio at the right."""
    found = shares(ratio)
    at = np.arange(len(found))
    ends = [found["share"] - found["low"], found["high"] - found["share"]]
    ax.errorbar(found["share"], at, xerr=ends, fmt="o", markersize=5, color="#0072B2")
    for k, value in enumerate(found["ratio"]):
        ax.text(1.04, k, f"{value:.2f}" if value < 10 else f"{value:.0f}", va="center", fontsize=8, color="0.3",
                transform=ax.get_yaxis_transform())
    ax.set(xlim=(-0.02, 1.02), title=title, xlabel="share within 10 %")
    ax.set_yticks(at, found.index)


ratio = chosen(grid, CHOICE)
fig, axes = plt.subplots(1, 5, figsize=(13, 3.6), layout="constrained", sharey=True)
for ax, truth in zip(axes, [*TRUTHS, "all four"], strict=True):
    bars(ax, ratio.loc[[truth]] if truth in TRUTHS else ratio, truth)
axes[0].invert_yaxis()
fig.supxlabel("at the right: median ratio of the chosen network's squared distance from the truth to the oracle's", fontsize=9)

# %%
overall, by_truth = shares(ratio), ratio.groupby("truth").median()
overall.sort_values("ratio").rename(columns={"share": "within 10 %", "ratio": "median ratio"}).round(2)

# %% [markdown]
# ## Estimators that refit
#
# Ten folds, once and five times, with and without Burman's correction; 50 bootstrap samples; 50 draws for Ye's and for
# Efron's degrees of freedom, with which Cp is formed. Doppler data, twelve networks of 1 to 12 units without decay and with 0.01
# (`python benchmarks/study.py --refit`).

# %%
refit = pd.read_csv("data/risk_refit.csv")
refit["target"] = refit["risk"] + refit["noise"] ** 2
refit["training"] = refit["training_error"]
refit["decay"] = np.where(refit["model"].str.contains("decay"), 1e-2, 0.0)
REFIT = {"training": "training error", "cp": "Cp", "gcv": "GCV", "loo": "leave-one-out by leverages", "cv": "10-fold CV",
         "cv corrected": "10-fold CV, corrected", "cv repeated": "5 x 10-fold CV",
         "cv repeated corrected": "5 x 10-fold CV, corrected",
         "bootstrap": "bootstrap (optimism)", "632": ".632", "632+": ".632+", "cp:gdf": "Cp, Ye's df",
         "cp:covariance": "Cp, Efron's df"}

draw({"doppler": dict(list(refit.groupby("decay")))}, REFIT, REFIT.values())

# %%
picked = chosen(refit, REFIT)
refits = {"cv": 10, "cv corrected": 10, "cv repeated": 50, "cv repeated corrected": 50, "bootstrap": 50,
          "632": 50, "632+": 50, "cp:gdf": 50, "cp:covariance": 50}
second = pd.concat([
    judged(refit, REFIT)[["bias", "rmse"]].rename(index=REFIT),
    shares(picked)[["share", "ratio"]].rename(columns={"share": "within 10 %", "ratio": "median ratio"}),
    pd.Series({REFIT[name]: refits.get(name, 0) for name in REFIT}, name="refits"),
], axis=1).loc[list(REFIT.values())]
second.round(2)

# %% tags=["remove-input"]
def plain(name, decay=0.0):
    """Bias and RMSE of a refitting estimator for networks with a decay."""
    return judged(refit[refit["decay"] == decay], [name]).iloc[0]


ye, efron, local, twelve = (plain(name) for name in ("cp:gdf", "cp:covariance", "cp", "632+"))
say(f"{refit['replicate'].nunique()} data sets. Ye's and Efron's degrees of freedom give Cp a root mean squared error of {ye.rmse:.3f} and "
    f"{efron.rmse:.3f} for the networks without decay; those of the Gauss-Newton matrix, which cost nothing, {local.rmse:.3f}. "
    f"The .632+ estimate exceeds the risk by a factor of {np.exp(twelve.bias):.1f} there (geometric mean), and of "
    f"{np.exp(plain('632+', 0.01).bias):.2f} with decay; repeated cross-validation by {np.exp(plain('cv repeated').bias):.1f} and "
    f"{np.exp(plain('cv repeated', 0.01).bias):.2f}. Repeating and correcting changes what varies between folds, not what they estimate.")

# %% [markdown]
# ## What cross-validation and the bootstrap estimate
#
# They leave observations out, and ask for the error where there was none. Towards 0 the Doppler function has three observations
# per oscillation: a fit without one of them knows nothing of the curve there. That is another risk than the one above, and another
# than that of the fit to all data between its points, as some data sets show (8 units; medians over the data sets):

# %%
rows = []
for seed in range(3 if QUICK else 12):
    data = ns.datasets.doppler(n=200, noise=0.1, random_state=seed)
    between = pd.DataFrame({"x": (data["x"][1:].to_numpy() + data["x"][:-1].to_numpy()) / 2})
    for decay in (0.0, 1e-4):
        fit = ns.neuralnet("y ~ x", data, hidden=8, algorithm="lm", tol=1e-6, rep=3, standardize=True,
                           penalty=ns.decay(decay) if decay else None, random_state=seed)
        at, off = (np.mean((fit.predict(x, rep="best") - np.sin(1 / x["x"])) ** 2) + 0.01 for x in (data, between))
        cv = ns.risk(fit, "cv", k=10, rep="best", random_state=seed)
        rows.append({"network": NAMES[decay], "risk at the observations": at, "risk between them": off,
                     "10-fold CV": float(cv), "median fold": np.median(cv.draws), "worst fold": cv.draws.max()})
pd.DataFrame(rows).groupby("network", sort=False).median().round(4)

# %% [markdown]
# The fit to all data is as good between the observations as at them, and the median fold agrees. One or two folds, of
# which an observation lay in a gap that only it filled, make up the rest of the mean. Look at `risk(...).draws` before you
# believe a cross-validation.
#
# ## Verdict

# %% tags=["remove-input"]
free, firm = table.loc["no decay"], table.loc["decay 0.01"]
order = overall.drop("training error").sort_values("ratio")
first, last = order.iloc[0], order.iloc[-1]
worst = by_truth.max().drop("training error").sort_values()
say(f"""
* **To state a risk: Cp with the Gauss-Newton degrees of freedom, or GCV where the noise's variance is not known.** Their log
  errors have root mean squares of {free.rmse["cp"]:.2f} and {free.rmse["gcv"]:.2f} without decay, {firm.rmse["cp"]:.2f} and
  {firm.rmse["gcv"]:.2f} with decay 0.01, and biases of at most {max(abs(t.bias[c]) for t in (free, firm) for c in ("cp", "gcv")):.2f}.
  Much of the rest is the noise of the data set itself, which every estimate contains.
* **To choose a network: {order.index[0]}**, with a median ratio of {first.ratio:.2f} to the oracle's squared distance (over {len(ratio)} data
  sets), and {first.share:.0%} of the choices within 10 % of it; then {order.index[1]} ({order.ratio.iloc[1]:.2f}) and
  {order.index[2]} ({order.ratio.iloc[2]:.2f}); last {order.index[-1]} ({last.ratio:.2f}). The largest median ratio of the four truths is
  least for {worst.index[0]} ({worst.iloc[0]:.2f}). No estimate finds the best network each time: differences between good
  networks are smaller than the noise of any estimate.
* **Cross-validation as a number: only with decay.** Its root mean squared error falls from {free.rmse["cv"]:.2f} to {firm.rmse["cv"]:.2f} with decay 0.01;
  leave-one-out by leverages from {free.rmse["loo"]:.2f} to {firm.rmse["loo"]:.2f}. Without decay both answer for a few
  observations that nothing else holds.
* **.632 and .632+ are no cure** for that: {second.bias[".632+"]:.2f} mean log error against {second.bias["10-fold CV"]:.2f} of ten folds. A bootstrap
  sample lacks 37 % of the observations, where a fold lacks 10 %.
* **Ye's and Efron's degrees of freedom** agree with the Gauss-Newton ones at optima. They earn their {refits["cp:gdf"]} refits where there is
  no optimum (early stopping), or a procedure without derivatives.
* **The training error** is {-free.bias["training"]:.0%} too small (log scale) without decay, and chooses networks with {overall.ratio["training error"]:.1f} times the
  oracle's squared distance from the truth.
""")
