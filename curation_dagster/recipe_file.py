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
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.faults import redacted
from curation_dagster.recipe import Recipe, Source
from curation_dagster.recipe_steps import Step
from curation_dagster.section import File, GrowingFile, Section
from curation_dagster.toml_lines import line_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic_core import ErrorDetails

    from curation_dagster.toml_lines import KeyPath

PRESETS = Path(__file__).parent / "presets"
_SETTLED_NS = 2_000_000_000  # FAT counts in steps of two seconds; others are finer


@dataclass(frozen=True)
class _Written:
    """A recipe's file and its text, to say where in it a problem is."""

    path: Path
    text: str

    def wrong(self, problems: Sequence[tuple[KeyPath, str]]) -> RecipeError:
        """Make the error that lists problems by line and key."""
        lines = lines_of(self.text)
        said = [f"{self.path}: {counted(len(problems), 'problem')}"]
        for where, what in problems:
            line = line_of(lines, where)
            key = ".".join(str(k) for k in where) or "recipe"
            said.append(f"  line {line}: {key}: {what}" if line else f"  {key}: {what}")
        return RecipeError("\n".join(said))


def load(
    path: Path, completed: Callable[[dict[str, Any]], dict[str, Any]] = lambda raw: raw
) -> Recipe:
    """Read, expand and validate the recipe at `path`; `completed` may add what it lacks.

    Raises:
        RecipeError: naming file, line, key, what was expected and what was found.
    """
    written = _Written(path, _read(path))
    try:
        raw = tomllib.loads(written.text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
        raise RecipeError(msg) from error
    origins: list[KeyPath] = []
    if isinstance(raw.get("steps"), list):
        raw["steps"], origins = _expand(raw["steps"], written)
    raw = completed(raw)
    raw.setdefault("name", path.stem)
    raw = _resolve(raw, path.parent.resolve())
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        problems = [(_where(d, raw), _what(d)) for d in _innermost(error.errors())]
        raise written.wrong(
            [(_as_written(where, origins), what) for where, what in problems]
        ) from error
    for where, file in files(recipe):
        if problem := check_file(file):
            key, what = problem
            raise written.wrong([(_as_written((*where, key), origins), what)])
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
        if k not in {"root", "endpoint_url", "workers", "automation"}
    }
    return short_hash(said)


def content(value: Any) -> Any:  # noqa: ANN401 - a recipe's values are anything TOML can say
    """Reduce a part of a recipe to plain values that say what it means: a file is its sha256."""
    if isinstance(value, File):
        empty = isinstance(value, GrowingFile) and not value.path.exists()
        return None if empty else sha256(value.path)
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


def preset_steps(name: str) -> tuple[Step, ...]:
    """Return the steps of a shipped preset."""
    steps = presets()[name]["steps"]
    return TypeAdapter(tuple[Step, ...]).validate_python(steps)


def files(section: Section, where: KeyPath = ()) -> Iterator[tuple[KeyPath, File]]:
    """Yield every file a recipe, or a part of one, names, and the key that names it."""
    if isinstance(section, File):
        yield where, section
        return
    for name, value in dict(section).items():
        if isinstance(value, Section):
            yield from files(value, (*where, name))
        for i, item in enumerate(value) if isinstance(value, tuple) else ():
            if isinstance(item, Section):
                yield from files(item, (*where, name, i))


def check_file(file: File) -> tuple[str, str] | None:
    """Say what is wrong with a file that is missing or holds other bytes than are pinned: key, problem."""
    if isinstance(file, GrowingFile) and file.sha256 is None and not file.path.exists():
        return None
    if not file.path.is_file():
        return "path", f"no such file: {file.path}"
    if file.sha256 and (found := sha256(file.path)) != file.sha256:
        return "sha256", f"{file.path} has sha256 {found}, expected {file.sha256}"
    return None


def sha256(path: Path) -> str:
    """Hash a local file; remembered, once it is older than a tick of any file system's clock, until it changes."""
    stat = path.stat()
    changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
    if time.time_ns() - changed < _SETTLED_NS:  # another change might leave the same times
        return _sha256.__wrapped__(path)
    return _sha256(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.lru_cache(maxsize=65536)
def _sha256(path: Path, *_state: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        msg = f"{path}: no such recipe; `curate init NAME PATHS…` writes one"
        raise RecipeError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise RecipeError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 at byte {error.start}"
        raise RecipeError(msg) from error


def _expand(steps: list[Any], written: _Written) -> tuple[list[Any], list[KeyPath]]:
    """Replace presets by their steps; return the steps, and the key in the file that each comes from."""
    expanded: list[Any] = []
    origins: list[KeyPath] = []
    known = presets()
    presets_of: dict[str, str] = {}  # a step's name -> the preset that has it
    for i, step in enumerate(steps):
        if not isinstance(step, dict) or "preset" not in step:
            expanded.append(step)
            origins.append(("steps", i))
        else:
            name, overrides = step["preset"], {k: v for k, v in step.items() if k != "preset"}
            if not isinstance(name, str) or name not in known:
                what = f"no preset {name!r}; there are {sorted(known)}"
                raise written.wrong([(("steps", i, "preset"), what)])
            judges = [_step_name(s) for s in known[name]["steps"]]
            for judge, fields in overrides.items():
                if judge not in judges or not isinstance(fields, dict):
                    what = f"preset {name!r} takes tables named after its steps {judges}, found {fields!r}"
                    raise written.wrong([(("steps", i, judge), what)])
            for of_preset in known[name]["steps"]:
                judge = _step_name(of_preset)
                if other := presets_of.get(judge):
                    what = f"preset {name!r} and preset {other!r} both have {judge!r}; a recipe may name it once: "
                    what += "take one of them, or write its other steps out (`curate presets NAME`)"
                    raise written.wrong([(("steps", i, "preset"), what)])
                expanded.append(of_preset | overrides.get(judge, {}))
                origins.append(("steps", i, judge))
            presets_of |= {judge: name for judge in judges if judge not in {"normalize", "mask"}}
    return expanded, origins


def _step_name(step: dict[str, Any]) -> str:
    return str(step.get("judge") or step.get("edit"))


def _resolve(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make `root`, `path` and the sources' `paths` absolute, urls aside."""

    def absolute(text: str) -> str:
        return text if "://" in text else os.path.normpath(folder / text)

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
    for source in raw["sources"] if isinstance(raw.get("sources"), list) else ():
        if isinstance(source, dict) and isinstance(source.get("paths"), list):
            source["paths"] = [absolute(p) if isinstance(p, str) else p for p in source["paths"]]
    return raw


def _innermost(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what only follows from a problem further in: a list is too short if its item is wrong."""
    places = [d["loc"] for d in details]
    return [
        d
        for d in details
        if not any(len(p) > len(d["loc"]) and p[: len(d["loc"])] == d["loc"] for p in places)
    ]


def _where(detail: ErrorDetails, raw: dict[str, Any]) -> KeyPath:
    """Name the key a problem is about; what pydantic adds to it for unions is no key of the recipe."""
    if "where" in detail.get("ctx", {}):
        return tuple(detail["ctx"]["where"])
    where: list[str | int] = []
    node: Any = raw
    for i, key in enumerate(detail["loc"]):
        inside = key in node if isinstance(node, dict) else isinstance(node, list)
        if inside and isinstance(key, int) == isinstance(node, list):
            node = node[key]
        elif detail["type"] != "missing" or i + 1 < len(detail["loc"]):
            continue
        where.append(key)
    if "discriminator" in detail.get("ctx", {}):
        where.append(detail["ctx"]["discriminator"].strip("'"))
    return tuple(where)


_SAYS_ALL = {"missing", "value_error", "recipe", "union_tag_invalid", "union_tag_not_found"}


def _what(detail: ErrorDetails) -> str:
    with_value = detail["type"] not in _SAYS_ALL
    return detail["msg"] + (
        f", found {redacted(repr(detail['input']))}"[:120] if with_value else ""
    )


def _as_written(where: KeyPath, origins: list[KeyPath]) -> KeyPath:
    """Translate a key of an expanded step into the one in the file."""
    match where:
        case ("steps", int(i), *rest):
            return (*origins[i], *rest)
    return where
