"""neuralstat: R-style statistical modelling with neural networks."""

__version__ = "0.1.0"
