"""The obvious implementation of everything that kernels compute, in plain numpy.

Textbook formulas, one observation axis first, one weight matrix per layer, nothing shared with the package
but the descriptions of layers. Every function takes complex numbers, so that `complex_step` differentiates it
exactly: a number ``a + i h b`` with tiny ``h`` carries the derivative ``b`` along. Where a function has a
kink, the real part decides on which side it is.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erf

STEP = 1e-30  # its square vanishes beside every number that occurs


def complex_step(function, theta):
    """Derivative of `function` in every element of theta, as the last axis."""
    theta = np.asarray(theta, dtype=np.float64)
    columns = []
    for j in range(theta.size):
        moved = theta.astype(np.complex128)
        moved.flat[j] += 1j * STEP
        columns.append(np.imag(function(moved)) / STEP)
    return np.stack(columns, axis=-1)


# Activations: z of any shape -> a of the same shape; softmax over the last axis.


def positive(z):
    return np.real(z) > 0


def logistic(z, p=0.0):
    return 1 / (1 + np.exp(-z))


def leaky_relu(z, p):
    return np.where(positive(z), z, p * z)


def elu(z, p):
    return np.where(positive(z), z, p * np.expm1(np.where(positive(z), 0, z)))


def clipped(z, low, high):
    return np.where(np.real(z) <= low, low, np.where(np.real(z) < high, z, high))


def softmax(z, p=0.0):
    e = np.exp(z - np.max(np.real(z), axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def log_softmax(z, p=0.0):
    z = z - np.max(np.real(z), axis=-1, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))


def squareplus(z, p):
    root = np.sqrt(z**2 + p)
    return np.where(positive(z), (z + root) / 2, p / (2 * (root - z)))


ACTIVATIONS = {
    "identity": lambda z, p: z,
    "logistic": logistic,
    "tanh": lambda z, p: np.tanh(z),
    "relu": lambda z, p: np.where(positive(z), z, 0 * z),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": lambda z, p: 1.0507009873554805 * elu(z, 1.6732632423543772),
    "softplus": lambda z, p: np.log(1 + np.exp(z)) if np.iscomplexobj(z) else np.logaddexp(0, z),
    "gelu": lambda z, p: z * (1 + erf(z / np.sqrt(2))) / 2,
    "swish": lambda z, p: z / (1 + np.exp(-z)),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "relu6": lambda z, p: clipped(z, 0, p),
    "hard_sigmoid": lambda z, p: clipped(z / 6 + 0.5, 0, 1),
    "hard_swish": lambda z, p: z * clipped(z / 6 + 0.5, 0, 1),
    "softsign": lambda z, p: z / (1 + np.where(positive(z), z, -z)),
    "mish": lambda z, p: z * np.tanh(np.log1p(np.exp(z))),
    "exponential": lambda z, p: np.exp(z),
    "celu": lambda z, p: np.where(positive(z), z, p * np.expm1(np.where(positive(z), 0, z / p))),
    "hard_tanh": lambda z, p: clipped(z, -1, 1),
    "tanh_shrink": lambda z, p: z - np.tanh(z),
    "soft_shrink": lambda z, p: np.where(np.real(z) > p, z - p, np.where(np.real(z) < -p, z + p, 0)),
    "hard_shrink": lambda z, p: np.where(np.abs(np.real(z)) > p, z, 0),
    "log_sigmoid": lambda z, p: -np.log(1 + np.exp(-z)),
    "squareplus": squareplus,
    "sparse_plus": lambda z, p: np.where(np.real(z) <= -1, 0, np.where(np.real(z) < 1, (z + 1) ** 2 / 4, z)),
    "sparse_sigmoid": lambda z, p: clipped((z + 1) / 2, 0, 1),
}
PARAMETERS = {
    "leaky_relu": 0.2, "elu": 1.0, "relu6": 6.0, "celu": 1.0, "soft_shrink": 0.5, "hard_shrink": 0.5, "squareplus": 4.0,
}  # fmt: skip  # defaults

# Losses: output f or linear predictor eta (n, K), response y (n, K) -> loss per observation (n,)


def cross_entropy(f, y):
    return -np.sum(y * np.log(f) + (1 - y) * np.log(1 - f), axis=1)


def multinomial(eta, y):
    """Half the deviance: a row of shares (or counts) y against the saturated model, which fits it exactly."""
    count = np.sum(y, axis=1, keepdims=True)
    saturated = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / count), 0)
    return np.sum(saturated - y * np.log(softmax(eta)), axis=1)


LOSSES = {
    "sse": lambda f, y: np.sum((f - y) ** 2, axis=1) / 2,
    "ce": cross_entropy,
    "ce_logit": lambda eta, y: cross_entropy(logistic(eta), y),
    "ce_r": cross_entropy,
    "multinomial": multinomial,
}

# Layers: description, weights (1 + inputs, units), x (n, *shape) -> (n, *shape of the output)


def dense(layer, w, x):
    return np.einsum("nj,jo->no", x, w[1:]) + w[0]


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def positions(size, k, stride, rate, padding):
    """Positions of a kernel along an axis, and zeros before and after."""
    reach = (k - 1) * rate + 1
    if padding == "valid":
        return (size - reach) // stride + 1, (0, 0)
    if padding == "causal":  # all zeros before
        return (size - 1) // stride + 1, (reach - 1, 0)
    n = -(-size // stride)  # ceil(size / stride) positions; the odd zero goes after
    missing = max((n - 1) * stride + reach - size, 0)
    return n, (missing // 2, missing - missing // 2)


def conv2d(layer, w, x):
    (a, b), (s, t), (d, e) = pair(layer.kernel_size), pair(layer.strides), pair(layer.dilation_rate)
    kernel = w[1:].reshape(a, b, x.shape[3], layer.filters)
    out = []
    pad = [(0, 0), (0, 0), (0, 0), (0, 0)]
    for axis, k, stride, rate in ((1, a, s, d), (2, b, t, e)):
        n, pad[axis] = positions(x.shape[axis], k, stride, rate, layer.padding)
        out.append(n)
    x = np.pad(x, pad)
    z = np.empty((x.shape[0], *out, layer.filters), np.result_type(x, w))
    for r in range(out[0]):
        for c in range(out[1]):
            patch = x[:, r * s : r * s + (a - 1) * d + 1 : d, c * t : c * t + (b - 1) * e + 1 : e]
            z[:, r, c] = np.einsum("nabk,abkf->nf", patch, kernel) + w[0]
    return z


def conv1d(layer, w, x):
    size, stride, rate = layer.kernel_size, layer.strides, layer.dilation_rate
    n, pad = positions(x.shape[1], size, stride, rate, layer.padding)
    x = np.pad(x, ((0, 0), pad, (0, 0)))
    kernel = w[1:].reshape(size, x.shape[2], layer.filters)
    z = [sum(x[:, t * stride + a * rate] @ kernel[a] for a in range(size)) + w[0] for t in range(n)]
    return np.stack(z, axis=1)


def largest(x, axis):
    """Maximum by the real part."""
    at = np.expand_dims(np.argmax(np.real(x), axis=axis), axis)
    return np.squeeze(np.take_along_axis(x, at, axis), axis)


def pooling(reduce, axes):
    """Windows of an image (axes 2) or a sequence; what lies outside does not count."""

    def pool(layer, w, x):
        size, stride = layer.pool_size, layer.pool_size if layer.strides is None else layer.strides
        (a, b), (s, t) = (pair(size), pair(stride)) if axes == 2 else ((1, size), (1, stride))
        image = x if axes == 2 else x[:, np.newaxis]
        n, (top, _) = positions(image.shape[1], a, s, 1, layer.padding)
        m, (left, _) = positions(image.shape[2], b, t, 1, layer.padding)
        z = np.empty((x.shape[0], n, m, x.shape[-1]), x.dtype)
        for r in range(n):
            for c in range(m):
                y0, x0 = r * s - top, c * t - left
                part = image[:, max(y0, 0) : y0 + a, max(x0, 0) : x0 + b]
                z[:, r, c] = reduce(part.reshape(x.shape[0], -1, x.shape[-1]), 1)
        return z if axes == 2 else z[:, 0]

    return pool


def overall(reduce):
    return lambda layer, w, x: reduce(x.reshape(x.shape[0], -1, x.shape[-1]), 1)


INSIDE = {
    None: lambda z: z, "linear": lambda z: z, "identity": lambda z: z, "sigmoid": logistic, "logistic": logistic,
    "hard_sigmoid": lambda z: np.where(np.real(z) < -3, 0 * z, np.where(np.real(z) > 3, 1 + 0 * z, z / 6 + 0.5)),
    "tanh": np.tanh,
    **{name: (lambda kind: lambda z: ACTIVATIONS[kind](z, 1.0))(name) for name in ("relu", "elu", "selu", "softplus")},
}  # fmt: skip


def recurrent(layer, w, x, gates, biases, n_states, step, mask, factors):
    """Any recurrent layer over time.

    ``step(of_input, of_state, states)``: sums of inputs and of states by gate, (gates, n, units), give the new states, h
    first. `mask` (n, times); `factors`: of inputs (gates, n, features) and states (gates, n, units).
    """
    n, times, features = x.shape
    units, biases = layer.units, biases if layer.use_bias else 0
    parts = [w[:, g * units : (g + 1) * units] for g in range(gates)]
    fx, fh = (np.ones(gates),) * 2 if factors is None else factors
    states, out = [np.zeros((n, units))] * n_states, []
    for t in reversed(range(times)) if layer.go_backwards else range(times):
        of_input = [(x[:, t] * fx[g]) @ v[biases : biases + features] + (v[0] if biases else 0) for g, v in enumerate(parts)]
        of_state = [(states[0] * fh[g]) @ v[biases + features :] + (v[1] if biases == 2 else 0) for g, v in enumerate(parts)]
        new = step(of_input, of_state, states)
        if mask is not None:
            new = [np.where(mask[:, t, np.newaxis], a, b) for a, b in zip(new, states, strict=True)]
        states = new
        out.append(states[0])
    return np.stack(out, axis=1) if layer.return_sequences else states[0]


def simple_rnn(layer, w, x, mask=None, factors=None):
    squash = INSIDE[layer.activation]
    return recurrent(layer, w, x, 1, 1, 1, lambda a, b, _: [squash(a[0] + b[0])], mask, factors)


def lstm(layer, w, x, mask=None, factors=None):
    squash, gate = INSIDE[layer.activation], INSIDE[layer.recurrent_activation]

    def step(a, b, states):
        i, f, g, o = (p + q for p, q in zip(a, b, strict=True))
        cell = gate(f) * states[1] + gate(i) * squash(g)
        return [gate(o) * squash(cell), cell]

    return recurrent(layer, w, x, 4, 1, 2, step, mask, factors)


def gru(layer, w, x, mask=None, factors=None):
    squash, gate = INSIDE[layer.activation], INSIDE[layer.recurrent_activation]
    if not layer.reset_after:
        return gru_first(layer, w, x, squash, gate, mask, factors)

    def step(a, b, states):
        z, r = gate(a[0] + b[0]), gate(a[1] + b[1])
        return [z * states[0] + (1 - z) * squash(a[2] + r * b[2])]

    return recurrent(layer, w, x, 3, 2, 1, step, mask, factors)


def gru_first(layer, w, x, squash, gate, mask, factors):
    """The reset gate before the product; one bias a gate."""
    units, features = layer.units, x.shape[2]
    z_, r_, h_ = (w[:, g * units : (g + 1) * units] for g in range(3))
    fx, fh = (np.ones(3),) * 2 if factors is None else factors
    at = int(layer.use_bias)

    def sums(v, t, h, g):
        return (x[:, t] * fx[g]) @ v[at : at + features] + (h * fh[g]) @ v[at + features :] + (v[0] if at else 0)

    h, out = np.zeros((len(x), units)), []
    for t in reversed(range(x.shape[1])) if layer.go_backwards else range(x.shape[1]):
        z, r = gate(sums(z_, t, h, 0)), gate(sums(r_, t, h, 1))
        new = z * h + (1 - z) * squash(sums(h_, t, r * h, 2))
        h = new if mask is None else np.where(mask[:, t, np.newaxis], new, h)
        out.append(h)
    return np.stack(out, axis=1) if layer.return_sequences else h


def zero_masked(x, mask):
    return x if mask is None else np.where(mask[:, :, np.newaxis], x, 0)


def masked_mean(x, mask):
    """Over times; 0 where there is none."""
    return np.sum(np.where(mask[..., np.newaxis], x, 0), axis=1) / np.maximum(mask.sum(axis=1), 1)[:, np.newaxis]


def masking(layer, w, x):
    return np.where(np.any(np.real(x) != layer.mask_value, axis=-1, keepdims=True), x, 0)


def embedding(layer, w, x):
    return w.T[np.real(x).astype(int)]


def batch_norm(layer, w, x, training=False):
    beta, gamma, mean, variance = w
    if training:
        axes = tuple(range(x.ndim - 1))
        mean = np.mean(x, axis=axes)
        variance = np.mean((x - mean) ** 2, axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + layer.epsilon) + beta


def ends(value, n):
    """Before and after, for each of n axes."""
    value = (value,) * n if isinstance(value, int) else tuple(value)
    if n == 1:
        return [value if len(value) == 2 else value * 2]
    return [(v, v) if isinstance(v, int) else tuple(v) for v in value]


def padded(n):
    return lambda layer, w, x: np.pad(x, [(0, 0), *ends(layer.padding, n), (0, 0)])


def cropped(n):
    def crop(layer, w, x):
        kept = [slice(a, x.shape[1 + k] - b) for k, (a, b) in enumerate(ends(layer.cropping, n))]
        return x[(slice(None), *kept)]

    return crop


def upsampled(layer, w, x):
    for axis, times in enumerate(np.broadcast_to(layer.size, x.ndim - 2)):
        x = np.repeat(x, times, axis=1 + axis)
    return x


def spread(layer, w, x):
    """Zeros between and around, so that a convolution is the adjoint of a strided one."""
    image = x if x.ndim == 4 else x[:, np.newaxis]
    kernel, stride = (((1, v) if x.ndim == 3 else pair(v)) for v in (layer.kernel_size, layer.strides))
    sizes = [n * s + (max(k - s, 0) if layer.padding == "valid" else 0)
             for n, k, s in zip(image.shape[1:3], kernel, stride, strict=True)]  # fmt: skip
    z = np.zeros((len(x), *(n + k - 1 for n, k in zip(sizes, kernel, strict=True)), x.shape[-1]), x.dtype)
    cut = [max(k - s, 0) // 2 if layer.padding == "same" else 0 for k, s in zip(kernel, stride, strict=True)]
    for r in range(image.shape[1]):
        for c in range(image.shape[2]):
            at = [p * s + k - 1 - o for p, s, k, o in zip((r, c), stride, kernel, cut, strict=True)]
            if at[0] < z.shape[1] and at[1] < z.shape[2]:
                z[:, at[0], at[1]] = image[:, r, c]
    return z if x.ndim == 4 else z[:, 0]


def multiplied(parts, masks=None):
    """Products; masked units count as 1, and where all are masked 0 comes out."""
    masks = [None] * len(parts) if masks is None else masks
    there = [np.ones(p.shape[:2], bool) if mask is None else mask for p, mask in zip(parts, masks, strict=True)]
    if parts[0].ndim == 2:
        return np.prod(np.stack(parts), axis=0)
    axes = [mask.reshape(*mask.shape, *(1,) * (part.ndim - 2)) for part, mask in zip(parts, there, strict=True)]
    product = 1
    for part, mask in zip(parts, axes, strict=True):
        product = product * np.where(mask, part, 1)
    return np.where(np.any(np.broadcast_arrays(*axes), axis=0), product, 0)


def best(parts, better, masks=None):
    """Largest or smallest of what is not masked; the first where all is."""
    parts = np.broadcast_arrays(*parts)
    out, found = parts[0], np.zeros(parts[0].shape, bool)
    for k, part in enumerate(parts):
        there = np.ones(part.shape, bool)
        if masks is not None and masks[k] is not None:
            there = np.broadcast_to(masks[k].reshape(*masks[k].shape, *(1,) * (part.ndim - 2)), part.shape)
        out = np.where(there & (~found | better(np.real(part), np.real(out))), part, out)
        found = found | there
    return out


def dotted(layer, parts):
    axes = layer.axes if isinstance(layer.axes, tuple) else (layer.axes,) * 2
    flat = [np.moveaxis(part, axis, -1).reshape(len(part), -1, part.shape[axis])
            for part, axis in zip(parts, axes, strict=True)]  # fmt: skip
    if layer.normalize:
        flat = [part / np.sqrt(np.sum(part**2, axis=-1, keepdims=True)) for part in flat]
    kept = [n for part, axis in zip(parts, axes, strict=True) for n in np.delete(part.shape, (0, axis % part.ndim)).tolist()]
    return np.einsum("nis,njs->nij", *flat).reshape(len(parts[0]), *(kept or [1]))


def layer_norm(layer, w, x):
    axes = (layer.axis,) if isinstance(layer.axis, int) else layer.axis
    axes = tuple(sorted(axis % x.ndim for axis in axes))
    shape = [n if k in axes else 1 for k, n in enumerate(x.shape)]
    return w[1].reshape(shape) * normalised(x, axes, layer.epsilon) + w[0].reshape(shape)


JOINS = {  # of layers that read several
    "Add": lambda layer, parts: sum(parts),
    "Subtract": lambda layer, parts: parts[0] - parts[1],
    "Average": lambda layer, parts: sum(parts) / len(parts),
    "Multiply": lambda layer, parts: multiplied(parts),
    "Maximum": lambda layer, parts: best(parts, np.greater),
    "Minimum": lambda layer, parts: best(parts, np.less),
    "Dot": lambda layer, parts: dotted(layer, parts),
    "Concatenate": lambda layer, parts: np.concatenate(parts, axis=layer.axis),
    "Stacked": lambda layer, parts: parts,
}


def attention(layer, w, parts, keys=None, queries=None, factors=1.0):
    """Of queries, keys and values (n, times, heads * size); masks (n, times), None where there is none; dropout's factors."""
    q, k, v = (part.reshape(*part.shape[:2], layer.num_heads, -1) for part in parts)
    scores = np.einsum("nthj,nshj->nhts", q, k) / np.sqrt(q.shape[-1])
    seen = np.ones((len(q), q.shape[1], k.shape[1]), bool)
    seen = np.tril(seen) if layer.causal else seen
    seen = seen if keys is None else seen & keys[:, np.newaxis]
    seen = (seen if queries is None else seen & queries[..., np.newaxis])[:, np.newaxis]
    p = softmax(np.where(seen, scores, np.where(seen.any(-1, keepdims=True), -np.inf, 0)))
    return np.einsum("nhts,nshj->nthj", p * factors, v).reshape(len(v), q.shape[1], -1)


def depthwise(layer, w, x):
    image = x if x.ndim == 4 else x[:, np.newaxis]
    (a, b), (s, t), (d, e) = (pair(v) if x.ndim == 4 else (1, v) for v in
                              (layer.kernel_size, layer.strides, layer.dilation_rate))
    kernel = w[1:].reshape(a, b, x.shape[-1], layer.depth_multiplier)
    pads, out = [(0, 0)] * 4, []
    for axis, k, stride, rate, padding in ((1, a, s, d, layer.padding if x.ndim == 4 else "valid"),
                                           (2, b, t, e, layer.padding)):
        n, pads[axis] = positions(image.shape[axis], k, stride, rate, padding)
        out.append(n)
    image = np.pad(image, pads)
    z = np.empty((len(x), *out, w.shape[1]), np.result_type(x, w))
    for r in range(out[0]):
        for c in range(out[1]):
            patch = image[:, r * s : r * s + (a - 1) * d + 1 : d, c * t : c * t + (b - 1) * e + 1 : e]
            z[:, r, c] = np.einsum("nabk,abkq->nkq", patch, kernel).reshape(len(x), -1) + w[0]
    return z if x.ndim == 4 else z[:, 0]


def normalised(x, axes, epsilon):
    mean = np.mean(x, axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(np.mean((x - mean) ** 2, axis=axes, keepdims=True) + epsilon)


def group_norm(layer, w, x):
    groups = x.shape[-1] if layer.groups == -1 else layer.groups
    parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    return w[1] * normalised(parts, (1, 3), layer.epsilon).reshape(x.shape) + w[0]


def prelu(layer, w, x):
    return np.where(positive(x), x, w.reshape(layer.alphas(x.shape[1:])) * x)


def relu(layer, w, x):
    limit = np.inf if layer.max_value is None else layer.max_value
    slope, threshold = layer.negative_slope, layer.threshold
    return np.where(np.real(x) > threshold, clipped(x, 0, limit), slope * (x - threshold))


LAYERS = {
    "DepthwiseConv1D": depthwise,
    "DepthwiseConv2D": depthwise,
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "LeakyReLU": lambda layer, w, x: leaky_relu(x, layer.negative_slope),
    "ReLU": relu,
    "ELU": lambda layer, w, x: elu(x, layer.alpha),
    "PReLU": prelu,
    "Softmax": lambda layer, w, x: softmax(x),
    "GaussianNoise": lambda layer, w, x: x,  # in prediction
    "GaussianDropout": lambda layer, w, x: x,
    "AlphaDropout": lambda layer, w, x: x,
    "SpatialDropout1D": lambda layer, w, x: x,
    "SpatialDropout2D": lambda layer, w, x: x,
    "Dense": dense,
    "Conv1D": conv1d,
    "Conv2D": conv2d,
    "MaxPool1D": pooling(largest, 1),
    "MaxPool2D": pooling(largest, 2),
    "AvgPool1D": pooling(np.mean, 1),
    "AvgPool2D": pooling(np.mean, 2),
    "GlobalAvgPool": overall(np.mean),
    "GlobalMaxPool": overall(largest),
    "SimpleRNN": simple_rnn,
    "LSTM": lstm,
    "GRU": gru,
    "Embedding": embedding,
    "Masking": masking,
    "BatchNorm": batch_norm,
    "Dropout": lambda layer, w, x: x,  # in prediction
    "Activation": lambda layer, w, x: x,
    "Flatten": lambda layer, w, x: x.reshape(x.shape[0], -1),
    "Reshape": lambda layer, w, x: x.reshape(x.shape[0], *layer.target_shape),
    "ZeroPadding1D": padded(1),
    "ZeroPadding2D": padded(2),
    "Cropping1D": cropped(1),
    "Cropping2D": cropped(2),
    "UpSampling1D": upsampled,
    "UpSampling2D": upsampled,
    "Permute": lambda layer, w, x: np.transpose(x, (0, *layer.dims)),
    "RepeatVector": lambda layer, w, x: np.repeat(x[:, np.newaxis], layer.n, axis=1),
    "Reverse": lambda layer, w, x: x[:, ::-1],
    "Projection": lambda layer, w, x: x @ w[1:] + w[0],
    "OutputProjection": lambda layer, w, x: x @ w[1:] + w[0],
    "Attention": attention,
    "PositionEmbedding": lambda layer, w, x: x + w.reshape(layer.sequence_length, -1)[: x.shape[1]],
    "Realigned": lambda layer, w, x: x[:, ::-1],
    "Spread": spread,
    "FlippedConv1D": conv1d,
    "FlippedConv2D": conv2d,
    "TimeDistributed": lambda layer, w, x: np.stack(
        [LAYERS[type(layer.layer).__name__](layer.layer, w, x[:, t]) for t in range(x.shape[1])], axis=1
    ),
}
INNER = ("Dense", "Conv1D", "Conv2D", "SimpleRNN", "LSTM", "GRU")  # layers with weights in TimeDistributed
WITH_WEIGHTS = {"FlippedConv1D", "FlippedConv2D", "Dense", "Conv1D", "Conv2D", "SimpleRNN", "LSTM", "GRU", "Embedding",
                "BatchNorm", "DepthwiseConv1D", "DepthwiseConv2D", "LayerNormalization", "GroupNormalization", "PReLU",
                "Projection", "OutputProjection", "PositionEmbedding"}  # fmt: skip
WITH_ACTIVATION = {"FlippedConv1D", "FlippedConv2D", "Dense", "Conv1D", "Conv2D", "Activation", "DepthwiseConv1D",
                   "DepthwiseConv2D"}  # fmt: skip

# A network: a list of layers, the activation of its output, a flat vector


def split(theta, shapes):
    """Flat vector -> matrices (1 + inputs, units): layer by layer, unit by unit, bias first."""
    matrices, at = [], 0
    for per_unit, units in shapes:
        if units == 0:
            continue
        part = theta[at : at + per_unit * units]
        matrices.append(np.array([part[u * per_unit : (u + 1) * per_unit] for u in range(units)]).T)
        at += per_unit * units
    assert at == theta.size
    return matrices


def activation(given, z):
    name, p = given if isinstance(given, tuple) else (given, PARAMETERS.get(given, 0.0))
    return ACTIVATIONS[name](z, p)


RECURRENT = {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru}


def mask_after(layer, kind, x, mask):
    """Which times are there behind a layer that reads x."""
    if kind == "Masking":
        return np.any(np.real(x) != layer.mask_value, axis=-1)
    if kind == "Embedding":
        return np.real(x) != 0 if layer.mask_zero else None
    if kind == "TimeDistributed" and mask is not None and mask.ndim == 3:  # of sequences: behind each, where any is there
        inner = mask_after(layer.layer, type(layer.layer).__name__, None, mask)
        return mask.any(axis=-1) if inner is None else inner
    plain = ("Realigned", "ZeroMasked", "Dropout", "Activation", "Projection", "OutputProjection", "PositionEmbedding",
             "TimeDistributed", "ReLU", "ELU", "AlphaDropout", "GroupNormalization", "LayerNormalization")  # fmt: skip
    passes = kind in plain or (kind in RECURRENT and layer.return_sequences)
    return mask if passes else None


def mask_of_joined(layer, kind, parts, masks):
    """Which times are there of what a layer makes of several inputs."""
    if kind == "Stacked":
        return masks[1]
    if kind == "Dot":
        return None
    masked = [mask for mask in masks if mask is not None]
    if masked and kind == "Concatenate" and layer.axis == 1:
        return np.concatenate([np.ones(p.shape[:2], bool) if m is None else m for p, m in zip(parts, masks, strict=True)],
                              axis=1)  # fmt: skip
    return np.any(masked, axis=0) if masked and len(masked) == len(masks) else None


def outputs(layers, matrices, x, output="identity", offset=0.0, activations=None, training=None, wires=()):
    """Outputs (n, K). `activations` replaces the layers' own, where these are no plain names.

    `training`: layer -> what it does in training (number of the layer, weights, x), where that differs. `wires`: for each
    layer the layers that it reads, -1 for the input, -1 - j for input j where `x` is a list; the one before where not given.
    """
    matrices, masks = list(matrices), {}
    known = {-1 - j: part for j, part in enumerate(x if isinstance(x, list) else [x])}
    for k, layer in enumerate(layers):
        kind = type(layer).__name__
        general = kind == "ReLU" and layer.activation is None  # its three weights are held
        general |= kind == "TimeDistributed" and type(layer.layer).__name__ in INNER
        w = matrices.pop(0) if kind in WITH_WEIGHTS or general else None
        reads = wires[k] if wires else (k - 1,)
        x, mask = known[reads[0]], masks.get(reads[0])
        given, masked = x, mask is not None and kind in (*RECURRENT, "GlobalAvgPool")
        within = mask is not None and mask.ndim == 3 and kind == "TimeDistributed"
        parts = [known[r] for r in reads]
        if kind in ("Add", "Subtract", "Average", "Multiply", "Maximum", "Minimum"):
            most = max(part.ndim for part in parts)  # axes of size 1 before the others
            parts = [part.reshape(len(part), *(1,) * (most - part.ndim), *part.shape[1:]) for part in parts]
        if kind == "Multiply":
            x = multiplied(parts, [masks.get(r) for r in reads])
        elif kind in ("Maximum", "Minimum"):
            x = best(parts, np.greater if kind == "Maximum" else np.less, [masks.get(r) for r in reads])
        elif kind in JOINS:
            x = JOINS[kind](layer, parts)
        elif k in (training or {}):
            x = training[k](layer, w, x)
        elif kind == "Attention":
            x = attention(layer, w, x, mask, masks.get(reads[1]))
        elif kind == "ZeroMasked":
            x = zero_masked(x, mask)
        elif masked:
            x = RECURRENT[kind](layer, w, x, mask) if kind in RECURRENT else masked_mean(x, mask)
        elif within and type(layer.layer).__name__ in RECURRENT:
            each = RECURRENT[type(layer.layer).__name__]
            x = np.stack([each(layer.layer, w, x[:, t], mask[:, t]) for t in range(x.shape[1])], axis=1)
        elif within and type(layer.layer).__name__ == "GlobalAvgPool":
            x = np.stack([masked_mean(x[:, t], mask[:, t]) for t in range(x.shape[1])], axis=1)
        else:
            x = LAYERS[kind](layer, w, x)
        own = [masks.get(r) for r in reads]
        masks[k] = mask_of_joined(layer, kind, parts, own) if kind in JOINS else mask_after(layer, kind, given, mask)
        if kind == "Attention":  # of the queries
            masks[k] = own[1]
        if k == len(layers) - 1:
            return activation(output, x + offset)
        if kind in WITH_ACTIVATION or (kind == "TimeDistributed" and type(layer.layer).__name__ in WITH_ACTIVATION):
            x = activation((activations or {}).get(k, layer.activation) or "identity", x)
        known[k] = x
    raise AssertionError("no layer")


def losses(name, layers, matrices, x, y, output="identity", weights=None, offset=0.0, activations=None,
           training=None, wires=()):  # fmt: skip
    """Weighted loss of each observation (n,)."""
    case = LOSSES[name](outputs(layers, matrices, x, output, offset, activations, training, wires), y)
    return case if weights is None else weights * case


def penalty(parts, theta, is_bias):
    """Sum of penalty terms, each with a kind, a strength, a scale, and whether biases are penalised."""
    total = 0.0
    for part in parts:
        kind, strength, scale = part.kind, part.strength, part.scale
        w = theta if part.biases else theta[~is_bias]
        if kind == "decay":
            total = total + strength / 2 * np.sum(w**2)
        elif kind == "elimination":
            u = (w / scale) ** 2
            total = total + strength / 2 * np.sum(u / (1 + u))
        elif kind == "l1":
            total = total + strength * np.sum(np.where(np.real(w) > 0, w, -w))
        else:
            raise AssertionError(f"penalty {kind!r} has no naive twin in tests/support/naive.py")
    return total
