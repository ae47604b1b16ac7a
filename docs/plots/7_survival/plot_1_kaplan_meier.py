"""
Kaplan-Meier curves
===================

Of data, without a model.
"""

import neuralstat as ns

lung = ns.datasets.lung()
ns.kaplan_meier("Surv(time, status == 2) ~ sex", lung).plot()
