"""The family ``r3gan``: R3GAN."""
