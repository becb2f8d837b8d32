"""Whole experiments: many images with their cells, in parts that a stopped run does not redo."""
