"""Looking inside a fit on arrays.

Filters, feature maps, what each pixel and each part of an image does, what a filter answers to, how little it takes to
mislead a classifier, and how much predictions vary under dropout.
"""

from .attack import Attack, one_pixel_attack
from .attributions import grad_cam, integrated_gradients, occlusion
from .dropout import dropout_intervals
from .gradients import Maximised, feature_maps, filters, maximise_filter, saliency

__all__ = [
    "Attack",
    "Maximised",
    "dropout_intervals",
    "feature_maps",
    "filters",
    "grad_cam",
    "integrated_gradients",
    "maximise_filter",
    "occlusion",
    "one_pixel_attack",
    "saliency",
]
