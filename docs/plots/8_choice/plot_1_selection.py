"""
The criterion along a search
============================

Cross-validated error with its standard error, and what was chosen.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
choice = ns.select("accel ~ times", data, hidden=range(1, 9), algorithm="lm", stepmax=1000, rep=3, random_state=1)
choice.plot()
