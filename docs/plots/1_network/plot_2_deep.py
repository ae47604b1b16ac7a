"""
Three hidden layers
===================

Of large networks weights are drawn without their numbers.
"""

import neuralstat as ns

data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=(10, 5, 15), rep=3, random_state=1)
fit.plot()
