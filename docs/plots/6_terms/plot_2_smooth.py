"""
A smooth with partial residuals
===============================
"""

import neuralstat as ns

fit = ns.neuralnet("accel ~ s(times, k=20)", ns.datasets.mcycle())
fit.plot_terms(partial_residuals=True)
