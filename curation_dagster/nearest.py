"""Names that a misspelt one may have meant, for messages."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Write the names nearest to a misspelt one, to go into a message; nothing if none is near.

    >>> nearest("gopher_word_cont", ["gopher_word_count", "c4_char_count"])
    '; did you mean gopher_word_count?'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    near += [n for n in names if name in n and n not in near][: 3 - len(near)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
