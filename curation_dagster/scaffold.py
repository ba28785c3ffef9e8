"""New recipes: what `curate init` writes for files of a user's own, and the recipe `apply` takes if none is named."""

from __future__ import annotations

import re
from pathlib import Path

from curation_dagster.errors import RecipeError
from curation_dagster.recipe import NAME, Recipe
from curation_dagster.recipe_file import presets

_TEMPLATE = Path(__file__).parent / "presets" / "recipe.toml.template"


def write_recipe(path: Path, paths: tuple[str, ...], root: str) -> Path:
    """Write a commented recipe for a source of these files or globs; never over an existing one.

    Raises:
        RecipeError: for a name that is none, a recipe that exists, or a path that matches nothing.
    """
    name = path.stem
    if not re.fullmatch(NAME, name):
        msg = f"{name!r} is no recipe name: small letters, digits and hyphens"
        raise RecipeError(msg)
    if path.exists():
        msg = f"{path} exists; choose another name or edit it"
        raise RecipeError(msg)
    found = [p if "://" in p else str(_absolute(p)) for p in paths]
    text = _TEMPLATE.read_text("utf-8")
    listed = ", ".join(f'"{p}"' for p in found)
    for key, value in {"@NAME@": name, "@PATHS@": listed, "@ROOT@": root}.items():
        text = text.replace(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def default_recipe() -> Recipe:
    """Return the settings `apply` takes without a recipe: normalise, English, Gopher, mask."""
    steps = [
        {"edit": "normalize"},
        {"judge": "language", "languages": ["en"]},
        *presets()["gopher-2021"]["steps"],
        {"edit": "mask"},
    ]
    return Recipe.model_validate(
        {
            "name": "default",
            "root": ".",
            "sources": [{"name": "file", "paths": ["."]}],
            "steps": steps,
            "mix": {"phases": [{"name": "main", "tokens": 1, "weights": {"file": 1}}]},
        }
    )


def _absolute(pattern: str) -> Path:
    """Make a path or glob absolute, and see that it matches something."""
    path = Path(pattern).absolute()
    anchor = Path(path.anchor)
    if not any(True for _ in anchor.glob(str(path.relative_to(anchor)))):
        msg = f"no file matches {pattern}"
        raise RecipeError(msg)
    return path
