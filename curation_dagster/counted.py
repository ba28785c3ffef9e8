"""A number and its noun, as messages write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a number and a noun that takes an s.

    >>> counted(1, "damaged range"), counted(1200, "byte"), counted(0, "file")
    ('1 damaged range', '1,200 bytes', '0 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
