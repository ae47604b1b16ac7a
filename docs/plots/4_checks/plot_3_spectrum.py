"""
Eigenvalues of the Hessian
==========================

How many directions in the space of weights the data determine.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
fit = ns.neuralnet("accel ~ times", data, hidden=6, algorithm="lm", penalty=ns.decay(0.01), random_state=1)
fit.plot_spectrum()
