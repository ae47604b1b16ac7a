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
# penalties, dropout, early stopping and batch normalisation, on the same images; learning curves, and errors on 597 images that
# other people wrote, over ten restarts.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat.layers import Activation, BatchNorm, Dense, Dropout, Flatten

quick = "NEURALSTAT_QUICK" in os.environ  # fewer restarts and epochs, for the tests
rep, epochs = (2, 3) if quick else (10, 100)

raw = load_digits()


def rows(first, last):
    return {"digit": raw.target[first:last].astype(str), "pixels": raw.images[first:last] / 16}


train, check, test = rows(0, 300), rows(900, 1200), rows(1200, None)
shared = {"family": "multinomial", "algorithm": "adam", "epochs": epochs, "batch_size": 32, "rep": rep, "validation": check,
          "dtype": "float32", "random_state": 1}  # fmt: skip


def fit(layers, **more):
    return ns.neuralnet("digit ~ pixels", train, layers=[Flatten(), *layers], **{**shared, **more})


# %% [markdown]
# ## Capacity
#
# Two hidden layers of 4 to 128 units. The validation images are not trained on: they only watch.

# %%
fits = {f"{k} units": fit([Dense(k, "relu"), Dense(k, "relu")]) for k in (4, 16, 64, 128)}


def curves(ax, name, colour, label=None):
    """Mean loss over the restarts by epoch: validation solid, training dashed."""
    mean = fits[name].history.groupby("epoch")[["loss", "val_loss"]].mean()
    ax.plot(mean.index, mean["val_loss"], color=colour, linewidth=1.6, label=label or name)
    ax.plot(mean.index, mean["loss"], color=colour, linewidth=1, linestyle="--")


fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, colour in zip(fits, plt.get_cmap("viridis")(np.linspace(0, 0.9, 4)), strict=True):
    curves(ax, name, colour)
ax.set(xlabel="epoch", ylabel="mean log loss", yscale="log", ylim=(0.03, 3), title="validation (solid), training (dashed)")
ax.legend(frameon=False);

# %% [markdown]
# Four units cannot tell ten digits apart. From 16 units on the training loss falls to nothing, and the validation loss turns:
# the network becomes surer of its mistakes. The larger it is, the lower the turning point, and the sooner it comes.
#
# ## Penalties, dropout, early stopping, batch normalisation
#
# All on the largest network. A penalty is added to the *sum* of the losses, whatever trains the network; Keras adds it to their
# mean, so that its `L2(l)` is `decay(2 * l * n)` here. With `layers={"dense": ...}` every layer may have its own strength. Dropout and batch normalisation are layers. Early stopping goes
# back to the weights of least validation loss.

# %%
big = [Dense(128, "relu"), Dense(128, "relu")]
n = 300  # training images
fits |= {
    "L1, 0.0001": fit(big, penalty=ns.l1(1e-4 * n, biases=False)),
    "L1, 0.001": fit(big, penalty=ns.l1(1e-3 * n, biases=False)),
    "L2, 0.001": fit(big, penalty=ns.decay(2e-3 * n, biases=False)),
    "L2, 0.01": fit(big, penalty=ns.decay(2e-2 * n, biases=False)),
    "dropout, 0.5": fit([big[0], Dropout(0.5), big[1], Dropout(0.5)]),
    "batch normalisation": fit([Dense(128), BatchNorm(), Activation("relu")] * 2),
    "early stopping": fit(big, early_stopping=ns.EarlyStopping(patience=10)),
}
fits["dropout, early stopping"] = fit(
    [big[0], Dropout(0.5), big[1], Dropout(0.5)], early_stopping=ns.EarlyStopping(patience=10)
)

# %% [markdown]
# Blue: the regularised network; grey: the same network without. Losses of penalised networks hold the penalty, which is large:
# their slopes can be compared, not their levels. The lines of early stopping end when the restart that ran longest ends.

# %%
panels = [name for name in fits if not name.endswith("units")]
fig, axes = plt.subplots(2, 4, figsize=(12, 5.5), sharex=True, sharey=True, layout="constrained")
for ax, name in zip(axes.flat, panels, strict=True):
    curves(ax, "128 units", "0.65", "128 units alone")
    curves(ax, name, "#4c72b0")
    ax.set_title(name, fontsize=10)
for ax in axes[:, 0]:
    ax.set(ylabel="mean loss", yscale="log", ylim=(0.03, 3))
for ax in axes[1]:
    ax.set_xlabel("epoch")

# %% [markdown]
# ## Test images
#
# Share of test images read wrong, and mean log loss (without penalty), which also judges how sure a network is: means over the
# restarts with 95% intervals, which say what another start would change. Another sample of test images would change the error
# by about 2.5 percent points either way, but for all networks alike: the last column has the error's difference to "128 units",
# image by image, with the interval over images.

# %%
truth = test["digit"].astype(int)


def judged(model):
    """Wrong or not (restart, image), and log loss (restart,)."""
    shares = model.predict(test, rep="all").to_numpy().reshape(len(truth), -1, 10)
    own = shares[np.arange(len(truth)), :, truth]
    return (shares.argmax(axis=2) != truth[:, None]).T, -np.log(np.maximum(own, 1e-12)).mean(axis=0)


def around(values):
    """Mean and half width of its 95% interval."""
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))


plain = judged(fits["128 units"])[0].mean(axis=0)
table = {}
for name, model in fits.items():
    wrong, loss = judged(model)
    columns = zip(("error", "log loss", "to 128 units"), (wrong.mean(axis=1), loss, wrong.mean(axis=0) - plain), strict=True)
    numbers = {(what, part): v for what, values in columns for part, v in zip(("mean", "+-"), around(values), strict=True)}
    ended = model.history.groupby("rep")["epoch"].max().mean()
    table[name] = {("", "weights"): model.k_params, ("", "epochs"): ended, **numbers}
table = pd.DataFrame(table).T
table.round(4)

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
place = -np.arange(len(table))
for ax, what, limits in zip(axes, ("error", "log loss"), ((0.08, 0.2), (0.3, 0.6)), strict=True):
    ax.errorbar(table[what, "mean"], place, xerr=table[what, "+-"], fmt="o", color="#4c72b0", capsize=3, markersize=5)
    ax.axvline(table.loc["128 units", (what, "mean")], color="0.7", linewidth=1, zorder=0)
    ax.set_xlabel(f"{what} on test images")
    ax.set_yticks(place, table.index)
    ax.set_xlim(limits)  # four units are beyond

# %% [markdown]
# Capacity first: 4 units are far too few, and 128 read better than 16 although they could learn all images by heart. No
# regularisation changes the share of misread images by more than a start or another sample of images would, except strong
# penalties, which cost more than they gain. What regularisation changes is how sure the network is: the log loss falls from 0.45
# to 0.38 to 0.40 with a weak penalty, dropout or batch normalisation, and to 0.36 with early stopping, which also is the
# cheapest: a third of the epochs. The strength of a penalty matters more than its kind.
