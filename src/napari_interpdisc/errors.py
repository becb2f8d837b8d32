"""The faults that a user can meet, each carried by one readable sentence."""

from __future__ import annotations


class InterpdiscError(Exception):
    """Base of every fault this package reports: the message says what was wrong and what to do."""


class InvalidInput(InterpdiscError, ValueError):
    """The images, centroids or settings that were given cannot be used as they are."""


class InvalidModel(InterpdiscError, ValueError):
    """A stored model is damaged, incomplete, or does not fit what it is used for."""


class MissingExtra(InterpdiscError, ImportError):
    """An optional package is needed and is not installed."""


class Cancelled(InterpdiscError):
    """The user stopped a running computation; nothing was changed."""
