"""Plots from plain arrays; every function takes ``ax=`` and returns the Axes drawn on.

Nothing here shows a figure. Without ``ax`` pyplot's current axes are drawn in while nothing is in them, else a new figure of
pyplot: ``plt.savefig`` and ``plt.show`` find the picture, and a notebook displays it by itself. As pyplot's figures are kept
until they are closed (``plt.close``), programs that draw many give ``ax``.
"""

from neuralstat.plots.architecture import plot_layers
from neuralstat.plots.calibration import plot_calibration
from neuralstat.plots.diagnostics import plot_diagnostics, plot_spectrum
from neuralstat.plots.diagram import plot_network
from neuralstat.plots.error import plot_error
from neuralstat.plots.fit import plot_confusion, plot_fit, plot_observed_fitted
from neuralstat.plots.generalized import gwplot
from neuralstat.plots.history import plot_history
from neuralstat.plots.live import LivePlot
from neuralstat.plots.pictures import plot_images, plot_saliency
from neuralstat.plots.restarts import plot_restarts
from neuralstat.plots.survival import plot_survival
from neuralstat.plots.terms import plot_terms

__all__ = [
    "LivePlot",
    "gwplot",
    "plot_calibration",
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
    "plot_survival",
    "plot_terms",
]
