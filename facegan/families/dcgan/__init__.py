"""The family ``dcgan``: deep convolutional GANs."""
