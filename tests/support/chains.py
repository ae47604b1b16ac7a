"""Small networks of every kind, with data: what the kernel tests run on."""

from __future__ import annotations

import naive
import numpy as np

from neuralstat import layers as L
from neuralstat.engine import batches, cpu
from neuralstat.engine.data import make_data
from neuralstat.functions.activations import ACTIVATIONS
from neuralstat.functions.losses import LOSSES
from neuralstat.jit.compile import entry
from neuralstat.layers import LAYERS
from neuralstat.layers.training import training_mode
from neuralstat.network.expand import expanded
from neuralstat.network.network import Network
from neuralstat.network.objective import ActivationSpec, objective, resolve_activation

TOLERANCE = 1e-12  # relative to the largest element

# For every entry of LAYERS: chains that contain it, as (layers, shape of one observation)
# Two sequences, "a" and "b", with masks of their own
TWO_MASKS = (L.Embedding(3, 2, mask_zero=True, name="a"), L.From("input"), L.Reshape((3, 1)), L.Reverse(), L.Flatten(),
             L.Embedding(3, 2, mask_zero=True, name="b"))  # fmt: skip

CHAINS = {
    "Dense": [
        ((L.Dense(2),), (3,)),
        ((L.Dense(1, "logistic"), L.Dense(1)), (1,)),
        ((L.Dense(3, "tanh"), L.Dense(5, "logistic"), L.Dense(2)), (2,)),
        ((L.Dense(9, "logistic"), L.Dense(4, "softplus"), L.Dense(1)), (5,)),
    ],
    "Conv2D": [
        ((L.Conv2D(2, (2, 3), "tanh"), L.Flatten(), L.Dense(2)), (3, 4, 2)),
        ((L.Conv2D(1, 3, "logistic", strides=(2, 1), padding="same"), L.Flatten(), L.Dense(1)), (4, 3, 1)),
        ((L.Conv2D(2, 2, "softplus", padding="same", dilation_rate=(1, 2)), L.Conv2D(1, 2, "tanh", strides=2),
          L.Flatten(), L.Dense(2)), (4, 3, 1)),
    ],
    "LSTM": [
        ((L.LSTM(2), L.Dense(1)), (1, 3)),
        ((L.LSTM(3), L.Dense(2)), (4, 1)),
        ((L.LSTM(2, return_sequences=True), L.LSTM(1, return_sequences=True), L.Flatten(), L.Dense(1)),
         (3, 2)),
    ],
    "Conv1D": [
        ((L.Conv1D(2, 3, "tanh"), L.Flatten(), L.Dense(2)), (5, 2)),
        ((L.Conv1D(9, 2, "logistic", strides=2, padding="same"), L.Conv1D(2, 2, padding="causal", dilation_rate=2),
          L.Flatten(), L.Dense(1)), (7, 1)),
        ((L.Conv1D(3, 2, "tanh"), L.Conv1D(17, 2, "tanh", padding="same"), L.Conv1D(2, 2), L.Flatten(), L.Dense(1)),
         (5, 18)),
    ],
    "MaxPool1D": [
        ((L.Conv1D(3, 2, "tanh"), L.MaxPool1D(2), L.Flatten(), L.Dense(1)), (6, 2)),
        ((L.Conv1D(2, 2), L.MaxPool1D(3, strides=1, padding="same"), L.Flatten(), L.Dense(2)), (6, 1)),
    ],
    "MaxPool2D": [
        ((L.Conv2D(3, 2, "tanh"), L.MaxPool2D(2), L.Flatten(), L.Dense(2)), (6, 5, 1)),
        ((L.Conv2D(2, 2), L.MaxPool2D((3, 2), strides=(1, 2), padding="same"), L.Conv2D(2, 2), L.Flatten(), L.Dense(1)),
         (5, 5, 1)),
    ],
    "AvgPool1D": [
        ((L.Conv1D(3, 2, "tanh"), L.AvgPool1D(2), L.Flatten(), L.Dense(1)), (6, 2)),
        ((L.Conv1D(2, 2), L.AvgPool1D(3, strides=2, padding="same"), L.Flatten(), L.Dense(2)), (7, 1)),
    ],
    "AvgPool2D": [
        ((L.Conv2D(3, 2, "tanh"), L.AvgPool2D(2), L.Flatten(), L.Dense(2)), (6, 5, 1)),
        ((L.Conv2D(2, 2), L.AvgPool2D(3, strides=1, padding="same"), L.Flatten(), L.Dense(1)), (4, 4, 1)),
    ],
    "GlobalAvgPool": [
        ((L.Conv2D(3, 2, "tanh"), L.GlobalAvgPool(), L.Dense(2)), (4, 5, 1)),
        ((L.LSTM(3, return_sequences=True), L.GlobalAvgPool(), L.Dense(1)), (4, 2)),
    ],
    "GlobalMaxPool": [
        ((L.Conv2D(3, 2, "tanh"), L.GlobalMaxPool(), L.Dense(2)), (4, 5, 1)),
        ((L.Conv1D(3, 2), L.GlobalMaxPool(), L.Dense(1)), (4, 2)),
    ],
    "SimpleRNN": [
        ((L.SimpleRNN(2), L.Dense(1)), (1, 3)),
        ((L.SimpleRNN(9), L.Dense(2)), (4, 1)),
        ((L.SimpleRNN(3, return_sequences=True), L.SimpleRNN(2, return_sequences=True), L.Flatten(), L.Dense(1)), (3, 2)),
    ],
    "GRU": [
        ((L.GRU(2), L.Dense(1)), (1, 3)),
        ((L.GRU(9), L.Dense(2)), (4, 1)),
        ((L.GRU(3, reset_after=False, return_sequences=True), L.GRU(9, reset_after=False), L.Dense(1)), (4, 2)),
        ((L.GRU(3, return_sequences=True), L.GRU(2, return_sequences=True), L.Flatten(), L.Dense(1)), (3, 2)),
    ],
    "Embedding": [
        ((L.Embedding(4, 3), L.Flatten(), L.Dense(2)), (3,)),
        ((L.Embedding(5, 2), L.GRU(2), L.Dense(1)), (4,)),
    ],
    "Masking": [
        ((L.Masking(), L.LSTM(2, return_sequences=True), L.SimpleRNN(2), L.Dense(1)), (3, 2)),
        ((L.Masking(0.5), L.GRU(2, return_sequences=True), L.GlobalAvgPool(), L.Dense(1)), (3, 2)),
    ],
    "BatchNorm": [
        ((L.Dense(3, "tanh"), L.BatchNorm(), L.Dense(2)), (2,)),
        ((L.Conv2D(2, 2), L.BatchNorm(), L.Activation("tanh"), L.Flatten(), L.Dense(1)), (3, 3, 1)),
    ],
    "Dropout": [((L.Dropout(0.2), L.Dense(5, "tanh"), L.Dropout(0.5), L.Dense(2)), (3,))],
    "Activation": [
        ((L.Dense(3), L.Activation("tanh"), L.Dense(2)), (2,)),
        ((L.Activation("logistic"), L.Conv2D(2, 2), L.Activation("softplus"), L.Flatten(), L.Activation("softmax"),
          L.Dense(2)), (3, 3, 1)),
    ],
    "DepthwiseConv2D": [
        ((L.DepthwiseConv2D((2, 3), activation="tanh"), L.Flatten(), L.Dense(2)), (3, 4, 2)),
        ((L.DepthwiseConv2D(3, (2, 1), "same", 2, activation="logistic"), L.Flatten(), L.Dense(1)), (4, 3, 2)),
        ((L.DepthwiseConv2D(2, padding="same", dilation_rate=(1, 2), use_bias=False), L.DepthwiseConv2D(2, 2),
          L.Flatten(), L.Dense(2)), (4, 3, 1)),
    ],
    "DepthwiseConv1D": [
        ((L.DepthwiseConv1D(3, activation="tanh", depth_multiplier=2), L.Flatten(), L.Dense(2)), (5, 2)),
        ((L.DepthwiseConv1D(2, padding="causal", dilation_rate=2), L.DepthwiseConv1D(2, 2, "same"), L.Flatten(), L.Dense(1)),
         (5, 3)),
    ],
    "LayerNormalization": [
        ((L.Dense(3, "tanh"), L.LayerNormalization(), L.Dense(2)), (2,)),
        ((L.Conv2D(2, 2), L.LayerNormalization(epsilon=0.1), L.Activation("tanh"), L.Flatten(), L.Dense(1)), (3, 3, 1)),
        ((L.LayerNormalization(center=False), L.LSTM(2), L.Dense(1)), (3, 4)),
        ((L.Conv2D(2, 2), L.LayerNormalization((1, 3)), L.Activation("tanh"), L.LayerNormalization(-2), L.Flatten(),
          L.Dense(1)), (3, 4, 1)),
        ((L.LayerNormalization((-1, 1), scale=False), L.Conv1D(2, 1), L.LayerNormalization(1), L.Flatten(), L.Dense(1)),
         (3, 2)),
    ],
    "GroupNormalization": [
        ((L.Dense(4, "tanh"), L.GroupNormalization(2), L.Dense(2)), (2,)),
        ((L.Conv2D(4, 2), L.GroupNormalization(2), L.Activation("tanh"), L.Flatten(), L.Dense(1)), (3, 3, 1)),
        ((L.Conv1D(2, 2), L.GroupNormalization(-1, epsilon=0.1, scale=False), L.Flatten(), L.Dense(1)), (4, 2)),
    ],
    "LeakyReLU": [((L.Dense(3), L.LeakyReLU(0.4), L.Dense(2)), (2,))],
    "ReLU": [
        ((L.Dense(3), L.ReLU(), L.Dense(4), L.ReLU(0.5), L.Dense(2)), (2,)),
        ((L.Dense(5), L.ReLU(1.0, 0.2, 0.1), L.Dense(5), L.ReLU(negative_slope=0.3), L.Dense(1)), (2,)),
        ((L.Conv1D(2, 2), L.ReLU(threshold=0.2), L.Flatten(), L.Dense(1)), (4, 2)),
    ],
    "ELU": [((L.Dense(3), L.ELU(0.4), L.Dense(2)), (2,))],
    "PReLU": [
        ((L.Dense(3), L.PReLU(), L.Dense(2)), (2,)),
        ((L.Conv2D(2, 2), L.PReLU((1, 2)), L.Flatten(), L.PReLU(), L.Dense(1)), (3, 3, 1)),
        ((L.Conv1D(3, 2), L.PReLU(2), L.Flatten(), L.Dense(1)), (4, 2)),
    ],
    "Softmax": [
        ((L.Dense(3), L.Softmax(), L.Dense(2)), (2,)),
        ((L.Conv1D(3, 2, "softmax"), L.Activation("log_softmax"), L.Softmax(), L.Flatten(), L.Dense(1)), (4, 2)),
    ],
    "GaussianNoise": [((L.GaussianNoise(0.2), L.Dense(5, "tanh"), L.GaussianNoise(0.5), L.Dense(2)), (3,))],
    "GaussianDropout": [((L.GaussianDropout(0.2), L.Dense(5, "tanh"), L.GaussianDropout(0.5), L.Dense(2)), (3,))],
    "AlphaDropout": [((L.AlphaDropout(0.2), L.Dense(5, "selu"), L.AlphaDropout(0.5), L.Dense(2)), (3,))],
    "SpatialDropout1D": [((L.Conv1D(5, 2), L.SpatialDropout1D(0.4), L.Flatten(), L.Dense(1)), (4, 2))],
    "SpatialDropout2D": [((L.Conv2D(5, 2), L.SpatialDropout2D(0.4), L.Flatten(), L.Dense(1)), (3, 3, 1))],
    "Flatten": [((L.Flatten(), L.Dense(2, "tanh"), L.Dense(1)), (2, 3))],
    "Reshape": [((L.Dense(6, "tanh"), L.Reshape((3, 2)), L.LSTM(2), L.Dense(2)), (2,))],
    "ZeroPadding1D": [((L.Conv1D(2, 2, "tanh"), L.ZeroPadding1D((2, 1)), L.LSTM(2), L.Dense(1)), (3, 2))],
    "ZeroPadding2D": [
        ((L.Conv2D(2, 2, "tanh"), L.ZeroPadding2D(((1, 0), (2, 1))), L.Conv2D(2, 2), L.Flatten(), L.Dense(1)), (3, 3, 1)),
    ],
    "Cropping1D": [((L.Conv1D(2, 2, "tanh"), L.Cropping1D((1, 0)), L.Flatten(), L.Dense(2)), (4, 2))],
    "Cropping2D": [((L.Conv2D(2, 2, "tanh"), L.Cropping2D(((1, 0), (0, 2))), L.Flatten(), L.Dense(1)), (4, 5, 1))],
    "UpSampling1D": [((L.Conv1D(2, 2, "tanh"), L.UpSampling1D(3), L.Conv1D(1, 2), L.Flatten(), L.Dense(1)), (3, 2))],
    "UpSampling2D": [((L.Conv2D(2, 2, "tanh"), L.UpSampling2D((2, 3)), L.Conv2D(1, 2), L.Flatten(), L.Dense(1)), (3, 3, 1))],
    "Permute": [
        ((L.Conv1D(2, 2, "tanh"), L.Permute((2, 1)), L.LSTM(2), L.Dense(1)), (4, 2)),
        ((L.Conv2D(2, 2, "tanh"), L.Permute((3, 1, 2)), L.Conv2D(1, 2), L.Flatten(), L.Dense(1)), (3, 4, 1)),
    ],
    "RepeatVector": [((L.Dense(3, "tanh"), L.RepeatVector(3), L.LSTM(2), L.Dense(1)), (2,))],
    "Reverse": [((L.Conv1D(2, 2, "tanh"), L.Reverse(), L.GRU(2), L.Dense(1)), (4, 2))],
    "Add": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(3, "logistic"), L.Dense(3, name="b"), L.Add(["b", "a", "a"]), L.Dense(2)),
         (2,)),
        ((L.Conv2D(2, 3, "tanh", padding="same", name="a"), L.Conv2D(2, 1, name="b"), L.Add(["a", "b"]), L.MaxPool2D(2),
          L.Flatten(), L.Dense(1)), (4, 4, 1)),
        ((L.Conv2D(2, 2, "tanh", name="a"), L.Conv2D(1, 1, name="b"), L.GlobalAvgPool(name="c"), L.Add(["a", "c", "b"]),
          L.Flatten(), L.Dense(1)), (3, 4, 1)),
    ],
    "Subtract": [((L.Dense(3, "tanh", name="a"), L.Dense(3, name="b"), L.Subtract(["a", "b"]), L.Dense(2)), (2,))],
    "Average": [
        ((L.Dense(2, "tanh", name="a"), L.Dense(2, name="b"), L.Average(["a", "b", "input"]), L.Dense(2)), (2,)),
    ],
    "Multiply": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(3, "logistic", name="b"), L.Multiply(["b", "a", "b"]), L.Dense(2)), (2,)),
        ((L.Conv2D(2, 2, "tanh", name="a"), L.GlobalAvgPool(), L.Reshape((1, 1, 2), name="b"),
          L.Multiply(["a", "b"], name="c"), L.Conv2D(1, 1, "logistic", name="d"), L.Multiply(["c", "d"]), L.Flatten(),
          L.Dense(1)), (3, 4, 1)),
        ((L.Embedding(3, 2, mask_zero=True, name="a"), L.From("input"), L.Embedding(3, 1, name="b"), L.Multiply(["a", "b"]),
          L.LSTM(2), L.Dense(1)), (3,)),
        ((*TWO_MASKS, L.Multiply(["a", "b"]), L.LSTM(1), L.Dense(1)), (3,)),
    ],
    "Maximum": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(3, name="b"), L.Maximum(["b", "a"]), L.Dense(2)), (2,)),
        ((*TWO_MASKS, L.From("input"), L.Embedding(3, 2, name="c"), L.Maximum(["a", "b", "c"]), L.LSTM(1), L.Dense(1)), (3,)),
    ],
    "Minimum": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(3, name="b"), L.Minimum(["a", "b", "a"]), L.Dense(2)), (2,)),
        ((L.Conv1D(2, 2, "tanh", name="a"), L.Conv1D(2, 1, name="b"), L.Conv1D(1, 1, name="c"), L.Minimum(["c", "a", "b"]),
          L.Flatten(), L.Dense(1)), (4, 2)),
        ((*TWO_MASKS, L.Minimum(["b", "a"]), L.LSTM(1), L.Dense(1)), (3,)),
    ],
    "Dot": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(3, name="b"), L.Dot(1, inputs=["b", "a"]), L.Dense(2)), (2,)),
        ((L.Conv1D(3, 2, "tanh", name="a"), L.Conv1D(3, 3, name="b"), L.Dot((2, -1), True, ["a", "b"]),
          L.Flatten(), L.Dense(1)), (4, 2)),
        ((L.Conv2D(2, 2, "tanh", name="a"), L.Conv2D(3, (1, 2), name="b"), L.Dot((2, 3), inputs=["a", "b"]), L.Reshape((16,)),
          L.Dense(1)), (3, 4, 1)),
    ],
    "Concatenate": [
        ((L.Conv2D(2, 2, "tanh", name="a"), L.Conv2D(3, 1, name="b"), L.Concatenate(["a", "b", "a"]), L.Conv2D(2, 2),
          L.Flatten(), L.Dense(1)), (3, 4, 1)),
        ((L.Conv2D(2, 2, "tanh", name="a"), L.Conv2D(2, 1, name="b"), L.Concatenate(["a", "b"], axis=1), L.Conv2D(2, 2),
          L.Flatten(), L.Dense(1)), (3, 4, 1)),
        ((L.LSTM(2, return_sequences=True, name="a"), L.Conv1D(2, 1, name="b"), L.Concatenate(["b", "a"], axis=-2),
          L.GRU(2), L.Dense(1)), (3, 2)),
        ((L.Embedding(3, 2, mask_zero=True, name="a"), L.From("input"), L.Embedding(3, 2, name="b"),
          L.Concatenate(["a", "b", "a", "b"], axis=1), L.ReLU(negative_slope=0.2), L.LSTM(2), L.Dense(1)), (3,)),
    ],
    "Residual": [
        ((L.Residual([L.Dense(3, "tanh"), L.Dense(2)], activation="tanh"), L.Dense(2)), (2,)),
        ((L.Conv2D(2, 1, "tanh"), L.Residual([L.Residual([L.Conv2D(2, 3, "softplus", padding="same")]), L.BatchNorm()],
          shortcut=[L.Conv2D(2, 1)]), L.GlobalAvgPool(), L.Dense(1)), (3, 3, 1)),
        ((L.Embedding(4, 2), L.Residual([L.GRU(2, return_sequences=True)]), L.LSTM(2), L.Dense(1)), (3,)),
    ],
    "Branches": [
        ((L.Branches([L.Conv2D(2, 2, "tanh", padding="same")],
                     [L.MaxPool2D(2, strides=1, padding="same"), L.Conv2D(1, 1)], []), L.Flatten(), L.Dense(1)), (2, 2, 1)),
        ((L.Branches([L.Flatten(), L.Dense(3)], [L.LSTM(3)], merge="average", activation="tanh"), L.Dense(1)), (3, 2)),
    ],
    "SeparableConv1D": [
        ((L.SeparableConv1D(2, 2, padding="causal", activation="tanh"), L.GRU(2), L.Dense(1)), (4, 2)),
    ],
    "SeparableConv2D": [
        ((L.SeparableConv2D(2, 2, strides=2, depth_multiplier=2, activation="tanh"), L.Flatten(), L.Dense(1)), (5, 4, 1)),
    ],
    "Conv1DTranspose": [((L.Conv1D(2, 2), L.Conv1DTranspose(2, 3, 2, activation="tanh"), L.LSTM(2), L.Dense(1)), (4, 1))],
    "Conv2DTranspose": [
        ((L.Conv2D(2, 2), L.Conv2DTranspose(1, 3, 2, "same", "tanh"), L.Flatten(), L.Dense(1)), (3, 3, 1)),
        ((L.Conv2DTranspose(1, (1, 2), (2, 3), "valid", "tanh"), L.Flatten(), L.Dense(1)), (2, 3, 1)),
    ],
    "Bidirectional": [
        ((L.Conv1D(2, 2, "tanh"), L.Bidirectional(L.GRU(2, return_sequences=True)), L.Bidirectional(L.SimpleRNN(2)),
          L.Dense(1)), (4, 1)),
        ((L.Embedding(4, 2, mask_zero=True), L.Bidirectional(L.SimpleRNN(2, return_sequences=True), merge_mode="sum"),
          L.LSTM(1), L.Dense(1)), (4,)),
    ],
    "TimeDistributed": [
        ((L.Conv1D(2, 2, "tanh"), L.TimeDistributed(L.Dense(3, "tanh")), L.SimpleRNN(2), L.Dense(1)), (4, 1)),
        ((L.TimeDistributed(L.Conv2D(2, 2, "tanh")), L.TimeDistributed(L.MaxPool2D(2)), L.TimeDistributed(L.Flatten()),
          L.GRU(1), L.Dense(1)), (2, 3, 3, 1)),
        ((L.TimeDistributed(L.LSTM(2)), L.TimeDistributed(L.Activation("tanh")), L.SimpleRNN(2), L.Dense(1)), (2, 3, 1)),
        ((L.Embedding(3, 2, mask_zero=True), L.TimeDistributed(L.GRU(2, return_sequences=True)),
          L.TimeDistributed(L.GlobalAvgPool()), L.SimpleRNN(2), L.Dense(1)), (3, 2)),
    ],
    "MultiHeadAttention": [
        ((L.Dense(4, "tanh"), L.Reshape((2, 2)), L.MultiHeadAttention(2, 1), L.Flatten(), L.Dense(1)), (2,)),
        ((L.Embedding(4, 2, mask_zero=True), L.MultiHeadAttention(1, 2, 1, use_bias=False), L.GlobalAvgPool(), L.Dense(1)),
         (3,)),
        ((L.Embedding(4, 2, mask_zero=True), L.MultiHeadAttention(2, 3, output_shape=1, use_causal_mask=True), L.LSTM(2),
          L.Dense(1)), (4,)),
        ((L.Conv1D(2, 2, "tanh", name="a"), L.MultiHeadAttention(1, 2, name="b"), L.Add(["a", "b"]), L.LayerNormalization(),
          L.Flatten(), L.Dense(2)), (4, 1)),
    ],
    "PositionEmbedding": [
        ((L.Conv1D(2, 2, "tanh"), L.PositionEmbedding(3), L.GRU(2), L.Dense(1)), (4, 1)),
        ((L.Embedding(4, 2, mask_zero=True), L.PositionEmbedding(5), L.SimpleRNN(2), L.Dense(1)), (3,)),
    ],
    "From": [
        ((L.Dense(3, "tanh", name="a"), L.Dense(2, "logistic", name="b"), L.From("a"), L.Dense(2, name="c"),
          L.Add(["b", "c"]), L.Dense(1)), (2,)),
    ],
}  # fmt: skip

# Layers that consist of others
COMPOSED = {"Residual", "Branches", "From", "SeparableConv1D", "SeparableConv2D", "Conv1DTranspose", "Conv2DTranspose",
            "Bidirectional", "MultiHeadAttention"}  # fmt: skip

# A kind of everything: convolution, its image read as a sequence of rows, dense layers
MIXED = ((L.Conv2D(2, 2, "tanh"), L.Reshape((2, 4)), L.LSTM(3, return_sequences=True), L.LSTM(2),
          L.Dense(3, "logistic"), L.Dense(2)), (3, 3, 1))  # fmt: skip


def twin(entries: dict, name: str, what: str):
    """The naive twin of an entry, or a failure that says where to write one."""
    assert name in entries, (
        f"{what} {name!r} has no naive twin: write one in tests/support/naive.py (or chains.py)."
    )
    return entries[name]


def output_of(loss: str) -> str:
    """An output activation with which a loss makes sense."""
    kind = LOSSES[loss]
    if kind.of_predictor:
        return kind.inverse_link
    return "identity" if loss == "sse" else "logistic"


def chain_network(chain, loss: str = "sse", output: str | None = None, offset: bool = False) -> Network:
    """The package's network of a chain of `CHAINS`."""
    layers, shape = chain
    flat = expanded(layers)
    d, k = int(np.prod(shape)), flat.layers[-1].units
    goal = objective(loss, resolve_activation(output_of(loss) if output is None else output))
    return Network(
        flat.layers, shape, goal, tuple(f"x{j}" for j in range(d)), tuple(f"y{j}" for j in range(k)), offset,
        wires=flat.wires,
    )  # fmt: skip


def with_parameter(name: str, parameter: float) -> ActivationSpec:
    """An activation with another parameter than its default."""
    return ActivationSpec(name, ACTIVATIONS[name].code, parameter)


def draw(network: Network, n: int, seed: int = 0, scale: float = 0.7, b: int = 1):
    """Weights (b, P), covariates (n, *shape), responses (n, K) in (0, 1)."""
    rng = np.random.default_rng([seed, n])
    theta = scale * rng.standard_normal((b, network.n_params))
    theta[:, network.is_moving] = rng.uniform(0.2, 2, (b, int(network.is_moving.sum())))  # variances are positive
    x = rng.standard_normal((n, *network.input_shape))
    if network.implied is not None:
        theta[:, network.implied[0]] = network.implied[1][network.implied[0]]
    first = network.layers[0]
    if isinstance(first, L.Masking):  # times that are there for some
        x[rng.random(x.shape[:2]) < 0.4] = first.mask_value
    if isinstance(first, L.Embedding):
        x = rng.integers(0, first.input_dim, x.shape).astype(float)
    return theta, x, rng.uniform(0.05, 0.95, (n, network.n_outputs))


def rows_of(x: np.ndarray) -> np.ndarray:
    """Observation-first covariates as kernels want them, (D, n)."""
    return np.ascontiguousarray(x.reshape(x.shape[0], -1).T)


def kernel_data(x, y, **more) -> cpu.Data:
    """`Data` from observation-first arrays."""
    return make_data(rows_of(x), np.ascontiguousarray(y.T), **more)


def drawn_step(net, rows, theta, momentum, key, step, first, grad, factors):
    """A block as in training: loss and gradient, and the factors, which begin at row `first`."""
    work = cpu.workspace(net, rows.data, theta)
    return _drawn_step(net, rows, theta, momentum, key, step, first, work, grad, factors)


@entry
def _drawn_step(net, rows, theta, momentum, key, step, first, work, grad, factors):
    none, m = np.empty(0, np.int64), rows.inputs.shape[0]
    batches.collect(net, rows, 0, none, 0, m, work)
    training_mode(net.table, net.constants, momentum, work.value, key, step, none, 0, m)
    total = cpu.accumulate(net, rows.data, theta, 0, 0, m, work, grad, True)
    factors[:] = 1 + work.value[first : first + factors.shape[0], :m]
    return total


def kernel_gradient(network: Network, data: cpu.Data, theta: np.ndarray, b: int = 0):
    """Loss and gradient of network b from the kernels."""
    grad = np.empty_like(theta)
    n = data.x.shape[1] if data.rows.shape[1] == 0 else data.rows.shape[1]
    if data.count.size:
        n = int(data.count[b % data.count.size])
    return cpu.loss_gradient(network.net(), data, np.ascontiguousarray(theta), b, 0, n, grad), grad


def naive_loss(network: Network, theta, x, y, weights=None, offset=0.0, activations=None, training=None):
    """Total loss of a network from `naive`."""
    goal = network.objective
    output = "identity" if goal.of_predictor else goal.output.name
    return np.sum(naive.losses(goal.name, network.layers, naive.split(theta, network.shapes), x, y, output,
                               weights, offset, activations, training, network.wires))  # fmt: skip


def naive_gradient(network: Network, theta, x, y, **more):
    """Its derivative by complex step; 0 for moving averages."""
    gradient = naive.complex_step(lambda w: naive_loss(network, w, x, y, **more), theta)
    return np.where(network.is_moving | _unseen(network), 0.0, gradient)


def _unseen(network: Network):
    """Weights that kernels give no gradient: the three of a general relu."""
    held = np.zeros(network.n_params, bool)
    for part, (_, place) in zip(network.slices, network._built["kinds"], strict=True):
        held[part] = len(place.implied) == 3
    return held


def close(actual, expected, tolerance: float = TOLERANCE) -> None:
    """Fail where two arrays differ by more than `tolerance` of the largest element."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.all(np.isfinite(expected)), "the naive value is not finite: choose tamer data"
    size = np.max(np.abs(expected))
    assert size > 0
    worst = np.max(np.abs(actual - expected)) / size
    assert worst <= tolerance, f"relative difference {worst:.2e} above {tolerance:.0e}"


__all__ = [n for n in dir() if not n.startswith("_")]
assert set(CHAINS) <= set(LAYERS)
