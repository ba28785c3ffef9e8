"""Read a recipe from disk: TOML, presets, paths, and errors that name file, line and key.

Relative paths are resolved against the recipe's own folder, so that a recipe means the same from
anywhere. A step `preset = "NAME"` is replaced by the steps of `presets/NAME.toml`; tables inside
it, named after a judge, override single fields.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from curation_dagster.errors import RecipeError
from curation_dagster.recipe import File, Recipe, Section, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

PRESETS = Path(__file__).parent / "presets"


def load(path: Path) -> Recipe:
    """Read, expand and validate the recipe at `path`.

    Raises:
        RecipeError: naming file, line, key, what was expected and what was found.
    """
    text = _read(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
        raise RecipeError(msg) from error
    if "steps" in raw:
        raw["steps"] = _expand(raw["steps"], path)
    raw.setdefault("name", path.stem)
    raw = _resolve(raw, path.parent.resolve())
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        lines = "\n".join(f"  {_explain(detail, text)}" for detail in error.errors())
        msg = f"{path}: {error.error_count()} problem(s)\n{lines}"
        raise RecipeError(msg) from error
    for file in files(recipe):
        check_file(file, path)
    return recipe


def recipe_folder() -> Path:
    """Find the folder of recipes."""
    if named := os.environ.get("CURATE_RECIPES"):
        return Path(named)
    clone = Path(__file__).parent.parent / "recipes"
    return clone if clone.is_dir() else Path.cwd() / "recipes"


def digest(recipe: Recipe) -> str:
    """Return 12 hex digits of what the recipe says: files by their bytes, no machine's paths."""
    said = {
        k: content(v)
        for k, v in dict(recipe).items()
        if k not in {"root", "endpoint_url", "workers"}
    }
    return short_hash(said)


def content(value: Any) -> Any:  # noqa: ANN401 - a recipe's values are anything TOML can say
    """Reduce a part of a recipe to plain values that say what it means: a file is its sha256."""
    if isinstance(value, File):
        return sha256(value.path)
    if isinstance(value, Source):
        return {k: v for k, v in dict(value).items() if k != "paths"}
    if isinstance(value, Section):
        return {k: content(v) for k, v in dict(value).items()}
    return [content(item) for item in value] if isinstance(value, tuple) else value


def short_hash(value: Any) -> str:  # noqa: ANN401 - anything JSON can say
    """Hash plain values by their canonical JSON; 12 hex digits, as in every file name."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def presets() -> dict[str, dict[str, Any]]:
    """Read every shipped preset: name -> its TOML."""
    return {p.stem: tomllib.loads(p.read_text("utf-8")) for p in sorted(PRESETS.glob("*.toml"))}


def files(section: Section) -> Iterator[File]:
    """Yield every file a recipe, or a part of one, names."""
    if isinstance(section, File):
        yield section
        return
    for value in dict(section).values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Section):
                yield from files(item)


def check_file(file: File, recipe_path: Path) -> None:
    """Refuse a file that is missing or holds other bytes than the recipe pins.

    Raises:
        RecipeError: naming the file.
    """
    if not file.path.is_file():
        msg = f"{recipe_path}: no such file: {file.path}"
        raise RecipeError(msg)
    if file.sha256 and sha256(file.path) != file.sha256:
        msg = f"{recipe_path}: {file.path} has sha256 {sha256(file.path)}, expected {file.sha256}"
        raise RecipeError(msg)


def sha256(path: Path) -> str:
    """Hash a local file; remembered until its size or time of change differs."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=65536)
def _sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        msg = f"{path}: no such recipe; `curate init NAME PATHS…` writes one"
        raise RecipeError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 at byte {error.start}"
        raise RecipeError(msg) from error


def _expand(steps: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    expanded: list[dict[str, Any]] = []
    known = presets()
    for step in steps:
        if not isinstance(step, dict) or "preset" not in step:
            expanded.append(step)
            continue
        name, overrides = step["preset"], {k: v for k, v in step.items() if k != "preset"}
        if name not in known:
            msg = f"{path}: steps: no preset {name!r}; there are {sorted(known)}"
            raise RecipeError(msg)
        of_preset = known[name]["steps"]
        unknown = set(overrides) - {s.get("judge") for s in of_preset}
        if unknown:
            msg = f"{path}: preset {name!r} has no judge {sorted(unknown)} to override"
            raise RecipeError(msg)
        expanded += [s | overrides.get(s.get("judge", ""), {}) for s in of_preset]
    return expanded


def _resolve(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make `root`, `path` and the sources' `paths` absolute, urls aside."""

    def absolute(text: str) -> str:
        return text if "://" in text else str(folder / text)

    def walk(node: Any) -> Any:  # noqa: ANN401 - TOML is anything
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            k: absolute(v) if k == "path" and isinstance(v, str) else walk(v)
            for k, v in node.items()
        }

    raw = walk(raw)
    if isinstance(raw.get("root"), str):
        raw["root"] = absolute(raw["root"])
    for source in raw.get("sources", []):
        if isinstance(source, dict) and isinstance(source.get("paths"), list):
            source["paths"] = [absolute(p) if isinstance(p, str) else p for p in source["paths"]]
    return raw


def _explain(detail: ErrorDetails, text: str) -> str:
    keys = [k for k in detail["loc"] if not isinstance(k, str) or not re.search(r"[A-Z\[]", k)]
    where = ".".join(str(k) for k in keys) or "recipe"
    line = _line_of(keys, text)
    found = (
        "" if detail["type"] in {"missing", "value_error"} else f", found {detail['input']!r}"[:120]
    )
    return (
        f"line {line}: {where}: {detail['msg']}{found}"
        if line
        else f"{where}: {detail['msg']}{found}"
    )


def _line_of(keys: list[Any], text: str) -> int | None:
    """Find the line that sets the key at this path; the line of its table where the key is absent."""
    names = [k for k in keys if isinstance(k, str)]
    indices = {
        name: keys[i + 1] for i, name in enumerate(keys[:-1]) if isinstance(keys[i + 1], int)
    }
    if not names:
        return None
    table, best = "", None
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = header[1]
            seen[table] = seen.get(table, -1) + 1
            here = _in_table(table, seen, names, indices)
            best = number if here and names[: table.count(".") + 1] == table.split(".") else best
        elif key := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line):
            path = [*table.split("."), key[1]] if table else [key[1]]
            if path == names[: len(path)] and (not table or _in_table(table, seen, names, indices)):
                best = number
    return best


def _in_table(table: str, seen: dict[str, int], names: list[str], indices: dict[str, Any]) -> bool:
    parts = table.split(".")
    if parts != names[: len(parts)]:
        return False
    first = parts[0]
    return first not in indices or seen.get(first, 0) == indices[first]
