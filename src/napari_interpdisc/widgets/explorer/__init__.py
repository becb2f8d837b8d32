"""Dock widget *Latent explorer*: sliders and the decoded cell."""
