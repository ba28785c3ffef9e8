"""Lists the recipe names: files of one entry a line, or of one JSON object a line; plain or gzip.

Blank lines and lines that begin with `#` are left out. A JSON object is an entry with attributes.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from curation_dagster.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def entries(path: Path, names: tuple[str, ...], attributes: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield each entry and its attribute, in order; "" where a line has none.

    `names` are the keys an entry may have in JSON, `attributes` those of what goes with it.

    Raises:
        RecipeError: the file cannot be read, or a line is no entry; names the file and the line.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        msg = f"{path}: expected UTF-8 text, plain or gzip: {error}"
        raise RecipeError(msg) from error
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if not entry.startswith("{"):
            yield [entry, ""]
            continue
        try:
            said = json.loads(entry)
        except json.JSONDecodeError as error:
            msg = f"{path}, line {number}: not valid JSON: {error}"
            raise RecipeError(msg) from error
        found = next((said[n] for n in names if isinstance(said.get(n), str)), "").strip()
        if not found:
            msg = f"{path}, line {number}: expected a string under one of {list(names)}, found {sorted(said)}"
            raise RecipeError(msg)
        attribute = next((said[a] for a in attributes if isinstance(said.get(a), str)), "")
        yield [found, attribute]
