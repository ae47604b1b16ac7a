"""Looking inside a fit on arrays.

Filters, feature maps, what each pixel does, what a filter answers to, how little it takes to mislead a classifier, and how
much predictions vary under dropout.
"""

from .attack import Attack, one_pixel_attack
from .dropout import dropout_intervals
from .gradients import Maximised, feature_maps, filters, maximise_filter, saliency

__all__ = [
    "Attack",
    "Maximised",
    "dropout_intervals",
    "feature_maps",
    "filters",
    "maximise_filter",
    "one_pixel_attack",
    "saliency",
]
