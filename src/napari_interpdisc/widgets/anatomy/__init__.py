"""Dock widget *Anatomy*."""
