"""
Restarts and optima
===================

Errors of all repetitions in order: repetitions that ended at the same optimum stand side by side.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
fit = ns.neuralnet("accel ~ times", data, hidden=8, algorithm="lm", penalty=ns.decay(0.001), rep=40, random_state=1)
fit.plot_restarts()
