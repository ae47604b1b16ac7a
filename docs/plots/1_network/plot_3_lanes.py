"""
Terms side by side
==================

A structured formula: each term has a lane of its own.
"""

import neuralstat as ns

sleep = ns.datasets.sleepstudy()
fit = ns.neuralnet("Reaction ~ nn(Days, hidden=3) + (1 | Subject)", sleep, random_state=1)
fit.plot()
