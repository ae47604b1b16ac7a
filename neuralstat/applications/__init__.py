"""Networks that others have trained, with weights from a file that you have."""

from __future__ import annotations

from .application import Application
from .images import MEANS, decode_predictions, preprocess_input
from .keras_model import KerasModel, from_keras
from .mobilenet import MobileNetV2
from .resnet import ResNet50
from .vgg_family import VGG16, VGG19, vgg

__all__ = [
    "MEANS", "VGG16", "VGG19", "Application", "KerasModel", "MobileNetV2", "ResNet50", "decode_predictions", "from_keras",
    "preprocess_input", "vgg",
]  # fmt: skip
