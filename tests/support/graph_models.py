"""Graphs of layers, written once: `L` is ``keras.layers`` or ``neuralstat.layers``, whose functional forms read the same."""


def resnet(L):
    """Two residual blocks, the second of which halves the image; with batch normalisation."""
    inputs = L.Input(shape=(6, 6, 2))
    h = L.Conv2D(3, 3, padding="same", use_bias=False, name="stem")(inputs)
    h = L.BatchNormalization(momentum=0.75, name="stem_bn")(h)
    h = L.Activation("relu", name="stem_relu")(h)
    past = h
    h = L.Conv2D(3, 3, padding="same", activation="relu", name="a1")(h)
    h = L.Conv2D(3, 3, padding="same", name="a2")(h)
    h = L.Activation("relu", name="a_relu")(L.Add(name="a_add")([h, past]))
    past = L.Conv2D(4, 1, strides=2, name="b_past")(h)
    h = L.ZeroPadding2D(1, name="b_pad")(h)
    h = L.Conv2D(4, 3, strides=2, activation="tanh", name="b1")(h)
    h = L.Conv2D(4, 3, padding="same", name="b2")(h)
    h = L.Add(name="b_add")([past, h])
    return inputs, L.GlobalAveragePooling2D(name="pool")(h)


def inception(L):
    """Four ways that are joined along channels, then along rows."""
    inputs = L.Input(shape=(6, 5, 2))
    one = L.Conv2D(2, 1, activation="relu", name="one")(inputs)
    three = L.Conv2D(2, 1, activation="tanh", name="three_in")(inputs)
    three = L.Conv2D(3, 3, padding="same", activation="tanh", name="three")(three)
    pool = L.MaxPooling2D(3, strides=1, padding="same", name="pool")(inputs)
    pool = L.Conv2D(1, 1, name="pool_out")(pool)
    h = L.Concatenate(name="joined")([one, three, pool, inputs])
    low = L.Cropping2D(((3, 0), (0, 0)), name="low")(h)
    high = L.Cropping2D(((0, 3), (0, 0)), name="high")(h)
    h = L.Concatenate(axis=1, name="again")([low, high, low])
    h = L.Conv2D(2, 2, activation="relu", name="last")(h)
    return inputs, L.Flatten(name="flat")(h)


def bidirectional(L):
    """Recurrent layers in both directions, by times and at the end."""
    inputs = L.Input(shape=(5, 2))
    h = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(inputs)
    h = L.TimeDistributed(L.Dense(3, activation="tanh"), name="each")(h)
    h = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum", name="sum")(h)
    h = L.Bidirectional(L.SimpleRNN(2), merge_mode="ave", name="ave")(h)
    return inputs, h


def words(L):
    """A text padded by zeros, read in both directions."""
    inputs = L.Input(shape=(6,))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    h = L.Bidirectional(L.LSTM(2, return_sequences=True), name="both")(h)
    return inputs, L.GRU(3, name="last")(h)


def padded(L):
    """The same, all of whose times are then seen: those that are masked are 0."""
    inputs = L.Input(shape=(6,))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    h = L.Bidirectional(L.GRU(2, return_sequences=True), name="both")(h)
    h = L.Conv1D(2, 2, activation="tanh", name="conv")(h)
    return inputs, L.GlobalMaxPooling1D(name="pool")(h)


def autoencoder(L):
    """Strided, separable, and transposed convolutions; nearest neighbours."""
    inputs = L.Input(shape=(6, 6, 1))
    h = L.SeparableConv2D(3, 3, strides=2, padding="same", activation="tanh", depth_multiplier=2, name="separable")(inputs)
    h = L.Conv2DTranspose(2, 3, strides=2, padding="same", activation="relu", name="up")(h)
    h = L.Conv2D(2, 2, strides=2, name="down")(h)
    h = L.Conv2DTranspose(2, (2, 3), strides=(3, 1), padding="valid", name="wide")(h)
    h = L.UpSampling2D((1, 2), name="twice")(h)
    h = L.MaxPooling2D(2, name="pool")(h)
    return inputs, L.Flatten(name="flat")(h)


def frames(L):
    """Images one after the other: a small network for each, then a recurrent one."""
    inputs = L.Input(shape=(3, 4, 4, 1))
    h = L.TimeDistributed(L.Conv2D(2, 3, activation="tanh"), name="conv")(inputs)
    h = L.TimeDistributed(L.MaxPooling2D(2), name="pool")(h)
    h = L.TimeDistributed(L.Flatten(), name="flat")(h)
    return inputs, L.LSTM(2, name="lstm")(h)


def numbers(L):
    """Dense layers: means, differences, repeats, other orders of axes."""
    inputs = L.Input(shape=(3,))
    a = L.Dense(4, activation="tanh", name="a")(inputs)
    b = L.Dense(4, activation="sigmoid", name="b")(inputs)
    mean = L.Average(name="mean")([a, b, a])
    less = L.Subtract(name="less")([mean, L.Dense(4, name="c")(inputs)])
    h = L.RepeatVector(3, name="repeat")(less)
    h = L.Permute((2, 1), name="turned")(h)
    h = L.ZeroPadding1D((1, 2), name="pad")(h)
    h = L.Conv1D(2, 3, activation="tanh", name="conv")(h)
    h = L.UpSampling1D(2, name="twice")(h)
    h = L.Cropping1D((1, 2), name="crop")(h)
    return inputs, L.SimpleRNN(3, name="rnn")(h)


def transformer(L):
    """A text padded by zeros: a block of an encoder (Vaswani et al. 2017), and means over its words."""
    inputs = L.Input(shape=(6,))
    x = L.Embedding(9, 4, mask_zero=True, name="words")(inputs)
    h = L.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = L.LayerNormalization(name="first")(L.Add(name="past_attention")([x, h]))
    h = L.TimeDistributed(L.Dense(5, activation="gelu"), name="wide")(x)
    h = L.TimeDistributed(L.Dense(4), name="narrow")(h)
    x = L.LayerNormalization(name="second")(L.Add(name="past_both")([x, h]))
    return inputs, L.GlobalAveragePooling1D(name="mean")(x)


def crossed(L):
    """A sequence that asks another, which is shorter; with other sizes, without biases."""
    inputs = L.Input(shape=(5, 3))
    asks = L.Conv1D(2, 2, activation="tanh", name="asks")(inputs)
    value = L.Conv1D(3, 3, activation="tanh", name="told")(inputs)
    key = L.Conv1D(4, 3, name="keys")(inputs)
    h = L.MultiHeadAttention(3, 2, value_dim=1, output_shape=3, use_bias=False, name="crossed")(asks, value, key)
    h = L.MultiHeadAttention(1, 3, name="again")(h, inputs)
    return inputs, L.LSTM(2, name="last")(h)


def longer(L):
    """A text padded by zeros, and behind it in time a convolution of it whose times are all there."""
    inputs = L.Input(shape=(6,))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    h = L.Concatenate(axis=1, name="joined")([h, L.Conv1D(3, 2, activation="tanh", name="conv")(h), h])
    h = L.ReLU(negative_slope=0.3, name="relu")(h)
    h = L.AlphaDropout(0.0, name="alpha")(h)
    h = L.GRU(4, return_sequences=True, name="gru")(h)
    h = L.GroupNormalization(2, name="group")(h)
    h = L.ELU(name="elu")(h)
    return inputs, L.GlobalAveragePooling1D(name="mean")(h)


def either(L):
    """The sum of two sequences with masks of their own: times are there that one of them has."""
    inputs = L.Input(shape=(6,))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    other = L.Cropping1D((0, 3), name="cut")(L.Embedding(9, 3, name="others")(inputs))
    other = L.Masking(name="masked")(L.ZeroPadding1D((0, 3), name="pad")(other))
    h = L.Add(name="sum")([h, other])
    h = L.LSTM(2, return_sequences=True, name="first")(h)
    return inputs, L.LSTM(3, name="last")(h)


def documents(L):
    """Sentences of words, all padded by zeros: a recurrent layer for each."""
    inputs = L.Input(shape=(3, 4))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    h = L.Activation("tanh", name="tanh")(h)
    h = L.TimeDistributed(L.GRU(3, activation="relu"), name="sentences")(h)
    return inputs, L.Flatten(name="flat")(h)


def merged(L):
    """Dense layers as products, largest and smallest values, and cosines."""
    inputs = L.Input(shape=(3,))
    a, b = L.Dense(4, activation="tanh", name="a")(inputs), L.Dense(4, activation="relu", name="b")(inputs)
    c = L.Dense(4, activation="relu", name="c")(inputs)
    times = L.Multiply(name="times")([a, b, a])
    high = L.Maximum(name="high")([b, c, L.Dense(1, name="level")(inputs)])
    low = L.Minimum(name="low")([times, high])
    inner = L.Dot(1, name="inner")([a, high])
    cosine = L.Dot(axes=-1, normalize=True, name="cosine")([L.Dense(4, name="d")(inputs), a])
    return inputs, L.Concatenate(name="joined")([low, inner, cosine])


def excited(L):
    """Squeeze and excitation (Hu, Shen & Sun 2018, CVPR, 7132), a mask over positions, normalisation over several axes."""
    inputs = L.Input(shape=(5, 4, 2))
    h = L.Conv2D(4, 2, activation="relu", name="conv")(inputs)
    h = L.LayerNormalization(axis=(2, 3), name="rows")(h)
    s = L.Dense(2, activation="relu", name="squeeze")(L.GlobalAveragePooling2D(name="mean")(h))
    s = L.Reshape((1, 1, 4), name="one")(L.Dense(4, activation="sigmoid", name="excite")(s))
    h = L.Multiply(name="excited")([h, s])
    where = L.Conv2D(1, 1, activation="sigmoid", name="where")(h)
    h = L.Multiply(name="there")([where, h])
    h = L.LayerNormalization(axis=-1, epsilon=0.01, name="channels")(L.Add(name="more")([h, s, where]))
    h = L.LayerNormalization(axis=[1, 2, 3], name="all")(h)
    return inputs, L.Flatten(name="flat")(h)


def dotted(L):
    """Attention by hand (Luong, Pham & Manning 2015, EMNLP, 1412), and a recurrent layer whose reset gate comes first."""
    inputs = L.Input(shape=(5, 2))
    h = L.GRU(3, return_sequences=True, reset_after=False, name="gru")(inputs)
    asks = L.Conv1D(3, 2, activation="tanh", name="asks")(inputs)
    scores = L.Dot((2, 2), name="scores")([asks, h])
    shares = L.Activation("softmax", name="shares")(scores)
    seen = L.Dot(axes=(2, 1), name="seen")([shares, h])
    seen = L.LayerNormalization(axis=[1, 2], name="norm")(seen)
    return inputs, L.GRU(2, reset_after=False, go_backwards=True, use_bias=False, name="last")(seen)


def both_masked(L):
    """Products, largest and smallest values of two sequences with masks of their own, and of one without."""
    inputs = L.Input(shape=(6,))
    h = L.Embedding(9, 3, mask_zero=True, name="words")(inputs)
    other = L.Cropping1D((0, 3), name="cut")(L.Embedding(9, 3, name="others")(inputs))
    other = L.Masking(name="masked")(L.ZeroPadding1D((0, 3), name="pad")(other))
    plain = L.Embedding(9, 3, name="plain")(inputs)
    h = L.Maximum(name="high")([other, L.Multiply(name="times")([h, other])])
    h = L.Minimum(name="low")([other, h])
    h = L.GRU(2, return_sequences=True, reset_after=False, name="first")(h)
    whole = L.Flatten(name="flat")(L.Maximum(name="there")([L.Multiply(name="all")([plain, other]), plain]))
    return inputs, L.Concatenate(name="joined")([L.LSTM(3, name="last")(h), whole])


MODELS = {
    model.__name__: model
    for model in (resnet, inception, bidirectional, words, autoencoder, frames, numbers, transformer, crossed, padded, longer,
                  either, documents, merged, excited, dotted, both_masked)
}
TEXTS = ("words", "padded", "transformer", "longer", "either", "documents", "both_masked")
SHAPES = {"resnet": (6, 6, 2), "inception": (6, 5, 2), "bidirectional": (5, 2), "words": (6,), "autoencoder": (6, 6, 1),
          "frames": (3, 4, 4, 1), "numbers": (3,), "transformer": (6,), "crossed": (5, 3),
          "padded": (6,), "longer": (6,), "either": (6,), "documents": (3, 4),
          "merged": (3,), "excited": (5, 4, 2), "dotted": (5, 2), "both_masked": (6,)}  # fmt: skip
