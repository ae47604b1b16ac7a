"""
Pictures in a grid
==================
"""

import neuralstat as ns

images = ns.datasets.digits()
ns.plots.plot_images(images["pixels"][:24], labels=images["digit"][:24], columns=8)
