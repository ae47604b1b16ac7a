"""
Two covariates together
=======================

What they do beyond what each does alone.
"""

import neuralstat as ns

data = ns.datasets.friedman1(n=300, noise=1.0, random_state=1)
fit = ns.neuralnet("y ~ .", data, hidden=6, penalty=ns.decay(0.1), random_state=1)
fit.plot_effects(["x1", "x2"], "pdp")
