"""Columns and op codes of the layer table: all that kernels see of a network.

A table has one row per layer, int64. Units of all layers are rows of one buffer ``value (width, block)``;
a layer reads the rows ``[SOURCE, SOURCE + N_IN)`` and writes ``[TARGET, TARGET + N_OUT)``. Its weights start at
``PARAM`` of the flat vector: unit by unit, bias first.
"""

from __future__ import annotations

from typing import NamedTuple

OP = 0  # what the layer does: DENSE, CONV2D, LSTM, ...
PARAM = 1  # first weight in the flat vector
SOURCE = 2  # first row that is read
N_IN = 3  # number of rows that are read
TARGET = 4  # first row that is written
N_OUT = 5  # number of rows that are written
ACT = 6  # code of the activation
ADDRESS = 7  # address of a user's compiled activation, else 0
SCRATCH = 8  # first of the layer's private rows (gates of an LSTM)
# Geometry. Images are (row, column, channel), sequences (time, feature), the last index running fastest.
ROWS, COLS, CHANNELS = 9, 10, 11
OUT_ROWS, OUT_COLS, FILTERS = 12, 13, 14
KERNEL_ROWS, KERNEL_COLS = 15, 16
STRIDE_ROWS, STRIDE_COLS = 17, 18
PAD_ROWS, PAD_COLS = 19, 20
DILATION_ROWS, DILATION_COLS = 21, 22
TIMES, FEATURES, UNITS, SEQUENCES = ROWS, CHANNELS, FILTERS, STRIDE_ROWS  # a recurrent layer's names for them
OFFSET = 23  # first row of known parts of the linear predictor, added before the activation; -1 for none
KIND = 24  # of a pooling layer: MAXIMUM or MEAN; of dropout: 1 for whole channels; of PRELU and NOISE: see there
# Of moves of units (`layers.move`): strides over source and target, and whether they add
STRIDE_CHANNELS = 25
SPREAD_ROWS, SPREAD_COLS = 26, 27
ADDS = 28  # 1: adds to what lies at the target; 2: going back, adds to the delta of the source; 3: both
MASK = 29  # first row of a recurrent or attention layer's mask, a unit for each time; -1 for none
OPTIONS = 30  # what else a layer does that is not common, by bits
WANTED = 31  # 1: the gradient of its weights; 2: the delta of its inputs; 3: both
COLUMNS = 32

DENSE, CONV2D, LSTM, POOL, SIMPLE_RNN, GRU, EMBEDDING, BATCH_NORM, DROPOUT, COPY, MOVE = range(1, 12)
LAYER_NORM, DEPTHWISE, PRELU, NOISE, ATTENTION, MASKING, POSITION, MERGE = range(12, 20)
MAXIMUM, MEAN = 0, 1

IMAGES = (CONV2D, POOL)
RECURRENT = (LSTM, SIMPLE_RNN, GRU)
OTHERS = (EMBEDDING, BATCH_NORM, DROPOUT, COPY)
MORE = (MOVE, LAYER_NORM, DEPTHWISE, PRELU, NOISE, MASKING, ATTENTION, POSITION, MERGE)  # and means of what masks leave
OF_TRAINING = (BATCH_NORM, DROPOUT, NOISE)  # layers that do one thing in training, another in prediction


class Layered(NamedTuple):
    """Families of layers other than dense ones that a network has: 0 or 1."""

    images: int = 0
    recurrent: int = 0
    others: int = 0
    more: int = 0
    training: int = 0
    any: int = 0  # whether there are others than dense ones
