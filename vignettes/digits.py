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
# scikit-learn's 1797 images of 8 x 8 pixels, 16 levels of grey. An array is a term of a formula like any other: its first axis is
# the rows. The first 1200 images are to learn from, the last 597 are the test. The images are of 13 people; the file does not say
# who wrote which, so that some may have written for both parts.

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
rep, epochs = (2, 2) if quick else (10, 100)

raw = load_digits()
images = {"digit": raw.target.astype(str), "pixels": raw.images[..., np.newaxis] / 16}  # (row, column, channel)
train = {name: values[:1200] for name, values in images.items()}
test = {name: values[1200:] for name, values in images.items()}

# %% [markdown]
# Two networks of about the same number of weights. The output layer is implied: one unit per digit, softmax. All restarts are
# trained as one stack.

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
# ## Training
#
# The loss and the accuracy on the training images, epoch by epoch, a line for each of the ten restarts.

# %%
COLOURS = {"dense": "#0072B2", "convolution": "#D55E00"}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, fit in fits.items():
    for k, (_, one) in enumerate(fit.history.groupby("rep")):
        axes[0].plot(one["epoch"], one["loss"], color=COLOURS[name], linewidth=0.8, label=None if k else name)
        axes[1].plot(one["epoch"], 1 - one["accuracy"], color=COLOURS[name], linewidth=0.8)
axes[0].set(xlabel="epoch", ylabel="mean log loss, training images", yscale="log")
axes[0].set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
axes[1].set(xlabel="epoch", ylabel="share of training images read wrong", ylim=(0, 0.2))
axes[0].legend(frameon=False);

# %%
ended = pd.DataFrame({
    name: fit.history[fit.history["epoch"] == epochs][["loss", "accuracy"]].mean() for name, fit in fits.items()
}).T  # fmt: skip
ended.rename(columns={"loss": "mean log loss", "accuracy": "accuracy, training images"}).round(4)

# %% [markdown]
# After 100 epochs every restart reads every training image right. The loss goes on falling all the same, and would for ever: where
# all images can be told apart, larger weights always make it smaller, and it has no minimum. There is nothing to converge to; what
# matters for reading, which digit gets the largest share, is settled.
#
# ## How well do they read?
#
# Shares of the test images that are read wrong, by one network (mean over the ten restarts) and by the mean of the ten networks'
# probabilities. Another start and another sample of test images would both change them. The standard error of a mean over restarts
# and images has both parts: the variance of the restarts' errors over 10 and that of the images' (averaged over the restarts) over
# 597. Intervals are two standard errors to either side; for the mean of ten, one share, they are Wilson's. Differences are taken
# image by image.

# %%
truth = test["digit"]
single = {
    name: fit.predict(test, rep="all", type="class").ne(truth, axis=0).to_numpy().T.astype(float) for name, fit in fits.items()
}
ten = {name: (fit.predict(test, type="class") != truth).to_numpy().astype(float) for name, fit in fits.items()}


def mean(values):
    """Mean of a table of restarts and images, or of images; its interval and the standard errors of both parts."""
    values = np.atleast_2d(values)
    restarts, n = values.shape
    by_restart = values.mean(axis=1).std(ddof=1) / restarts**0.5 if restarts > 1 else 0.0
    by_image = values.mean(axis=0).std(ddof=1) / n**0.5
    half = 2 * np.hypot(by_restart, by_image)
    return {"share": values.mean(), "low": values.mean() - half, "high": values.mean() + half, "se, restarts": by_restart,
            "se, images": by_image}  # fmt: skip


table = {}
for name in fits:
    wilson = stats.binomtest(int(ten[name].sum()), len(truth)).proportion_ci(method="wilson")
    table[f"{name}, one network"] = mean(single[name])
    table[f"{name}, mean of ten"] = mean(ten[name]) | {"low": wilson.low, "high": wilson.high}
for name in fits:
    table[f"{name}: one network less mean of ten"] = mean(single[name] - ten[name])
table["dense less convolution, one network"] = mean(single["dense"] - single["convolution"])
table["dense less convolution, mean of ten"] = mean(ten["dense"] - ten["convolution"])
table = pd.DataFrame(table).T
table.mul(100).round(1).rename(columns={"share": "read wrong (%)"})

# %% [markdown]
# Of 100 test images both networks misread about seven, and the test images leave that uncertain by two to either side; the
# restarts add little. Which of the two architectures reads better these images do not tell: both intervals for the difference
# include zero. Averaging helps the convolution: the mean of ten misreads about one image in a hundred less than one network, and the
# interval excludes zero. For the dense network it includes zero.
#
# What is read wrong is hard to read:

# %%
shares = fits["convolution"].predict(test)
guess = fits["convolution"].predict(test, type="class").astype(str)
surprise = 1 - shares.to_numpy()[np.arange(len(guess)), test["digit"].astype(int)]
fig, axes = plt.subplots(1, 8, figsize=(11, 1.9), layout="constrained")
for ax, k in zip(axes, np.argsort(-surprise)[:8], strict=True):
    ax.imshow(test["pixels"][k, :, :, 0], cmap="Greys", interpolation="nearest")
    ax.set_title(f"{test['digit'][k]} read as {guess[k]}", fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])

# %% [markdown]
# ## What the convolution looks for
#
# The 16 kernels of its first layer, by name, shaped as Keras shapes them: (row, column, channel, filter). Red raises the unit where
# there is ink, blue lowers it.

# %%
kernel = fits["convolution"].get_weights()["conv2d/kernel"]
fig, axes = plt.subplots(2, kernel.shape[3] // 2, figsize=(9, 2.4), layout="constrained")
limit = np.abs(kernel).max()
for f, ax in enumerate(axes.flat):
    drawn = ax.imshow(kernel[:, :, 0, f], cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_xticks([])
    ax.set_yticks([])
fig.colorbar(drawn, ax=axes, label="weight");

# %% [markdown]
# The layers that learned to read some digits can serve others: see the vignette on transfer.
