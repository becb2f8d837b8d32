"""Tensors only: encoder, heads, and how they are stored."""
