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
# # Linear, smooth, neural: side by side
#
# A network for the part that is not understood, and coefficients with intervals and p-values for the part that is. A formula with
# a term `nn(...)`, `s(...)` or `(1 | g)` reads its plain terms as **linear**: `y ~ x + nn(z)` has a coefficient of x, and a network
# that sees z alone. What keeps networks and smooths from following the noise is the same for both: a gaussian penalty of their
# weights, whose strength is estimated. (Random effects are such terms, too: see `mixed`.)

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neuralstat as ns

QUICK = bool(os.environ.get("NEURALSTAT_QUICK"))  # fewer restarts, for the tests
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"

# %% [markdown]
# ## A smooth, and a network in its place
#
# `mcycle`: acceleration of a dummy's head after an impact. `s(times, k=20)` is mgcv's smooth, its strength by restricted maximum
# likelihood: the degrees of freedom and the residual variance are those of
# `gam(accel ~ s(times, k = 20, bs = "cr"), method = "REML")`. Beside it a network of eight units.

# %%
mcycle = ns.datasets.mcycle()
smooth = ns.neuralnet("accel ~ s(times, k=20)", mcycle)
unit = mcycle["accel"].var(ddof=1)
against = pd.DataFrame({"mgcv 1.8-41": [11.78490, 509.0121], "here": [smooth.terms.loc["s(times, k=20)", "edf"], smooth.scale]},
                       index=["edf of the smooth", "residual variance"])  # fmt: skip
against.round(4)

# %% tags=["live"]
network = ns.neuralnet("accel ~ nn(times, hidden=8)", mcycle, rep=2 if QUICK else 5, random_state=1)
grid = pd.DataFrame({"times": np.linspace(2.4, 57.6, 300)})
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
for ax, (title, fit) in zip(axes, {"s(times, k=20)": smooth, "nn(times, hidden=8)": network}.items(), strict=True):
    frame = fit.get_prediction(grid, method="bayes", rep="best").summary_frame()
    ax.fill_between(grid["times"], frame["mean_ci_lower"], frame["mean_ci_upper"], color=BLUE, alpha=0.25, linewidth=0)
    ax.plot(grid["times"], frame["mean"], color=BLUE)
    ax.plot(mcycle["times"], mcycle["accel"], ".", color="0.3", markersize=4)
    ax.set_title(f"{title}: edf {fit.terms['edf'].iloc[0]:.1f}", fontsize=10)
    ax.set(xlabel="milliseconds after the impact", ylim=(-150, 90))
_ = axes[0].set_ylabel("acceleration / g")

# %% tags=["live"]
cv = {"k": 5 if QUICK else 10, "random_state": 1}
closeness = pd.DataFrame({
    name: {"edf": fit.terms["edf"].iloc[0], "residual sd": fit.scale**0.5, "cross-validation": float(ns.risk(fit, "cv", **cv))}
    for name, fit in (("s(times, k=20)", smooth), ("nn(times, hidden=8)", network))
}).T  # fmt: skip
closeness.round(2)

# %% [markdown]
# Two bases, one answer: the residual standard deviations are 22.6, and ten-fold cross-validation cannot tell them apart (its standard
# error is 100). Bands are of the mean, given the data: from the covariance of the weights under their penalty.
#
# ## A coefficient beside a network
#
# y depends on x with the coefficient 0.4, and on z in a way that nobody knows, here sin(2 z) + z²/2; x and z are correlated, so that
# leaving z out, or taking it to be linear, is wrong about x.

# %% tags=["live"]
rng = np.random.default_rng(5)
n = 300
z = rng.uniform(-2, 2, n)
x = 0.7 * z + 0.8 * rng.normal(size=n)
data = pd.DataFrame({"x": x, "z": z, "y": 0.4 * x + np.sin(2 * z) + z**2 / 2 + 0.7 * rng.normal(size=n)})
start = {"random_state": 1, "rep": 1 if QUICK else 5}
models = {
    "y ~ x": ns.neuralnet("y ~ x", data, hidden=0),
    "y ~ x + z": ns.neuralnet("y ~ x + z", data, hidden=0),
    "y ~ x + s(z)": ns.neuralnet("y ~ x + s(z)", data),
    "y ~ x + nn(z)": ns.neuralnet("y ~ x + nn(z, hidden=5)", data, **start),
}
rows = {name: [fit.params["x.to.y"], fit.bse["x.to.y"], *fit.conf_int().loc["x.to.y"], fit.pvalues["x.to.y"]]
        for name, fit in models.items()}  # fmt: skip
coefficients = pd.DataFrame(rows, index=["coefficient of x", "standard error", "2.5 %", "97.5 %", "p"]).T
coefficients.round(4)

# %% tags=["live"]
beside = models["y ~ x + nn(z)"]
beside.terms.round(4)

# %% tags=["live"]
_ = beside.plot()

# %% [markdown]
# With a line for z the coefficient is 0.48, for want of what z does besides; with a smooth or a network in its place it is 0.40, its
# standard error 0.052, and the two agree to the third digit. In the picture a linear term goes straight to the output, and a
# network has a frame of its own. Its test says that z matters; a p-value of x is as in any linear model, its degrees of freedom
# those that the network leaves.
#
# What such p-values and intervals are worth, by simulation (`python benchmarks/semi_structured.py`): how often tests at 5 % reject
# what is true, and how often 95 % intervals of x hold its coefficient. "corr": x is correlated with z; "null": z does nothing either,
# so that the test of its network has a size, too.

# %%
sizes = pd.read_csv("../benchmarks/results/semi_structured.csv")
sizes["what"] = sizes["what"].where(sizes["what"].str.endswith(" x"), "size of the other term")
calibration = sizes.pivot(index=["model", "design"], columns="what", values="rate").join(
    sizes.groupby(["model", "design"])["replicates"].first())  # fmt: skip
calibration.map(lambda v: f"{v:.3f}" if v < 1 else f"{v:.0f}".replace("nan", "–"))

# %% [markdown]
# With 300 to 1000 data sets each, a rate of 5 % has a Monte-Carlo error of 0.7 to 1.3 %. Intervals of x hold 92 to 98 %, and its
# tests reject in 2 to 8 %, in the mean over the designs with a network 5.4 %: most where x is correlated with z and z acts
# linearly, which the penalty does not know. Tests of a network without an effect reject in 4 to 6 %.
#
# ## What a coefficient means where the network sees x, too
#
# In `y ~ x + nn(x, z)` the network could take any part of x's line upon itself. What is reported is the one division in which the
# network's part is orthogonal to the constant and to x: the coefficient has all of the fit that is linear in x, and the fitted
# values do not change. With `orthogonal=False` the coefficient is whatever start and penalty left to it, and its standard error
# says so. The linear part of x *given z* needs z beside it: `y ~ x + z + nn(x, z)`.

# %% tags=["live"]
both = {
    "y ~ x + nn(x, z)": ns.neuralnet("y ~ x + nn(x, z, hidden=5)", data, **start),
    "..., orthogonal=False": ns.neuralnet("y ~ x + nn(x, z, hidden=5)", data, orthogonal=False, **start),
    "y ~ x + z + nn(x, z)": ns.neuralnet("y ~ x + z + nn(x, z, hidden=5)", data, **start),
}
meaning = pd.DataFrame({name: {"coefficient of x": fit.params["x.to.y"], "standard error": fit.bse["x.to.y"]}
                        for name, fit in both.items()}).T  # fmt: skip
slopes = {"y ~ x": models["y ~ x"], "y ~ x + z": models["y ~ x + z"]}
least_squares = pd.Series({name: fit.params["x.to.y"] for name, fit in slopes.items()}, name="by least squares")
pd.concat([meaning.round(4), least_squares.round(4).to_frame("coefficient of x")])

# %% [markdown]
# The coefficients are those of least squares without the network, to all digits: what a network adds is the rest of the fit, and it
# makes their standard errors smaller, 0.036 in place of 0.057, and 0.052 in place of 0.082. Without orthogonality the coefficient
# is -0.8, with a standard error of 1.6: no number at all. So with the network of both, x has the meaning that it has in a linear
# model; 0.4, the truth of these data, needs a model in which z may do what it does and x may not: `y ~ x + nn(z)`.
#
# ## A network for each covariate
#
# Several terms `nn()` are a neural additive model. Four covariates, three of which matter, by a sine, a parabola and a kink; each
# network of five units has two strengths of its own, for the weights into and out of its units.

# %% tags=["live"]
rng = np.random.default_rng(2)
additive = pd.DataFrame(rng.uniform(-2, 2, (300, 4)), columns=list("abcd"))
additive["y"] = np.sin(2 * additive["a"]) + additive["b"] ** 2 / 2 + np.abs(additive["c"]) + 0.5 * rng.normal(size=300)
nam = ns.neuralnet("y ~ nn(a) + nn(b) + nn(c) + nn(d)", additive, **start)
nam.terms.round(4)

# %% tags=["live"]
_ = nam.plot_terms()

# %% [markdown]
# The sine, the parabola and the kink; and for d, which does nothing, a quarter of a degree of freedom and p = 0.59: its penalty has
# grown until hardly anything was left. Nothing had to be chosen, neither units nor strengths.
#
# ## Estimated, or chosen
#
# The same penalty can be asked of any network: `penalty=ns.decay("estimate")`. Seven fixed strengths beside it, on the motorcycle
# data, each judged by ten-fold cross-validation.

# %% tags=["live"]
fixed = [10.0**k for k in (range(-3, 2, 2) if QUICK else np.linspace(-5, 1, 7))]
plain = {"hidden": 8, "rep": 1 if QUICK else 3, "random_state": 1}
risks = {f"decay({lam:.0e})": ns.risk(ns.neuralnet("accel ~ times", mcycle, penalty=ns.decay(lam), **plain), "cv", **cv)
         for lam in fixed}  # fmt: skip
estimated = ns.neuralnet("accel ~ times", mcycle, penalty=ns.decay("estimate"), **plain)
risks["decay('estimate')"] = ns.risk(estimated, "cv", **cv)
penalties = pd.DataFrame({name: {"squared error": float(r), "its error": r.se} for name, r in risks.items()}).T
penalties.round(1)

# %% tags=["live"]
estimated.strengths.round(4)

# %% [markdown]
# The best of seven fixed strengths has 556, the estimated ones 559, and one fit found them: one strength for the weights into the
# units, another for those out of them. The standard error is 100 for all, since some folds are noisy; but ten times too little
# or a hundred times too much costs.
#
# ## An image and a covariate
#
# 400 handwritten digits of 8 × 8 pixels, and a covariate that is **made**, since the digits have none: x is related to what the image
# shows, and y depends on both: y = 0.5 x + f + noise, x = 0.7 f + noise. f is the ink in the upper half less that in the lower one, plus
# half its square. Without the image x takes the credit for f. The tower is a small convolutional network, 148 weights in all.

# %% tags=["live"]
from neuralstat.layers import Conv2D, Dense, Flatten  # noqa: E402

digits = ns.datasets.digits()
rng = np.random.default_rng(4)
some = rng.permutation(1797)[: 200 if QUICK else 400]
pixels = digits["pixels"][some]
ink = pixels[:, :4].mean((1, 2, 3)) - pixels[:, 4:].mean((1, 2, 3))
ink = (ink - ink.mean()) / ink.std()
f = ink + ink**2 / 2
f = (f - f.mean()) / f.std()
x = 0.7 * f + 0.8 * rng.normal(size=f.size)
seen = {"image": pixels, "x": x, "y": 0.5 * x + f + 0.5 * rng.normal(size=f.size)}
cnn = [Conv2D(3, 3, "tanh", strides=2), Flatten(), Dense(4, "tanh")]
with_image = ns.neuralnet("y ~ x + nn(image, layers=cnn)", seen, towers={"cnn": cnn}, rep=1, random_state=1)
without = ns.neuralnet("y ~ x", pd.DataFrame({"x": x, "y": seen["y"]}), hidden=0)
image_table = pd.DataFrame({
    name: [fit.params["x.to.y"], fit.bse["x.to.y"], *fit.conf_int().loc["x.to.y"], fit.pvalues["x.to.y"]]
    for name, fit in (("y ~ x", without), ("y ~ x + nn(image, layers=cnn)", with_image))
}, index=["coefficient of x", "standard error", "2.5 %", "97.5 %", "p"]).T  # fmt: skip
image_table.round(4)

# %% tags=["live"]
_ = with_image.plot()

# %% [markdown]
# The same over 60 data sets (`python benchmarks/image_covariate.py`), with f known, too; and where f is the digit itself, which
# a network of this size, from 400 images, can only guess at:

# %%
runs = pd.read_csv("data/image_covariate.csv")
by = runs.groupby(["truth", "model"], sort=False)
image_runs = by.agg(**{"mean coefficient": ("coef", "mean"), "its error": ("coef", "sem"), "sd": ("coef", "std"),
                       "mean standard error": ("se", "mean"), "95 % intervals hold 0.5": ("held", "mean")})  # fmt: skip
image_runs.round(3)

# %% [markdown]
# Leaving the image out is wrong by 0.62. With the network next to nothing is left of that, but something is: from 400 images it learns
# f nearly, x takes what is left (0.02), and what the network misses differs from data set to data set. The standard error, 0.033,
# does not know of that: it is given the penalty and what the network can say, and its intervals hold 80 %, where those with f
# known hold 95 %. Where the image says more than the network can learn, x takes the credit for it: 0.64, and 13 %. So a
# coefficient beside a network is worth what the network is worth. (With x unrelated to the image there is nothing to take.)
#
# Larger networks are trained by epochs (`algorithm="adam"`); no strength is then estimated, and standard errors are given the
# weights of the network and the penalty that was chosen.
