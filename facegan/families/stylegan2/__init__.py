"""The family ``stylegan2``: StyleGAN2."""
