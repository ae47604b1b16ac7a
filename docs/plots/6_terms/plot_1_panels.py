"""
A panel for each term
=====================

What each term adds to the linear predictor, with its standard error.
"""

import neuralstat as ns

data = ns.datasets.friedman1(n=300, noise=1.0, random_state=1)
fit = ns.neuralnet("y ~ x4 + s(x3) + nn(x1, x2, hidden=5)", data, random_state=1)
fit.plot_terms()
