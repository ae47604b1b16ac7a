"""
Four panels
===========

As those of R's ``plot.lm``: residuals, their quantiles, their size, leverage.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
fit = ns.neuralnet("accel ~ times", data, hidden=6, algorithm="lm", penalty=ns.decay(0.01), random_state=1)
fit.plot_diagnostics()
