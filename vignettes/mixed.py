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
# # Random effects, alone and beside networks
#
# Rows of one subject, herd or shop resemble each other. A random effect gives each of them a constant of its own, and lets the data
# say how much these constants differ. The formulas are lme4's, and where there is no network the numbers are lme4's, too. A
# network may stand beside them, as any other term.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neuralstat as ns

QUICK = bool(os.environ.get("NEURALSTAT_QUICK"))  # fewer restarts and levels, for the tests
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"

# %% [markdown]
# ## Eighteen drivers without sleep
#
# `sleepstudy` is lme4's: reaction times of 18 subjects on ten days with little sleep. `(1 | Subject)` is a constant for each
# subject, `(Days | Subject)` a constant and a slope, correlated with each other. Fits are by restricted maximum likelihood.

# %%
sleep = ns.datasets.sleepstudy()
intercepts = ns.neuralnet("Reaction ~ Days + (1 | Subject)", sleep)
slopes = ns.neuralnet("Reaction ~ Days + (Days | Subject)", sleep)
slopes.variance_components.round(3)

# %% [markdown]
# What lme4 1.1-31 prints for the same models (`lmer`, REML), beside what is here:

# %%
names = ["intercept", "its error", "Days", "error of it", "sd of intercepts", "sd of slopes", "residual sd"]


def numbers(fit):
    sd = fit.variance_components.set_index(["group", "name"])["sd"]
    at = [f"{name}.to.Reaction" for name in ("Intercept", "Days")]
    fixed = [value for name in at for value in (fit.params[name], fit.bse[name])]
    return [*fixed, sd["Subject", "(Intercept)"], sd.get(("Subject", "Days"), np.nan), sd["Residual", ""]]


beside = pd.DataFrame({
    "(1 | Subject), lme4": [251.40510, 9.74672, 10.46729, 0.80422, 37.12383, np.nan, 30.99123],
    "here": numbers(intercepts),
    "(Days | Subject), lme4": [251.40510, 6.82460, 10.46729, 1.54579, 24.74066, 5.92214, 25.59180],
    "here ": numbers(slopes),
}, index=names)  # fmt: skip
beside.T.round(3)

# %% [markdown]
# A slope for each subject makes the error of the common slope twice as large: it is now the error of a mean of 18 slopes, not of 180
# rows. Three fits of each subject's line: least squares for each alone, the common line, and the mixed model, which is between
# the two, nearer to the common line where a subject says little.

# %%
alone = {s: np.polyfit(rows["Days"], rows["Reaction"], 1) for s, rows in sleep.groupby("Subject", observed=True)}
effects = slopes.ranef()["Subject"]
fixed = slopes.params[["Intercept.to.Reaction", "Days.to.Reaction"]].to_numpy()
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=[1.3, 1])
shown = ["308", "309", "335", "337", "349", "370"]
for subject, color in zip(shown, (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "0.3"), strict=True):
    rows = sleep[sleep["Subject"] == subject]
    axes[0].plot(rows["Days"], rows["Reaction"], ".", color=color, alpha=0.6)
    line = fixed + effects.loc[subject].to_numpy()
    axes[0].plot([0, 9], line[0] + line[1] * np.array([0, 9]), color=color, label=subject)
axes[0].set(xlabel="days with little sleep", ylabel="reaction time / ms")
axes[0].legend(title="subject", frameon=False, ncols=2)
for subject, (slope, level) in alone.items():
    there = fixed + effects.loc[subject].to_numpy()
    axes[1].annotate("", there, (level, slope), arrowprops={"arrowstyle": "->", "color": "0.6"})
    axes[1].plot(level, slope, "o", color=ORANGE, markersize=4)
    axes[1].plot(*there, "o", color=BLUE, markersize=4)
axes[1].plot(*fixed, "+", color="k", markersize=14, markeredgewidth=2)
axes[1].plot([], [], "o", color=ORANGE, label="each subject alone")
axes[1].plot([], [], "o", color=BLUE, label="mixed model")
axes[1].set(xlabel="intercept", ylabel="slope")
_ = axes[1].legend(frameon=False)

# %% [markdown]
# `ranef()` has the effects, with `se=True` their conditional standard deviations (lme4's `condVar`), and `terms` tests each term:
# for a random one that its variance is 0.

# %%
slopes.ranef(se=True)["Subject"].head(4).round(2)

# %%
slopes.terms.round(4)

# %% [markdown]
# A subject of the data is predicted with its own effects, a new one at the population's level. Its interval is wider: a new
# subject's effects are not known but for their variance, and intervals of the mean of *this* subject and of an observation hold
# them.

# %%
new = pd.DataFrame({"Days": [0, 9, 0, 9], "Subject": ["308", "308", "someone new", "someone new"]})
told = new.join(slopes.get_prediction(new).summary_frame(0.1))
told.round(1)

# %% [markdown]
# ## Counts in herds, flaws in casks
#
# Any family will do. `cbpp`: new cases of a disease of cattle in 15 herds over four periods, binomial with a herd's effect on the
# logit. Strengths are then found by Laplace's approximation of the likelihood, as `glmer` does.

# %%
cbpp = ns.datasets.cbpp()
herds = ns.neuralnet("{incidence / size} ~ period + (1 | herd)", cbpp, family="binomial", weights="size")
fixed_of = [name for name in herds.params.index if name.endswith(f".to.{herds.design.y_names[0]}") and "herd" not in name]
glmer = pd.DataFrame({"glmer": [-1.398532, -0.992333, -1.128672, -1.580314], "its error": [0.227891, 0.305386, 0.326049, 0.428795]},
                     index=fixed_of)  # fmt: skip
both = glmer.join(pd.DataFrame({"here": herds.params, "error here": herds.bse}))
both.round(4)

# %%
herds.variance_components.round(4)

# %% [markdown]
# lme4's standard deviation of herds is 0.6423. Nested factors: `(1 | batch/cask)` is `(1 | batch) + (1 | batch:cask)`. The strength
# of a chemical paste, two assays of each of three casks in each of ten batches; lme4 says 1.2874, 2.9041 and 0.8234:

# %%
paste = ns.neuralnet("strength ~ 1 + (1 | batch/cask)", ns.datasets.pastes())
paste.variance_components.round(4)

# %%
paste.terms.round(4)

# %% [markdown]
# Casks differ; that batches do beyond their casks, ten of them cannot show.
#
# ## One mechanism
#
# A random effect is a weight with a gaussian penalty, lam/2 times its square, whose strength lam is estimated: the error's
# variance over lam is the variance of the effects. Smooths are the same, with the weights of an expansion in functions from
# smooth to rough; and so is weight decay. All of them stand in one table, and one fit estimates all strengths by the same
# criterion. (Strengths and sd are in the units that training sees, where the response has the variance 1.)

# %%
smooth = ns.neuralnet("Reaction ~ s(Days, k=6) + (1 | Subject)", sleep)
smooth.strengths.round(4)

# %%
group = smooth.strengths.set_index("group").loc["(1 | Subject)"]
unit = sleep["Reaction"].std(ddof=1)
sd_of_subjects = smooth.variance_components.loc[0, "sd"]
pd.Series({"sd a priori, times the sd of Reaction": group["sd"] * unit, "sd of variance_components": sd_of_subjects}).round(3)

# %% [markdown]
# The smooth of the days has no bend at all: its strength has grown without bound, and a straight line is left, which no penalty
# touches. 18 effects of subjects count as 15.9 degrees of freedom: reactions tell the subjects apart well, and little is shrunk.
#
# ## Beside a network
#
# Thirty subjects seen eight times each, at their own times x; a trend sin(x) + x/5 that all have in common, and a level of their own
# of standard deviation 0.8; noise of 0.4. The network of the trend has six units. Beside it the effects; without them; and a smooth
# in place of the network.

# %% tags=["live"]
rng = np.random.default_rng(3)
subjects, each = 30, 8
level = rng.normal(0, 0.8, subjects)
trend = pd.DataFrame({"x": rng.uniform(0, 10, subjects * each), "g": np.repeat([f"s{k:02d}" for k in range(subjects)], each)})
trend["y"] = np.sin(trend["x"]) + trend["x"] / 5 + np.repeat(level, each) + 0.4 * rng.normal(size=len(trend))
net = {"random_state": 1, "rep": 1 if QUICK else 5}
fits = {
    "nn(x) + (1 | g)": ns.neuralnet("y ~ nn(x, hidden=6) + (1 | g)", trend, **net),
    "nn(x)": ns.neuralnet("y ~ nn(x, hidden=6)", trend, **net),
    "s(x) + (1 | g)": ns.neuralnet("y ~ s(x, k=12) + (1 | g)", trend),
}
grid = pd.DataFrame({"x": np.linspace(0, 10, 200), "g": "new"})
truth = np.sin(grid["x"]) + grid["x"] / 5
rows, curves = {}, {}
for name, fit in fits.items():
    curve = curves[name] = fit.predict(grid, rep="best")
    row = {"error of the curve": ((curve - curve.mean() - truth + truth.mean()) ** 2).mean() ** 0.5,
           "edf of the curve": fit.terms["edf"].iloc[0]}  # fmt: skip
    if "(" in name[3:] and "g)" in name:
        sd = fit.variance_components["sd"]
        row |= {"sd of subjects": sd[0], "sd of noise": sd[1],
                "correlation with true levels": np.corrcoef(fit.ranef()["g"].iloc[:, 0], level)[0, 1]}  # fmt: skip
    rows[name] = row
beside_network = pd.DataFrame(rows).T
beside_network.round(3)

# %% tags=["live"]
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
axes[0].plot(trend["x"], trend["y"], ".", color="0.75", markersize=4)
axes[0].plot(grid["x"], truth, "k--", linewidth=1, label="truth")
for (name, curve), color in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=True):
    axes[0].plot(grid["x"], curve, color=color, label=name)
axes[0].legend(frameon=False)
axes[0].set(xlabel="x", ylabel="y")
found = fits["nn(x) + (1 | g)"].ranef(se=True)["g"]
axes[1].errorbar(level, found.iloc[:, 0], 1.96 * found.iloc[:, 1], fmt="o", color=BLUE, markersize=4, linewidth=1)
axes[1].axline((0, 0), slope=1, color="0.6", linewidth=1)
_ = axes[1].set(xlabel="true level of a subject", ylabel="predicted, with 95 %")

# %% tags=["live"]
_ = fits["nn(x) + (1 | g)"].plot()

# %% [markdown]
# The effects are found beside the network as they are beside a smooth: their predictions correlate with the truth by 0.99, and the
# variances of subjects and of noise are told apart. Who leaves them out has a curve that follows the noise of subjects with fewer
# degrees of freedom, and misses the ends. The diagram has the random term as one node: its 30 weights count as 28.
#
# ## A factor with many levels
#
# `(1 | g)` gives a level one number, which moves all its predictions up or down. `embed(g, 2)` gives it two coordinates, which a
# network reads beside x: levels can then differ in shape. 200 levels of eight rows each; the mean is sin(x) + a, with a level a of each
# ("level"), or a sin(x) + b cos(x), with two numbers a and b of each ("shape"). Root mean squared errors of the mean at new rows of
# the same levels, 12 data sets of each (`python
# benchmarks/levels.py`):

# %%
runs = pd.read_csv("data/levels.csv")
by = runs.groupby(["truth", "model"], sort=False)["rmse"]
errors = pd.DataFrame({"rmse": by.mean(), "its error": by.sem()}).unstack("truth").reindex(runs["model"].unique())
errors.swaplevel(axis=1)[["level", "shape"]].round(3)

# %% [markdown]
# Where levels differ by a constant, `(1 | g)` is right, and coordinates are hardly worse. Where they differ in shape, `(1 | g)` is
# no better than to leave the factor out, and coordinates have 0.38 of its error. Without the penalty, whose strength is estimated
# for coordinates as for other weights, the error of coordinates is twice as large: eight rows a level do not carry two free
# numbers.
#
# What the network has learnt of the levels can be looked at: the coordinates of those whose means differ in shape, coloured by the
# a and b that made them.

# %% tags=["live"]
count = 60 if QUICK else 200
rng = np.random.default_rng(1)
a, b = rng.normal(size=(2, count))
g = np.repeat(np.arange(count), 8)
x = rng.uniform(-3, 3, g.size)
shops = pd.DataFrame({"x": x, "g": [f"g{k:03d}" for k in g], "y": a[g] * np.sin(x) + b[g] * np.cos(x) + 0.5 * rng.normal(size=g.size)})
embedded = ns.neuralnet("y ~ nn(x, embed(g, 2), hidden=6)", shops, rep=1, random_state=1)
(table,) = [array for name, array in embedded.get_weights().items() if name.endswith("embeddings")]
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, (name, values) in zip(axes, {"a": a, "b": b}.items(), strict=True):
    drawn = ax.scatter(*table[:count].T, c=values, cmap="RdBu", s=22, edgecolor="0.4", linewidth=0.3, vmin=-2.5, vmax=2.5)
    ax.set(xlabel="first coordinate", ylabel="second coordinate", title=f"coloured by {name}")
    fig.colorbar(drawn, ax=ax)
places = table[:count] / table[:count].std(axis=0)
distance = ((places[:, np.newaxis] - places) ** 2).sum(axis=-1)
np.fill_diagonal(distance, np.inf)
near = np.argsort(distance, axis=1)[:, :5]
explained = {name: 1 - np.var(v - v[near].mean(axis=1)) / np.var(v) for name, v in {"a": a, "b": b}.items()}
pd.Series(explained, name="share explained by the five nearest levels").round(2)

# %% [markdown]
# Neighbours are alike: the mean of the five nearest levels explains some four fifths of the variance of a and of b. But a map is not
# unique, and levels of one kind may lie in several places: other starts find other maps, which predict as well.
# A level that was not there is predicted at the mean coordinates, with a warning.
