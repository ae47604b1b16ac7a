"""Networks that others have trained, with weights from a file that you have."""

from __future__ import annotations

from .application import Application
from .images import MEANS as MEANS
from .images import decode_predictions, preprocess_input
from .keras_model import KerasModel
from .mobilenet import MobileNetV2
from .resnet import ResNet50
from .vgg_family import VGG16, VGG19, vgg

__all__ = [
    "VGG16", "VGG19", "Application", "KerasModel", "MobileNetV2", "ResNet50", "decode_predictions", "preprocess_input", "vgg",
]  # fmt: skip
