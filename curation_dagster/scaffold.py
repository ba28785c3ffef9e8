"""New recipes: what `curate init` writes for files of a user's own, and the recipe `apply` takes if none is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from curation_dagster.errors import RecipeError
from curation_dagster.inventory import globs_of
from curation_dagster.recipe import NAME, Recipe
from curation_dagster.recipe_file import presets

_TEMPLATE = Path(__file__).parent / "presets" / "recipe.toml.template"


def write_recipe(path: Path, paths: tuple[str, ...], root: str) -> tuple[Path, list[str]]:
    """Write a commented recipe for a source of these files, globs or folders; never over an existing one.

    Return where it is, and what was chosen of each folder.

    Raises:
        RecipeError: for a name that is none, a recipe that exists, a path that matches nothing, or a folder
            with nothing to read.
    """
    name = path.stem
    if not re.fullmatch(NAME, name):
        msg = f"{name!r} is no recipe name: small letters, digits and hyphens"
        raise RecipeError(msg)
    if path.exists():
        msg = f"{path} exists; choose another name or edit it"
        raise RecipeError(msg)
    found: list[str] = []
    chosen: list[str] = []
    for given in paths:
        if "://" not in given and Path(given).is_dir():
            globs, said = globs_of(Path(given).absolute())
            found += globs
            chosen.append(said)
        else:
            found.append(given if "://" in given else str(_absolute(given)))
    text = _TEMPLATE.read_text("utf-8")
    listed = ", ".join(f'"{p}"' for p in found)
    for key, value in {"@NAME@": name, "@PATHS@": listed, "@ROOT@": root}.items():
        text = text.replace(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path, chosen


def default_recipe() -> Recipe:
    """Return the settings `apply` takes without a recipe: normalise, English, Gopher, mask."""
    return Recipe.model_validate(completed({}))


def completed(raw: dict[str, Any]) -> dict[str, Any]:
    """Add to a part of a recipe what makes it a whole one; a mix, which must name sources, names those there are."""
    sources = raw.get("sources", [{"name": "file", "paths": ["."]}])
    listed = sources if isinstance(sources, list) else []
    names = [s["name"] for s in listed if isinstance(s, dict) and isinstance(s.get("name"), str)]
    weights = dict.fromkeys(names or ["file"], 1)
    steps = [
        {"edit": "normalize"},
        {"judge": "language", "languages": ["en"]},
        *presets()["gopher-2021"]["steps"],
        {"edit": "mask"},
    ]
    return {
        "name": "default",
        "root": ".",
        "sources": sources,
        "steps": steps,
        "mix": {"phases": [{"name": "main", "tokens": 1, "weights": weights}]},
    } | raw


def _absolute(pattern: str) -> Path:
    """Make a path or glob absolute, and see that it matches something."""
    path = Path(pattern).absolute()
    anchor = Path(path.anchor)
    if not any(True for _ in anchor.glob(str(path.relative_to(anchor)))):
        msg = f"no file matches {pattern}"
        raise RecipeError(msg)
    return path
