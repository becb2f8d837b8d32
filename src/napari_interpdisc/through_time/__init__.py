"""Classes through time: states along tracks, their durations, and what happens at an event."""
