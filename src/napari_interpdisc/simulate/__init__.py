"""Simulated movies and crops with known factors."""
