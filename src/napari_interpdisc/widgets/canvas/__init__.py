"""What is drawn on, and read from, the layers of the viewer."""
