"""Dock widget *Classify*: the overlay of classes."""
