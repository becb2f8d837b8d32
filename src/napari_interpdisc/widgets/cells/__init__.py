"""Dock widget *Cells*: choose, detect, encode."""
