"""Others' text for a terminal. Imports nothing that could be missing."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """A stranger's text without what would control a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
