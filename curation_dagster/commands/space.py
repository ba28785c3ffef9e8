"""`curate du` and `curate gc`: what lies in a root, who needs it, and the removal of what nobody does.

A file is needed when it is current for a recipe of the folder, or named by a published release; so is every file of a
partition whose parents are not there, since nobody can say which of them will be current. All recipes of the
folder whose root is the same count; one that does not load may need anything, so `gc` refuses. What a recipe outside
of the folder needs is not known here: it would be computed again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster.commands.holders import RELEASES
from curation_dagster.commands.whereabouts import manifest
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.lineage import BY_NAME, RECORDS, Lineage, record_name, stages
from curation_dagster.recipe_file import load, short_hash
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation_dagster.lineage import Stage
    from curation_dagster.recipe import Recipe
    from curation_dagster.store import Ref

_ABANDONED_S: Final = (
    7 * 24 * 3600
)  # scratch of other machines: nobody can ask whether its process lives
_UNFINISHED_S: Final = 24 * 3600  # an upload that began before may be under way; none takes a day


@dataclass(frozen=True)
class Held:
    """One file of a stage: by whom it is needed, "" for nobody."""

    stage: str
    name: str
    bytes: int
    needed_by: str
    changed: datetime


def neighbours(recipe: Recipe, path: Path) -> list[Recipe]:
    """Load all recipes beside `path` that share its root.

    Raises:
        RecipeError: one does not load, so what it needs is not known.
    """
    found = []
    for file in sorted({path, *path.parent.glob("*.toml")}):
        try:
            other = load(file)
        except RecipeError as error:
            msg = f"{file} does not load, so what it needs is not known; mend it or move it away\n{error}"
            raise RecipeError(msg) from error
        if _place(other.root) == _place(recipe.root):  # whatever the endpoint: two may be one
            found.append(other)
    return found


def _place(root: str) -> str:
    """Write a root so that two spellings of one place are the same."""
    plain = root.removeprefix("file://").rstrip("/")
    return plain if "://" in plain else str(Path(plain).resolve())


def held(recipes: list[Recipe]) -> list[Held]:
    """List every file of every stage in the root of these recipes, by stage and name."""
    store = Store.of(recipes[0])
    needed = _needed(store, recipes)
    found = []
    for folder in [*BY_NAME, *(f"{RECORDS}/{stage}" for stage in BY_NAME)]:
        for name, size, changed in store.listed(folder):
            full = f"{folder}/{name}"
            stage = folder.rsplit("/", 1)[-1]
            found.append(Held(stage, full, size, needed.get(full, ""), changed))
    return found


def _needed(store: Store, recipes: list[Recipe]) -> dict[str, str]:
    """Say of every file that somebody needs, who: the first recipe, or a release."""
    found: dict[str, str] = {}
    for name, file in _released(store):
        found.setdefault(file, f"release {name}")
    for recipe in reversed(recipes):
        lineage = Lineage(recipe, store)
        for stage in stages(recipe):
            wanted = {
                key: short_hash(made_from) if made_from is not None else None
                for key in lineage.partitions(stage.name)
                for made_from in [lineage.made_from(stage.name, key)]
            }
            for ref in store.refs(stage.name):
                if _is_wanted(ref, stage, wanted):
                    found[ref.name] = recipe.name
                    found[record_name(stage.name, ref.partition, ref.input)] = recipe.name
            found |= {
                record_name(stage.name, key, digest): recipe.name
                for key, digest in wanted.items()
                if digest
            }
    return found


def _is_wanted(ref: Ref, stage: Stage, wanted: dict[str, str | None]) -> bool:
    """Say whether a file has an INPUT that its partition should have, as far as that is known."""
    if stage.partitions == "output" and not wanted:  # how many there are follows from `mixture`
        return True
    if ref.partition in wanted:
        return wanted[ref.partition] in {None, ref.input}
    if stage.partitions == "none":  # a model's figures, beside it
        return bool({None, ref.input} & set(wanted.values()))
    return False


def _released(store: Store) -> Iterator[tuple[str, str]]:
    """Yield (recipe, file) of everything that a published manifest names, other than a pilot's."""
    for name in store.folders(RELEASES):
        found = manifest(store, name)
        for file in () if "pilot" in found else found.get("files", []):
            yield name, file["name"]


def du(recipe: Recipe, path: Path, *, as_json: bool) -> None:
    """Print files and bytes of every stage: of this recipe, of others and releases, and what nobody needs."""
    files = pl.DataFrame(
        [
            (file.stage, not file.name.startswith(f"{RECORDS}/"), file.bytes, file.needed_by)
            for file in held(neighbours(recipe, path))
        ],
        {"stage": pl.Enum(list(BY_NAME)), "files": pl.UInt64, "bytes": pl.UInt64, "by": pl.String},
        orient="row",
    )
    own, nobody = pl.col("by") == recipe.name, pl.col("by") == ""
    sums = [
        pl.col("files").sum(),
        pl.col("bytes").filter(own).sum().alias("own_bytes"),
        pl.col("bytes").filter(~own & ~nobody).sum().alias("others_bytes"),
        pl.col("bytes").filter(nobody).sum().alias("unneeded_bytes"),
    ]
    stages_ = files.group_by("stage").agg(sums).sort("stage").to_dicts()
    [total] = files.select(sums).to_dicts()
    if as_json:
        said = {"root": recipe.root, "stages": stages_, "in_all": total}
        click.echo(json.dumps(said, indent=1))
        return
    told = Table("stage", box=box.SIMPLE)
    for heading in ("files", f"MB of {recipe.name}", "MB of others", "MB nobody needs"):
        told.add_column(heading, justify="right", no_wrap=True)
    for line in [*stages_, {"stage": "in all"} | total]:
        name, count, *sizes = line.values()
        told.add_row(name, f"{count:,}", *(f"{size / 1e6:,.1f}" for size in sizes))
    Console().print(told)
    click.echo(f"{recipe.root}; `curate gc {recipe.name}` removes what nobody needs")


def gc(recipe: Recipe, path: Path, *, keep_days: float, yes: bool) -> int:
    """Remove what nobody needs and is older than `keep_days`; without `yes` only say what. Return the bytes."""
    recipes = neighbours(recipe, path)
    limit = datetime.now(UTC) - timedelta(days=keep_days)
    unneeded = [file for file in held(recipes) if not file.needed_by]
    going = [file for file in unneeded if file.changed < limit]
    size = sum(file.bytes for file in going)
    for stage in BY_NAME:
        if mine := [file for file in going if file.stage == stage]:
            files = counted(len(mine), "file")
            click.echo(f"{stage}: {files}, {sum(f.bytes for f in mine) / 1e6:,.1f} MB")
    if young := len(unneeded) - len(going):
        click.echo(f"{counted(young, 'file')} younger than {keep_days:g} days stay (--keep-days)")
    names = ", ".join(r.name for r in recipes)
    if not yes:
        click.echo(
            f"{counted(len(going), 'file')}, {size / 1e6:,.1f} MB, needed by none of {names}, nor a release; "
            "--yes removes them"
        )
        return 0
    store = Store.of(recipe)
    swept = store.sweep(abandoned_s=_ABANDONED_S)
    with click.progressbar(going, label="removing", show_pos=True) as files_left:
        for file in files_left:
            store.remove(file.name)
    scratch = f", and {counted(swept, 'folder')} of dead processes" if swept else ""
    click.echo(f"removed {counted(len(going), 'file')}, {size / 1e6:,.1f} MB{scratch}")
    if dropped := store.drop_unfinished(_UNFINISHED_S):
        click.echo(f"dropped {counted(dropped, 'upload')} that nobody finished")
    return size
