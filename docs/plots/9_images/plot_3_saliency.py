"""
Saliency
========

How much each pixel bears on the class that is predicted.
"""

import neuralstat as ns
from neuralstat.layers import Conv2D, Flatten, MaxPool2D

images = ns.datasets.digits()
layers = [Conv2D(8, 3, "relu"), MaxPool2D(2), Flatten()]
fit = ns.neuralnet(
    "digit ~ pixels", images, layers=layers, family="multinomial", algorithm="adam", epochs=10, random_state=1
)
few = {name: values[:6] for name, values in images.items()}
ns.plots.plot_saliency(few["pixels"], ns.insight.saliency(fit, few), labels=few["digit"])
