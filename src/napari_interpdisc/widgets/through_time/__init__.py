"""Dock widget *Through time*: states along tracks, durations, counts, and an event."""
