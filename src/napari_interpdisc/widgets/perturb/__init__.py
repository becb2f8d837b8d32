"""Dock widget *Perturb*: adversarial perturbations as layers."""
