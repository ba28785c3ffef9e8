"""Where the keys of a TOML text stand, for errors that name a line; `tomllib` gives values without positions.

A statement, which is a table's header or an assignment, ends at the first line with which it
parses. What it parses to says which keys it sets, so dotted and quoted keys, inline tables and
values of several lines need no grammar here.
"""

from __future__ import annotations

import tomllib
from typing import Any

KeyPath = tuple[str | int, ...]


def lines_of(text: str) -> dict[KeyPath, int]:
    r"""Map every key of valid TOML to the line of its statement; tables of an array are numbered from 0.

    Cost: a value of n lines is parsed n times.

    >>> lines_of("a = 1\n\n[[b]]\nc.d = [\n]\n")
    {('a',): 1, ('b',): 3, ('b', 0): 3, ('b', 0, 'c'): 4, ('b', 0, 'c', 'd'): 4}
    """
    found: dict[KeyPath, int] = {}
    sizes: dict[KeyPath, int] = {}
    table: KeyPath = ()
    statement: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        statement.append(line)
        try:
            said = tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:
            continue
        first = number - len(statement) + 1
        if statement[0].lstrip().startswith("["):
            table = _enter(said, sizes)
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], first)
        else:
            for key, value in said.items():
                _spread(value, (*table, key), first, found)
        statement = []
    return found


def line_of(found: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a key, or of the innermost table around it that the text has."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path)


def _enter(header: dict[str, Any], sizes: dict[KeyPath, int]) -> KeyPath:
    """Follow a header, parsed alone, to the table it opens; count the tables of arrays in `sizes`."""
    path: KeyPath = ()
    node: Any = header
    while node:
        ((key, node),) = node.items()
        path = (*path, key)
        if isinstance(node, list):
            sizes[path] = sizes.get(path, 0) + 1
            node = {}
        if path in sizes:
            path = (*path, sizes[path] - 1)
    return path


def _spread(value: Any, path: KeyPath, line: int, found: dict[KeyPath, int]) -> None:  # noqa: ANN401
    found.setdefault(path, line)
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _spread(inner, (*path, key), line, found)
