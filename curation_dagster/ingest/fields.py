"""Header fields as WARC (ISO 28500, 4) and HTTP (RFC 9112, 5) write them: a name, a colon, a value that may go on.

Not here: which of two equal names wins, which differs.
"""

from __future__ import annotations

import re
from typing import Final

_FOLD: Final = re.compile(r"\r?\n[ \t]+")


def unfolded(text: str) -> str:
    r"""Join the lines of values that go on, by a space.

    >>> unfolded("a: 1\r\n  2\nb: 3")
    'a: 1 2\nb: 3'
    """
    return _FOLD.sub(" ", text) if "\n " in text or "\n\t" in text else text


def named(line: str) -> tuple[str, str] | None:
    """Split a line into a name in lower case and a value; None where it has no colon.

    >>> named("Content-Type:  text/html "), named("nothing")
    (('content-type', 'text/html'), None)
    """
    name, colon, value = line.partition(":")
    return (name.strip().lower(), value.strip()) if colon else None
