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
# # Transfer: from many images of some digits to few of others
#
# A convolutional network has learned to read 0, 2, 4, 6 and 8. Of 1, 3, 5, 7 and 9 only a few images are labelled. Option 1
# trains a new network on these from scratch. Option 2 keeps the convolutions of the first network, held, and trains only a new
# output layer: a multinomial regression on features that were learned elsewhere. Option 3 goes on from there and trains all
# layers at a smaller rate. The images are scikit-learn's digits, 8 x 8 pixels; network and trials are those of a lecture on
# MNIST (28 x 28 pixels), with borders kept, since there is little to cut away.

# %%
import os
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat.layers import Conv2D, Dropout, Flatten, MaxPool2D

quick = "NEURALSTAT_QUICK" in os.environ  # fewer trials, sizes and epochs, for the tests

raw = load_digits()
label, pixels = raw.target.astype(str), raw.images[..., np.newaxis] / 16  # (row, column, channel)
even = raw.target % 2 == 0


def rows(at):
    return {"digit": label[at], "pixels": pixels[at]}


network = [Conv2D(32, 3, "relu", padding="same"), MaxPool2D(2), Conv2D(64, 3, "relu", padding="same"), MaxPool2D(2),
           Flatten(), Dropout(0.5)]  # fmt: skip
shared = {"family": "multinomial", "algorithm": "adam", "dtype": "float32"}

# %% [markdown]
# ## The first network
#
# It sees 891 images. The output layer is not among the layers: response and family say what it is.

# %%
large = ns.neuralnet("digit ~ pixels", rows(even), layers=network, epochs=2 if quick else 15, batch_size=32, random_state=1,
                     **shared)  # fmt: skip
large.layer_table

# %% [markdown]
# ## A new head, once
#
# `replace_head` gives a fit to other data whose hidden layers are those of `large`, and held: only the weights of the new
# output layer are trained. `update(freeze=None, ...)` then goes on with all of them. The images that judge were written by
# other people than those that teach.

# %%
odd = np.flatnonzero(~even)
held_back, pool = odd[:400], odd[400:]
test = rows(held_back)
again = {"epochs": 2, "batch_size": 4} if quick else {"epochs": 100, "batch_size": 4}
head = large.replace_head(rows(pool[:100]), random_state=1, **again)
head.layer_table

# %% [markdown]
# What the held layers make of digits that they were not trained on: the 400 images on the first two principal components of the
# last layer's 256 features, beside those of convolutions that were never trained.

# %%
untrained = ns.neuralnet("digit ~ pixels", rows(even), layers=network, epochs=0, random_state=1, **shared)
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, fit) in zip(axes, {"learned on 0, 2, 4, 6, 8": large, "never trained": untrained}.items(), strict=True):
    features = fit.features("flatten", test).to_numpy()
    plane = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    for k, colour in zip("13579", plt.get_cmap("tab10").colors, strict=False):
        own = plane[0][test["digit"] == k, :2] * plane[1][:2]
        ax.plot(own[:, 0], own[:, 1], ".", color=colour, markersize=4, label=k)
    ax.set(title=f"features {name}", xlabel="first component", ylabel="second component")
axes[1].legend(frameon=False, markerscale=2);

# %% [markdown]
# ## Trials
#
# A trial draws the labelled images, as many of each digit, and the start weights. All options get the same images, so that a
# trial is a pair: differences between options are judged trial by trial. All are judged on the same 400 images. What the
# convolutions brought along is seen beside a control: a new head on convolutions that were never trained.

# %%
options = ["1: from scratch", "2: new head", "3: new head, then all", "control: untrained features"]


def accuracy(fit):
    return float((fit.predict(test, type="class").astype(str) == test["digit"]).mean())


def trial(size, number):
    rng = np.random.default_rng([size, number])
    few = rows(np.concatenate([rng.choice(pool[label[pool] == k], size // 5, replace=False) for k in "13579"]))
    scratch = ns.neuralnet("digit ~ pixels", few, layers=network, random_state=number, **shared, **again)
    head = large.replace_head(few, random_state=number, **again)
    whole = head.update(freeze=None, learningrate=2e-4, epochs=2 if quick else 30)
    control = untrained.replace_head(few, random_state=number, **again)
    fits = dict(zip(options, (scratch, head, whole, control), strict=True))
    return {"images": size, "trial": number, **{name: accuracy(fit) for name, fit in fits.items()}}


sizes, trials = ((100,), 2) if quick else ((10, 25, 100), 15)
with ThreadPoolExecutor(2) as pool_of_threads:
    table = pd.DataFrame(list(pool_of_threads.map(trial, *zip(*[(s, t) for s in sizes for t in range(trials)], strict=True))))

# %% [markdown]
# Accuracy: mean over the trials, its 95% interval (what other labelled images and starts would change), worst and best trial.


# %%
def interval(values):
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": values.mean(), "from": values.mean() - half, "to": values.mean() + half, "worst": values.min(),
            "best": values.max()}  # fmt: skip


summary = pd.DataFrame({(size, name): interval(part[name]) for size, part in table.groupby("images") for name in options}).T
summary.rename_axis(["images", "option"]).round(3)

# %% [markdown]
# Differences to option 1, trial by trial:

# %%
gain = pd.DataFrame({
    (size, name): interval(part[name] - part[options[0]]) for size, part in table.groupby("images") for name in options[1:]
}).T  # fmt: skip
gain.rename_axis(["images", "option"]).round(3)

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for k, (name, colour) in enumerate(zip(options, ("#4c72b0", "#c44e52", "#55a868", "0.5"), strict=True)):
    for ax, frame, centre in ((axes[0], summary, None), (axes[1], gain, options[0])):
        if name == centre:
            continue
        part = frame.xs(name, level=1)
        place = np.arange(len(part)) + 0.2 * (k - 1.5)
        values = table[name] if centre is None else table[name] - table[centre]
        jitter = np.linspace(-0.05, 0.05, trials)
        for at, (_, own) in zip(place, values.groupby(table["images"]), strict=True):
            ax.plot(at + jitter, own, ".", color=colour, alpha=0.35, markersize=5)
        ax.errorbar(place, part["mean"], [part["mean"] - part["from"], part["to"] - part["mean"]], fmt="o", color=colour,
                    capsize=4, markersize=5, label=name)  # fmt: skip
        ax.set_xticks(np.arange(len(part)), part.index)
axes[1].axhline(0, color="0.6", linewidth=1, zorder=0)
axes[0].set(xlabel="labelled images", ylabel="accuracy on 400 others", title="accuracy: trials, mean and 95% interval")
axes[1].set(xlabel="labelled images", ylabel="difference in accuracy", title="gain over option 1, trial by trial")
axes[0].legend(frameon=False, loc="lower right");

# %% [markdown]
# The features do carry over: a head on them reads better than one on untrained convolutions, by about 7 percent points with 10
# labelled images and 2 with 100. They do not pay, though: a network trained from scratch reads better still, in every
# trial with 100 images, by some 3 points, and training all layers on from the new head makes up half of that. The lecture found
# the opposite on MNIST, 84 to 87% from scratch against 91 to 93% with a new head. There the first network saw 29,492 images, three
# hundred for each of the 100 labelled ones; here it saw 891, of 8 x 8 pixels, from which 100 images are enough to learn better
# features of their own. That is the likely reason: transfer gains where the first network has seen far more than the second can.
