"""
Filters
=======

Weights of a convolution as pictures.
"""

import neuralstat as ns
from neuralstat.layers import Conv2D, Flatten, MaxPool2D

images = ns.datasets.digits()
layers = [Conv2D(8, 3, "relu"), MaxPool2D(2), Flatten()]
fit = ns.neuralnet(
    "digit ~ pixels", images, layers=layers, family="multinomial", algorithm="adam", epochs=10, random_state=1
)
filters = ns.insight.filters(fit, "conv2d")
ns.plots.plot_images(filters, signed=True)
