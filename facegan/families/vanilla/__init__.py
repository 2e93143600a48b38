"""The family ``vanilla``: the original GAN with dense networks."""
