"""Dock widget *Plot*: cells as points over any two of their numbers."""
