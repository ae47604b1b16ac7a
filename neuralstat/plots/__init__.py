"""Plots from plain arrays; every function takes ``ax=`` and returns the Axes drawn on.

Nothing here shows a figure. Without ``ax`` a new figure is made, which a notebook displays by itself.
"""

from neuralstat.plots.architecture import plot_layers
from neuralstat.plots.diagnostics import plot_diagnostics, plot_spectrum
from neuralstat.plots.diagram import plot_network
from neuralstat.plots.error import plot_error
from neuralstat.plots.fit import plot_confusion, plot_fit, plot_observed_fitted
from neuralstat.plots.generalized import gwplot
from neuralstat.plots.history import plot_history
from neuralstat.plots.pictures import plot_images, plot_saliency
from neuralstat.plots.restarts import plot_restarts

__all__ = [
    "gwplot",
    "plot_confusion",
    "plot_diagnostics",
    "plot_error",
    "plot_fit",
    "plot_history",
    "plot_images",
    "plot_layers",
    "plot_network",
    "plot_observed_fitted",
    "plot_restarts",
    "plot_saliency",
    "plot_spectrum",
]
