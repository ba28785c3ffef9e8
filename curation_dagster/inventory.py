"""What a folder holds that a source can read, as globs: how `curate init` takes a folder for its files.

A source is of one kind, so that a README beside a crawl is no document: the first kind of `KINDS` that is there.
Not here: what is in the files.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.ingest.read import suffix_of

KINDS: Final = {  # in the order of preference; a WET or WAT file repeats a WARC file
    "WARC": (".warc", ".arc"),
    "WET": (".wet",),
    "Parquet": (".parquet",),
    "JSONL": (".jsonl", ".json", ".ndjson"),
    "HTML": (".html", ".htm", ".xhtml"),
    "text": (".txt", ".text", ".md"),
}


class Found(NamedTuple):
    """The globs that stand for a folder, and a sentence about them."""

    globs: list[str]
    said: str


def globs_of(folder: Path) -> Found:
    """Choose the files of a folder, those of folders in it too; what begins with a dot is left out.

    Raises:
        RecipeError: when nothing in it can be read, or its name is itself a pattern.
    """
    if any(char in str(folder) for char in "*?["):
        msg = f"{folder}: a folder's name that holds *, ? or [ cannot be told from a pattern; rename it"
        raise RecipeError(msg)
    suffixes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    others: Counter[str] = Counter()
    is_nested = False
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in (n for n in names if not n.startswith(".")):
            kind = _kind(name)
            if kind is None:
                others[Path(name).suffix or "no suffix"] += 1
            else:
                suffixes[kind][name[-len(suffix_of(name) or "") :]] += 1
                is_nested |= Path(above) != folder
    there = [kind for kind in KINDS if suffixes[kind]]
    if not there:
        listed = ", ".join(f"{suffix} ({n})" for suffix, n in sorted(others.items())) or "nothing"
        every = " ".join(suffix for kind in KINDS.values() for suffix in kind)
        msg = f"{folder}: no file to read; there is {listed}, readable are {every}, also behind them .gz or .zst"
        raise RecipeError(msg)
    chosen = suffixes[there[0]]
    middle = "**/*" if is_nested else "*"
    globs = [f"{folder}/{middle}{suffix}" for suffix in sorted(chosen)]
    said = f"{folder}: {counted(chosen.total(), f'{there[0]} file')}, taken as {' '.join(globs)}"
    left = [counted(suffixes[kind].total(), f"{kind} file") for kind in there[1:]]
    return Found(globs, said + (f"; not taken: {', '.join(left)}" if left else ""))


def _kind(name: str) -> str | None:
    suffix = (suffix_of(name) or "").lower().removesuffix(".gz").removesuffix(".zst")
    return next((kind for kind, suffixes in KINDS.items() if suffix in suffixes), None)
