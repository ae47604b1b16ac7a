"""
Calibration
===========

Whether distributions that were predicted are as wide as they should be.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
fit = ns.neuralnet(
    "accel ~ times", data, hidden=6, family="gaussian", dispformula="~ times", penalty=ns.decay(0.01), random_state=1
)
fit.plot_calibration()
