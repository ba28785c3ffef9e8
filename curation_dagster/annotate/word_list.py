"""Word lists that a recipe names: one entry a line, JSON Lines, or a JSON array; plain or gzip.

A line of JSON is a string, or an object with the entry under `word`. Blank lines are left out. White space around
an entry does not count; all else does, case included.
"""

from __future__ import annotations

import functools
import gzip
import json
from typing import TYPE_CHECKING

import numpy as np

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


@functools.lru_cache(maxsize=16)
def word_list(path: Path, sha256: str) -> tuple[str, ...]:  # noqa: ARG001 - other bytes are another list
    """Read a list: its entries once each, sorted.

    Raises:
        RecipeError: the file is not UTF-8, or an entry is no string.
    """
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        if text.lstrip().startswith("["):
            found = json.loads(text)
        else:
            lines = (line.strip() for line in text.split("\n"))
            found = [
                json.loads(line) if line.startswith(("{", '"')) else line for line in lines if line
            ]
    except (ValueError, OSError, EOFError) as error:
        msg = f"{path}: expected UTF-8 text, one entry a line or JSON: {error}"
        raise RecipeError(msg) from error
    entries = set()
    for item in found:
        entry = item.get("word") if isinstance(item, dict) else item
        if not isinstance(entry, str):
            msg = f"{path}: expected strings (or objects with 'word'), found {entry!r}"
            raise RecipeError(msg)
        entries.add(entry.strip())
    return tuple(sorted(entries - {""}))


def hash_set(hashes: Iterable[int]) -> NDArray[np.uint64]:
    """Put hashes into an open-addressing set for kernels: a power of two, 0 where empty, at most a quarter full."""
    keys = {h or 1 for h in hashes}
    table = np.zeros(1 << (4 * len(keys) + 4).bit_length(), np.uint64)
    for key in sorted(keys):
        slot = key & (len(table) - 1)
        while table[slot]:
            slot = (slot + 1) & (len(table) - 1)
        table[slot] = key
    return table
