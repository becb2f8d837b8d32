"""Dock widget *Gallery*: crops of many cells side by side."""
