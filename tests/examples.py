"""How many examples a cheap property gets: no fewer than it needs, and as many as a longer run asks for."""

from __future__ import annotations

from hypothesis import settings


def at_least(count: int) -> settings:
    """So many examples, or those of the profile where these are more: else ``nightly`` would find nothing new."""
    return settings(max_examples=max(count, settings().max_examples))
