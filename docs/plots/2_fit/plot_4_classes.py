"""
Classes
=======

How often each class was taken for which.
"""

import neuralstat as ns

iris = ns.datasets.iris()
fit = ns.neuralnet("Species ~ .", iris, hidden=3, family="multinomial", penalty=ns.decay(0.1), random_state=1)
fit.plot_fit()
