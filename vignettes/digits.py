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
# # Handwritten digits: a dense network against a convolution
#
# scikit-learn's 1797 images of 8 x 8 pixels, 16 levels of grey. An array is a term of a formula like any other: its first
# axis is the rows. The last 597 images, which other people wrote, are the test.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_digits

import neuralstat as ns
from neuralstat.layers import Conv2D, Dense, Flatten

quick = "NEURALSTAT_QUICK" in os.environ  # fewer restarts and epochs, for the tests
rep, epochs = (2, 2) if quick else (10, 25)

raw = load_digits()
images = {"digit": raw.target.astype(str), "pixels": raw.images[..., np.newaxis] / 16}  # (row, column, channel)
train = {name: values[:1200] for name, values in images.items()}
test = {name: values[1200:] for name, values in images.items()}

# %% [markdown]
# Two networks of about the same number of weights. The output layer is implied: one unit per digit, softmax. All restarts
# are trained as one stack.

# %%
models = {
    "dense": [Flatten(), Dense(68, "relu")],
    "convolution": [Conv2D(16, 3, "relu", padding="same"), Conv2D(16, 3, "relu", strides=2, padding="same"), Flatten()],
}
fits = {
    name: ns.neuralnet("digit ~ pixels", train, layers=layers, family="multinomial", algorithm="adam", epochs=epochs,
                       batch_size=32, rep=rep, random_state=1)
    for name, layers in models.items()
}  # fmt: skip
fits["convolution"].layer_table

# %%
fits["dense"].layer_table

# %% [markdown]
# ## How well do they read?
#
# Accuracy on the test images: of one network, as the mean over the restarts with a 95% interval for that mean (what a
# restart changes), and of the restarts' average, with Wilson's interval (what another sample of test images would change).


# %%
def accuracy(fit):
    single = fit.predict(test, rep="all", type="class").eq(test["digit"], axis=0).mean()
    half = stats.t.ppf(0.975, len(single) - 1) * single.std() / np.sqrt(len(single))
    right = int((fit.predict(test, type="class") == test["digit"]).sum())
    wilson = stats.binomtest(right, len(test["digit"])).proportion_ci(method="wilson")
    return {
        "weights": fit.k_params, "one network": single.mean(), "from": single.mean() - half, "to": single.mean() + half,
        "mean of all": right / len(test["digit"]), "lower": wilson.low, "upper": wilson.high,
    }  # fmt: skip


table = pd.DataFrame({name: accuracy(fit) for name, fit in fits.items()}).T
table.round(4)

# %% [markdown]
# With 8 x 8 pixels and as many weights, the convolution reads about as well as the dense network: a restart changes the
# accuracy by some tenths of a percent, another sample of 597 images by two percent either way. Averaging the restarts'
# probabilities costs nothing. What is read wrong is hard to read:

# %%
shares = fits["convolution"].predict(test)
guess = fits["convolution"].predict(test, type="class").astype(str)
surprise = 1 - shares.to_numpy()[np.arange(len(guess)), test["digit"].astype(int)]
fig, axes = plt.subplots(1, 8, figsize=(9, 1.9))
for ax, k in zip(axes, np.argsort(-surprise)[:8], strict=True):
    ax.imshow(test["pixels"][k, :, :, 0], cmap="Greys", interpolation="nearest")
    ax.set_title(f"{test['digit'][k]} read as {guess[k]}", fontsize=8)
    ax.set_xticks([])
    ax.set_yticks([])
fig.tight_layout()

# %% [markdown]
# ## Training
#
# The loss of every restart, epoch by epoch.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
for ax, (name, fit) in zip(axes, fits.items(), strict=True):
    fit.plot_history(ax=ax)
    ax.set_title(name)
    ax.set_yscale("log")
fig.tight_layout()

# %% [markdown]
# ## What the convolution looks for
#
# Its kernels, by name, shaped as Keras shapes them: (row, column, channel, filter).

# %%
kernel = fits["convolution"].get_weights()["conv2d/kernel"]
fig, axes = plt.subplots(2, kernel.shape[3] // 2, figsize=(9, 2.4))
limit = np.abs(kernel).max()
for f, ax in enumerate(axes.flat):
    ax.imshow(kernel[:, :, 0, f], cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_xticks([])
    ax.set_yticks([])
fig.tight_layout()

# %% [markdown]
# ## The same eyes for another task
#
# The layers that learned to read 0 to 4 serve 5 to 9, of which only 50 images are labelled: first with the convolution
# held (`replace_head`), then with all layers trained on at a smaller rate (`update(freeze=None)`), and from scratch.

# %%
low = train["digit"] < "5"
known = {name: values[low] for name, values in train.items()}
few = {name: values[~low][:50] for name, values in train.items()}
high = {name: values[test["digit"] >= "5"] for name, values in test.items()}
shared = {"layers": models["convolution"], "family": "multinomial", "algorithm": "adam", "batch_size": 16}
first = ns.neuralnet("digit ~ pixels", known, epochs=epochs, random_state=1, **shared)
head = first.replace_head(few, epochs=2 * epochs, rep=rep, random_state=2)
refined = head.update(freeze=None, learningrate=2e-4, epochs=epochs)
scratch = ns.neuralnet("digit ~ pixels", few, epochs=3 * epochs, rep=rep, random_state=2, **shared)
pd.Series({
    name: fit.predict(high, rep="all", type="class").eq(high["digit"], axis=0).mean().mean()
    for name, fit in {"new head": head, "then all layers": refined, "from scratch": scratch}.items()
}, name="accuracy").round(4)  # fmt: skip

# %% [markdown]
# On images this small the features learned on other digits gain nothing over starting from scratch; refining all layers
# regains part of what the held ones cost. The two steps are the same for larger images, where features are harder to learn.
