"""
Layers as blocks
================

Convolutional and recurrent networks are drawn layer by layer.
"""

import neuralstat as ns
from neuralstat.layers import Conv2D, Dense, Flatten, MaxPool2D

images = ns.datasets.digits()
layers = [Conv2D(8, 3, "relu"), MaxPool2D(2), Flatten(), Dense(16, "relu")]
fit = ns.neuralnet(
    "digit ~ pixels", images, layers=layers, family="multinomial", algorithm="adam", epochs=1, random_state=1
)
fit.plot()
