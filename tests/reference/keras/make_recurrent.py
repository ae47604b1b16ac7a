"""Make recurrent.json: variants of recurrent layers as Keras 3 trains them in float64. Needs Keras 3.15 and torch.

As make_layers.py, whose functions it uses. Ids are padded by zeros, before and after; sequences for Masking have times at
which all features are the mask's value, some rows no other.
"""

import json
from pathlib import Path

import keras
import numpy as np
import torch
from make_layers import OPTIMIZERS, fit, named

KINDS = ("SimpleRNN", "LSTM", "GRU")
EMBEDDING = ("Embedding", {"input_dim": 8, "output_dim": 2, "mask_zero": True})
MASKING = ("Masking", {"mask_value": 0.5})
GATES = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}
CASES = {
    **{f"masked_{kind}": ((6,), [EMBEDDING, (kind, {"units": 3})]) for kind in KINDS},
    **{f"stacked_{kind}": ((6,), [
        EMBEDDING, ("Dropout", {"rate": 0.0}), (kind, {"units": 3, "return_sequences": True}),
        ("Activation", {"activation": "tanh"}), (kind, {"units": 2, "go_backwards": True})]) for kind in KINDS},
    **{f"backwards_{kind}": ((5, 2), [(kind, {"units": 3, "return_sequences": True, "go_backwards": True}), ("Flatten", {})])
       for kind in KINDS},
    **{f"masking_{kind}": ((5, 2), [MASKING, (kind, {"units": 3, "use_bias": False, "return_sequences": True}),
                                    (kind, {"units": 2})]) for kind in KINDS},
    **{f"activations_{kind}": ((5, 2), [(kind, {"units": 3, **(GATES if kind != "SimpleRNN" else {"activation": "relu"})})])
       for kind in KINDS},
    "linear": ((5, 2), [("LSTM", {"units": 3, "activation": None, "recurrent_activation": "sigmoid"})]),
    "softplus": ((5, 2), [("GRU", {"units": 3, "activation": "softplus", "recurrent_activation": "tanh"})]),
    "selu": ((5, 2), [MASKING, ("SimpleRNN", {"units": 3, "activation": "selu"})]),
    "flattened": ((4,), [EMBEDDING, ("LSTM", {"units": 2, "return_sequences": True}), ("Flatten", {})]),
    "mean": ((6,), [EMBEDDING, ("GlobalAveragePooling1D", {})]),
    "one_time": ((1,), [EMBEDDING, ("GRU", {"units": 2})]),
}  # fmt: skip
ROWS = 20


def data(rng, shape, layers):
    kind, arguments = layers[0]
    if kind == "Embedding":
        x = rng.integers(1, arguments["input_dim"], (ROWS, *shape))
        for k in range(ROWS):  # no word, words before padding, words behind it
            n = int(rng.integers(0 if layers[1][0] != "GlobalAveragePooling1D" else 1, shape[0] + 1))
            x[k, n:] = 0
            x[k] = x[k] if k % 2 else x[k, ::-1]
    else:
        x = rng.standard_normal((ROWS, *shape)).round(3)
        if kind == "Masking":
            x[rng.random((ROWS, shape[0])) < 0.4] = arguments["mask_value"]
            x[0] = arguments["mask_value"]
    return x, rng.standard_normal((ROWS, 1)).round(3)


def main():
    out = {"keras": keras.__version__, "cases": {}}
    for k, (name, (shape, layers)) in enumerate(CASES.items()):
        rng = np.random.default_rng(100 + k)
        keras.backend.clear_session()
        made = [getattr(keras.layers, kind)(**arguments) for kind, arguments in layers]
        model = keras.Sequential([keras.Input(shape), *made, keras.layers.Dense(1)])
        start = [(rng.standard_normal(w.shape) / np.sqrt(max(w.shape[0], 1))).round(3) for w in model.weights]
        x, y = data(rng, shape, layers)
        tensors = [torch.tensor(a.astype(float)) for a in (x, y, x[:4])]
        model.set_weights(start)
        case = {"layers": layers, "start": named(model), "x": x.tolist(), "y": y.tolist(),
                "fit": fit(model, start, "sse", *tensors, *OPTIMIZERS["momentum"], 10, ROWS)}  # fmt: skip
        out["cases"][name] = case
    Path(__file__).with_name("recurrent.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
