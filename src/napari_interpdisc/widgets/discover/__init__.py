"""Dock widget *Discover*: annotations, training, the front of formulas."""
