"""Fits for other programs: ONNX and Keras models, xarray data sets, tables of estimates."""

from __future__ import annotations

from .data_set import to_xarray
from .keras_file import to_keras
from .onnx_file import to_onnx
from .walk import model_inputs

__all__ = ["model_inputs", "to_keras", "to_onnx", "to_xarray"]
