"""Dock widget *Scorecard*: how often a head changes its mind when it must not."""
