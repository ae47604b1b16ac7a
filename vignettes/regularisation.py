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
# # Regularisation: what keeps a network from learning its images by heart
#
# 300 of scikit-learn's handwritten digits to learn from, and networks with far more weights than that. Capacity, L1 and L2
# penalties, dropout, early stopping and batch normalisation on the same images: learning curves, and errors on 597 other images
# over twenty training samples.
#
# The 1797 images are of 13 people, and the file does not say who wrote which. The test images are its last 597; some of their writers may
# be among those that the networks learned from.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat.layers import Dense, Dropout, Flatten

quick = "NEURALSTAT_QUICK" in os.environ  # fewer epochs, for the tests

raw = load_digits()


def rows(at):
    return {"digit": raw.target[at].astype(str), "pixels": raw.images[at] / 16}


learn, watch, test = rows(slice(0, 300)), rows(slice(900, 1200)), rows(slice(1200, None))

# %% [markdown]
# ## How it is done
#
# A penalty is added to the *sum* of the losses, whatever trains the network; Keras adds it to their mean, so that its `L2(l)` is
# `decay(2 * l * n)` here. With `layers={"dense": ...}` every layer may have its own strength. Dropout and batch normalisation are layers.
# Early stopping watches images that are not trained on and goes back to the weights of least loss there.

# %% tags=["live"]
shared = {"family": "multinomial", "algorithm": "adam", "epochs": 2 if quick else 200, "batch_size": 32, "dtype": "float32",
          "random_state": 1}  # fmt: skip
big = [Dense(128, "relu"), Dense(128, "relu")]
fits = {
    "128 units": ns.neuralnet("digit ~ pixels", learn, layers=[Flatten(), *big], **shared),
    "L2, 0.001": ns.neuralnet("digit ~ pixels", learn, layers=[Flatten(), *big], penalty=ns.decay(2e-3 * 300, biases=False),
                              **shared),
    "dropout, 0.5": ns.neuralnet("digit ~ pixels", learn, layers=[Flatten(), big[0], Dropout(0.5), big[1], Dropout(0.5)], **shared),
    "early stopping": ns.neuralnet("digit ~ pixels", learn, layers=[Flatten(), *big], validation=watch,
                                   early_stopping=ns.EarlyStopping(patience=20), **shared),
}  # fmt: skip
pd.DataFrame({
    name: {"epochs": len(fit.history), "training images read wrong": int((fit.predict(learn, type="class") != learn["digit"]).sum()),
           "test images read wrong": int((fit.predict(test, type="class") != test["digit"]).sum())}
    for name, fit in fits.items()
}).T  # fmt: skip

# %% [markdown]
# One training sample and one start say little about differences as small as these. So the rest of this page reads a table of twenty
# training samples: 300 images to learn from and 300 others to watch, drawn from the first 1200, and start weights of their own
# (`python benchmarks/regularisation.py`).

# %%
runs = pd.read_csv("data/regularisation.csv")
images = pd.read_csv("data/regularisation_images.csv")
networks = list(dict.fromkeys(runs["network"]))
curves = runs[runs["replicate"] <= 6].groupby(["network", "epoch"])[["training_loss", "watched_loss", "test_loss", "test_error"]].mean()
COLOURS = ("#D55E00", "#E69F00", "#56B4E9", "#0072B2")


def draw(ax, name, colour, label=None):
    """Mean log loss by epoch: test images solid, training images dashed."""
    line = curves.loc[name]
    ax.plot(line.index, line["test_loss"], color=colour, linewidth=1.8, label=label or name)
    ax.plot(line.index, line["training_loss"], color=colour, linewidth=1.2, linestyle="--")


def frame(ax):
    ax.set(xscale="log", yscale="log", ylim=(0.0003, 3))
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])


# %% [markdown]
# ## Capacity
#
# Two hidden layers of 4 to 128 units without any regularisation. All losses on this page are mean log losses without penalty and
# without dropout, so that curves can be compared (means over six training samples).

# %%
fig, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
for units, colour in zip((4, 16, 64, 128), COLOURS, strict=True):
    draw(ax, f"{units} units", colour)
frame(ax)
ax.set(xlabel="epoch", ylabel="mean log loss", title="test images (solid), training images (dashed)")
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
turn = pd.DataFrame({
    name: {"epoch of least test loss": (line := curves.loc[name, "test_loss"]).idxmin(), "least test loss": line.min(),
           "after 200 epochs": line.loc[200], "training loss then": curves.loc[(name, 200), "training_loss"],
           "test error then": curves.loc[(name, 200), "test_error"]}
    for name in (f"{k} units" for k in (4, 16, 64, 128))
}).T  # fmt: skip
turn.round(4)

# %% [markdown]
# Four units cannot tell ten digits apart, and after 200 epochs they are still learning: their curves had to be cut off somewhere.
# From 16 units on the training loss goes to nothing and has no minimum to converge to: where all images can be told apart,
# larger weights always make it smaller. The test loss turns: the network becomes surer of its mistakes, and the larger it is, the sooner. The
# share of test images read wrong does not turn.
#
# ## Penalties, dropout, early stopping, batch normalisation
#
# All on the largest network; grey is the same network without. The dot of early stopping is where it went back to, on average.

# %%
panels = ["L1, 0.0001", "L1, 0.001", "L2, 0.001", "L2, 0.01", "dropout, 0.5", "batch normalisation", "128 units, 600 labels",
          "early stopping, 300 + 300 labels"]  # fmt: skip
last = runs[runs["last"] == 1]
means = last.groupby("network", sort=False)[["weights", "epoch", "training_loss", "test_loss", "test_error"]].mean()
fig, axes = plt.subplots(2, 4, figsize=(12.5, 6), sharex=True, sharey=True, layout="constrained")
for ax, name in zip(axes.flat, panels, strict=True):
    draw(ax, "128 units", "0.6")
    if name.startswith("early"):
        ax.plot(means.loc[name, "epoch"], means.loc[name, "test_loss"], "o", color="#0072B2")
    else:
        draw(ax, name, "#0072B2")
    ax.set_title(name.replace(", 300", ",\n300"), fontsize=10)
    frame(ax)
for ax in axes[:, 0]:
    ax.set_ylabel("mean log loss")
for ax in axes[1]:
    ax.set_xlabel("epoch")
fig.suptitle("test images (solid), training images (dashed); grey: 128 units alone", fontsize=10);

# %% [markdown]
# With a penalty there is a minimum to converge to: after 200 epochs L2 is near it (from epoch 140 on the training loss changes by less than
# 5 %), L1 is not yet. Without one, the curves have no end, and 200 epochs are a choice.
#
# ## Test images
#
# After 200 epochs (early stopping: where it went back to), over twenty training samples: share of test images read wrong, and mean log loss,
# which also judges how sure a network is. Then differences to "128 units": both networks learned from the same images
# from the same start, so these are better known than either. Standard errors have two parts, what another training sample
# and start would change and what other test images would: the variance of the means of the twenty samples over 20, plus that of the means of
# the 597 images over 597. Intervals (±) are two standard errors.

# %%
replicates = last["replicate"].nunique()


def parts(name, what, per_image):
    """Values of the training samples and of the test images."""
    mine = images[images["network"] == name].set_index("image")[per_image]
    return last[last["network"] == name].set_index("replicate")[what], mine / (replicates if per_image == "wrong" else 1)


def around(by_sample, by_image):
    return by_sample.mean(), 2 * np.hypot(by_sample.sem(), by_image.sem())


table = {}
for name in networks:
    row = {("", "weights"): means.loc[name, "weights"], ("", "epochs"): means.loc[name, "epoch"]}
    for title, what, per_image in (("error", "test_error", "wrong"), ("log loss", "test_loss", "loss")):
        mine, plain = parts(name, what, per_image), parts("128 units", what, per_image)
        row[title, "mean"], row[title, "±"] = around(*mine)
        row[f"{title}, to 128 units", "mean"], row[f"{title}, to 128 units", "±"] = (
            around(*(a - b for a, b in zip(mine, plain, strict=True))) if name != "128 units" else (0.0, 0.0)
        )
    table[name] = row
table = pd.DataFrame(table).T
table.round({c: 0 if c[0] == "" else 3 for c in table.columns})

# %%
compared = [name for name in networks if name not in ("4 units", "128 units")]
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
for ax, what, unit in zip(axes, ("error", "log loss"), ("share of test images read wrong", "mean log loss"), strict=True):
    part = table.loc[compared, f"{what}, to 128 units"]
    ax.errorbar(part["mean"], -np.arange(len(part)), xerr=part["±"], fmt="o", color="#0072B2", capsize=3, markersize=5)
    ax.axvline(0, color="0.6", linewidth=1, zorder=0)
    ax.set(xlabel=f"{unit}: difference to 128 units", yticks=-np.arange(len(part)), yticklabels=compared)

# %% [markdown]
# - **Capacity.** 128 units read better than 16, although they learn all images by heart; than 64 they are not shown to be better.
# - **The share read wrong**: no regularisation is shown to lower it. Dropout comes nearest, by half a percent point, and its
#   interval includes zero. Strong penalties raise it by one to three points.
# - **How sure the network is**: the mean log loss falls from 0.46 to between 0.35 and 0.40 by a weak penalty, dropout, batch
#   normalisation or early stopping. Their intervals overlap: which of them is best is not shown.
# - **Strength matters**: L2 of 0.001 leaves the error as it is and lowers the log loss, L2 of 0.01 raises the error and leaves the log
#   loss as it is.
# - **Early stopping** needs labels to watch. With 300 more it goes back to epoch 72 on average; but the same 300 labels, when learned
#   from instead, lower the error by 1.6 percent points, which no regularisation here is shown to do. When it has to take what it watches
#   from the 300 (240 to learn from, 60 to watch), it still gains in log loss, and loses half a point in error.
#
# These are twelve comparisons by intervals of about 95 % each, and all are for 300 images of 8 x 8 pixels.
