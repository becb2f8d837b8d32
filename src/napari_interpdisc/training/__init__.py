"""Fit encoders and heads."""
