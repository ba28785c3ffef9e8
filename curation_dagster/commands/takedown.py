"""`curate takedown`: list what a rights holder names, and erase it if asked; look later whether any is back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from curation_dagster.commands import erase, whereabouts
from curation_dagster.commands.progress import watched
from curation_dagster.counted import counted
from curation_dagster.lineage import Lineage

if TYPE_CHECKING:
    from pathlib import Path

    from curation_dagster.commands.whereabouts import Search

_SHOWN: Final = 20  # documents, to a person
_STILL_THERE: Final = 3


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    texts: Path | None
    urls: Path | None
    ids: Path | None
    min_share: float
    named_only: bool
    erase: bool
    yes: bool
    verify: bool
    as_json: bool

    @property
    def names_something(self) -> bool:
        """Whether there is a file of texts, urls or ids."""
        return bool(self.texts or self.urls or self.ids)


def run(lineage: Lineage, options: Options) -> int:
    """List what is named and erase it if asked, or look again; return the exit code.

    Raises:
        click.Abort: when the answer is no.
    """
    if options.verify:
        return verify(lineage, as_json=options.as_json)
    asked = whereabouts.request(options.texts, options.urls, options.ids, options.min_share)
    with watched(Console(stderr=True)):
        found = whereabouts.search(lineage, asked, copies=not options.named_only)
    told = whereabouts.report(lineage, found)
    if not options.as_json:
        show(told)
    if options.erase:
        if not options.yes:
            what = f"{counted(len(told['documents']), 'document')} in {counted(len(told['files']), 'file')}"
            click.confirm(f"Erase {what} of {lineage.recipe.root} for good?", abort=True, err=True)
        with watched(Console(stderr=True)):
            told["erased"] = _erase(lineage, found, options)
        if not options.as_json:
            _show_done(told["erased"], lineage.recipe.name)
    if options.as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    return 0


def _erase(lineage: Lineage, found: Search, options: Options) -> dict[str, Any]:
    """Erase, and search again until nothing new is found: a run may have published meanwhile."""
    done: dict[str, Any] = {}
    while True:
        for what, more in erase.erase(lineage, found).items():
            done[what] = sorted({*done.get(what, []), *more}) if isinstance(more, list) else more
        lineage = Lineage(lineage.recipe, lineage.store)
        again = whereabouts.search(lineage, found.request, copies=not options.named_only)
        if set(again.documents) <= set(found.documents):
            return done
        found = again


def verify(lineage: Lineage, *, as_json: bool) -> int:
    """Say which files hold text of erased documents, and of which release; return the exit code."""
    with watched(Console(stderr=True)):
        left = erase.holding(lineage)
    releases = whereabouts.releases_of(lineage.store, set(left))
    files = [{"name": name, "documents": n} for name, n in sorted(left.items())]
    erased = len(lineage.erasures.documents)
    if as_json:
        click.echo(json.dumps({"erased": erased, "files": files, "releases": releases}, indent=1))
    else:
        click.echo(
            f"{counted(erased, 'document')} erased; {counted(len(files), 'file')} with text of any"
        )
        _show_files(files, releases)
    return _STILL_THERE if files else 0


def show(told: dict[str, Any]) -> None:
    """Print a report for a person."""
    named = ", ".join(counted(n, kind.removesuffix("s")) for kind, n in told["named"].items())
    click.echo(f"named: {named}")
    for reason in told["unusable"]:
        click.secho(f"  not searched for: {reason}", fg="yellow")
    for document in told["documents"][:_SHOWN]:
        share = document["share"]
        by = ", ".join(document["by"]) + (f" {share:.0%}" if share is not None else "")
        click.echo(
            f"{document['doc_id']}  {document['shard']}  {by}  {document['url'] or 'no url'}"
        )
    if len(told["documents"]) > _SHOWN:
        click.echo(f"… {len(told['documents']) - _SHOWN:,} more; --json lists all")
    shards = f" in {', '.join(told['shards'])}" if told["shards"] else ""
    click.echo(f"{counted(len(told['documents']), 'document')}{shards}")
    _show_files(told["files"], told["releases"])
    if near := told["near_copies"]:
        shown = ", ".join(near[:_SHOWN]) + " …" * (len(near) > _SHOWN)
        click.secho(f"near copies of these, left alone: {shown}", fg="yellow")


def _show_files(files: list[dict[str, Any]], releases: list[dict[str, Any]]) -> None:
    for file in files:
        click.echo(f"  {file['name']}: {counted(file['documents'], 'document')}")
    for release in releases:
        click.secho(
            f"release {release['name']}: {counted(len(release['files']), 'file')} with some",
            fg="red",
        )


def _show_done(done: dict[str, Any], recipe: str) -> None:
    replaced, removed = (
        counted(len(done["replaced"]), "file"),
        counted(len(done["removed"]), "file"),
    )
    click.echo(f"erased by list {done['list']}: {replaced} replaced, {removed} removed")
    for release in done["withdrawn"]:
        click.secho(
            f"release {release} is withdrawn; copies of it elsewhere are not reached", fg="red"
        )
    click.echo(f"next: curate run {recipe}")
