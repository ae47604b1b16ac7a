"""Layers as products of matrices at positions: dense, convolutional, and what recurrent layers do at all times at once.

At position p = (r, c) of the output, filter f is ``sum_q w_fq x_row(p, q)`` with q = (a, b, k): element (a, b) of the
kernel, channel k of position (r s + a d - pad, c s + b d - pad) of the input. A dense layer has one position.
"""

from __future__ import annotations

import numpy as np

from ....layers import codes
from ....layers.gru import GATES as GRU_GATES
from ....layers.lstm import GATES as LSTM_GATES
from ....layers.recurrent_rows import BACKWARDS, NO_BIAS, RESET_FIRST

W0, WF, BIAS, F, C, KR, KC, ROWS, COLS, OUT_ROWS, OUT_COLS = range(11)
STRIDE_ROWS, STRIDE_COLS, PAD_ROWS, PAD_COLS, DILATION_ROWS, DILATION_COLS = range(11, 17)
IN0, IN_STEP, OUT0, OUT_STEP = range(17, 21)
COLUMNS = 21


def product(**given: int) -> np.ndarray:
    """A row of the table of products, (COLUMNS,) int64; what is not given is 1, or 0 for padding.

    Keys: w0, wf first weight (after biases) and weights from filter to filter; bias first bias or -1; f, c filters and
    channels; in0, in_step, out0, out_step first row and rows from position to position; names of `layers.codes`.
    """
    row = np.ones(COLUMNS, np.int64)
    row[[PAD_ROWS, PAD_COLS]] = 0
    for name, value in given.items():
        row[globals()[name.upper()]] = value
    return row


def dense(row: np.ndarray) -> np.ndarray:
    """Product of a dense layer."""
    w, n_in = int(row[codes.PARAM]), int(row[codes.N_IN])
    return product(w0=w + 1, wf=n_in + 1, bias=w, f=row[codes.N_OUT], c=n_in, in0=row[codes.SOURCE],
                   in_step=n_in, out0=row[codes.TARGET], out_step=row[codes.N_OUT])  # fmt: skip


def convolution(row: np.ndarray) -> np.ndarray:
    """Product of a convolution."""
    w, channels = int(row[codes.PARAM]), int(row[codes.CHANNELS])
    per_filter = 1 + int(row[codes.KERNEL_ROWS] * row[codes.KERNEL_COLS]) * channels
    names = ("rows", "cols", "out_rows", "out_cols", "stride_rows", "stride_cols", "pad_rows", "pad_cols",
             "dilation_rows", "dilation_cols")  # fmt: skip
    same = {name: int(row[getattr(codes, name.upper())]) for name in names}
    return product(w0=w + 1, wf=per_filter, bias=w, f=row[codes.FILTERS], c=channels, kr=row[codes.KERNEL_ROWS],
                   kc=row[codes.KERNEL_COLS], in0=row[codes.SOURCE], in_step=channels, out0=row[codes.TARGET],
                   out_step=row[codes.FILTERS], **same)  # fmt: skip


def hidden(row: np.ndarray, t: int, kept: int) -> int:
    """First row of h at time t; see `layers.recurrent.hidden_row`."""
    if row[codes.SEQUENCES] != 0:
        return int(row[codes.TARGET] + t * row[codes.UNITS])
    if t == row[codes.TIMES] - 1:
        return int(row[codes.TARGET])
    return int(row[codes.SCRATCH] + (row[codes.TIMES] * kept + t) * row[codes.UNITS])


def recurrent(row: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Products of a recurrent layer: of the inputs of all times, and those of states, for gradients alone.

    The state before time t is row t - 1 of an image that is padded by one; h of the last time is never read.
    """
    op, units, features = int(row[codes.OP]), int(row[codes.UNITS]), int(row[codes.FEATURES])
    w, times, source = int(row[codes.PARAM]), int(row[codes.TIMES]), int(row[codes.SOURCE])
    gates, kept = {codes.LSTM: (4, LSTM_GATES), codes.GRU: (3, GRU_GATES), codes.SIMPLE_RNN: (1, 0)}[op]
    resets = bool(row[codes.OPTIONS] & RESET_FIRST)
    biases = 0 if row[codes.OPTIONS] & NO_BIAS else 2 if op == codes.GRU and not resets else 1
    wf, backwards = biases + features + units, bool(row[codes.OPTIONS] & BACKWARDS)
    step = -features if backwards else features  # of the inputs, from one step to the next
    source += (times - 1) * features if backwards else 0
    inputs = {"w0": w + biases, "wf": wf, "bias": w if biases else -1, "c": features, "in_step": step}
    state = {"wf": wf, "c": units, "in_step": units, "in0": hidden(row, 0, kept), "pad_rows": 1}
    if op == codes.SIMPLE_RNN:  # gate and h are one row
        runs = [(0, times)] if row[codes.SEQUENCES] != 0 else [(0, times - 1), (times - 1, 1)]
        of_input, of_state = [], []
        for first, n in runs:
            if n == 0:
                continue
            where = {"out0": hidden(row, first, 0), "out_step": units, "out_rows": n, "f": units}
            of_input.append(product(**inputs, **where, rows=n, in0=source + first * step))
            if first == 0:
                of_state.append(product(**state, **where, rows=n, w0=w + biases + features, bias=-1))
            else:
                before = {**state, "in0": hidden(row, first - 1, 0), "pad_rows": 0}
                of_state.append(product(**before, **where, rows=n, w0=w + biases + features, bias=-1))
        return of_input, of_state
    where = {"out0": int(row[codes.SCRATCH]), "out_step": kept * units, "out_rows": times, "rows": times}
    of_input = [product(**inputs, **where, in0=source, f=gates * units)]
    if op == codes.LSTM:
        return of_input, [product(**state, **where, f=4 * units, w0=w + biases + features, bias=-1)]
    last, none = w + 2 * units * wf, biases == 0
    if resets:  # candidates see r h, which lies where brackets do
        reset = {"wf": wf, "c": units, "in_step": kept * units, "in0": where["out0"] + 3 * units}
        return of_input, [
            product(**state, **where, f=2 * units, w0=w + biases + features, bias=-1),
            product(**reset, **{**where, "out0": where["out0"] + 2 * units}, f=units, w0=last + biases + features, bias=-1),
        ]
    bracket = {**where, "out0": where["out0"] + 3 * units}
    return of_input, [
        product(**state, **where, f=2 * units, w0=w + biases + features, bias=-1 if none else w + 1),
        product(**state, **bracket, f=units, w0=last + biases + features, bias=-1 if none else last + 1),
    ]
