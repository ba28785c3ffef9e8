"""`curate backfill`: ask the running Dagster for an asset backfill, watch it, and hold it against the store.

Dagster's own command line has no asset backfills, so this asks the web server (`curate ui`) over GraphQL, as its pages
do: the daemon runs it, ranges of shards a run, and the UI shows it. A backfill that Dagster calls complete is held
against the store: a worker killed at the wrong moment leaves a partition out.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import click
import urllib3
from rich.console import Console

from curation_dagster import plan
from curation_dagster.commands.progress import bars
from curation_dagster.commands.validate import validate
from curation_dagster.counted import counted
from curation_dagster.errors import CurationError, RecipeError, StorageError
from curation_dagster.export.release import is_done
from curation_dagster.lineage import ALL, Lineage
from curation_dagster.orchestration import instance as instance_
from curation_dagster.orchestration import launch, partitions
from curation_dagster.orchestration.runs import RECIPE, neighbours
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from curation_dagster.lineage import Stage
    from curation_dagster.recipe import Recipe

LAUNCH: Final = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionSetNotFoundError { message }
    ... on UnauthorizedError { message }
  }
}"""
CANCEL: Final = """
mutation Cancel($id: String!) {
  cancelPartitionBackfill(backfillId: $id) {
    __typename
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}"""
STATUS: Final = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PythonError { message }
    ... on BackfillNotFoundError { message }
    ... on PartitionBackfill {
      status
      error { message }
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            assetKey { path } numPartitionsTargeted numPartitionsMaterialized numPartitionsFailed
          }
          ... on UnpartitionedAssetStatus { assetKey { path } materialized failed }
        }
      }
    }
  }
}"""
_ENDED: Final = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"}
_TIMEOUT_S: Final = 60
_UNAUTHORIZED: Final = 401  # HTTP's word for "no login"
_POLL_S: Final = 2
_SHOWN: Final = 5  # partitions named in a message


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    first: str | None
    last: str | None
    shards: tuple[str, ...] | None
    source: str | None
    wait: bool


class Server:
    """The GraphQL endpoint of a Dagster web server."""

    def __init__(self, url: str) -> None:
        """Remember where it is; it is asked when it is needed."""
        parsed = urllib3.util.parse_url(url)
        self.url = parsed._replace(auth=None).url.rstrip("/")  # what is printed
        login = (
            unquote(parsed.auth) if parsed.auth else None
        )  # a url writes `@` in a password as %40
        self._headers = urllib3.make_headers(basic_auth=login) if login else {}
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Send a query or mutation and return its only field.

        Raises:
            StorageError: the server does not answer, or not with GraphQL.
            CurationError: it answers with an error.
        """
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", **self._headers}
        try:
            answer = self._pool.request("POST", f"{self.url}/graphql", body=body, headers=headers)
            if answer.status == _UNAUTHORIZED:
                msg = (
                    f"{self.url} asks for a login: --url https://NAME:PASSWORD@HOST, or CURATE_URL"
                )
                raise StorageError(msg)
            said = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            msg = f"{self.url} does not answer as a Dagster web server: {error}; start one: `curate ui`"
            raise StorageError(msg) from error
        if errors := said.get("errors"):
            raise CurationError(f"{self.url}: {errors[0]['message']}")
        [found] = said["data"].values()
        if found["__typename"] == "UnauthorizedError":
            raise CurationError(
                f"{self.url} launches nothing (UnauthorizedError); is it read-only?"
            )
        if "message" in found or str(found["__typename"]).endswith("Error"):
            raise CurationError(f"{self.url}: {found.get('message') or found['__typename']}")
        return dict(found)


def submit(recipe: Recipe, folder: Path, options: Options, server: Server) -> int:
    """Plan, ask for what is not current of the wanted stages, and wait if asked to; return the exit code."""
    store = Store.of(recipe)
    if new := plan.plan(recipe, store):
        click.echo(f"planned {counted(len(new), 'new shard')}")
    lineage = Lineage(recipe, store)
    wanted = _stages(recipe, lineage, options)
    validate(recipe, lineage, wanted)
    shards = _shards(lineage, options)
    instance_.quiet()
    with instance_.instance(folder) as instance:
        partitions.sync(instance, recipe, lineage)
        known = {kind: partitions.known(instance, recipe, kind) for kind in ("shard", "output")}
    targets = list(_targets(recipe, lineage, wanted, shards, known))
    if not targets:
        click.echo("everything asked for is current")
        return 0
    names = f"{wanted[0].name} to {wanted[-1].name}" if len(wanted) > 1 else wanted[0].name
    found = server.ask(
        LAUNCH,
        params={
            "partitionsByAssets": targets,
            "title": f"{recipe.name}: {names}",
            "tags": [{"key": RECIPE, "value": recipe.name}],
        },
    )
    backfill = found["backfillId"]
    click.echo(f"backfill {backfill}: {names}; {server.url}/runs/b/{backfill}")
    if not options.wait:
        click.echo(
            f"the daemon runs it; `curate backfill {recipe.name} --cancel {backfill}` stops it"
        )
        return 0
    status = _watch(server, backfill)
    return _conclude(Lineage(recipe, store), wanted, shards, status)


def cancel(backfill: str, server: Server) -> None:
    """Stop a backfill: runs in progress are ended, what they committed stays."""
    server.ask(CANCEL, id=backfill)
    click.echo(f"backfill {backfill} is being cancelled; what is computed stays")


def _stages(recipe: Recipe, lineage: Lineage, options: Options) -> list[Stage]:
    try:
        wanted = launch.select(recipe, options.first, options.last)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if any(s.partitions == "output" for s in wanted) and not lineage.partitions("exported"):
        why = "is not current" if lineage.current("mixture", ALL) is None else "has none"
        msg = f"the output shards follow from mixture, which {why}; backfill --to mixture first"
        raise RecipeError(msg)
    return wanted


def _shards(lineage: Lineage, options: Options) -> list[str]:
    """Return the shards asked for, in plan order.

    Raises:
        RecipeError: one is not planned, or the source is none of the recipe's.
    """
    known = list(lineage.shards)
    if unknown := sorted(set(options.shards or ()) - set(known)):
        msg = f"no such shards: {unknown}; planned are {known[:20]}"
        raise RecipeError(msg)
    if options.source and options.source not in lineage.recipe.source_names:
        msg = f"no such source: {options.source}; there are {list(lineage.recipe.source_names)}"
        raise RecipeError(msg)
    if retirement := lineage.retired.get(options.source or ""):
        raise RecipeError(retirement.told)
    return [
        key
        for key in known
        if (options.shards is None or key in options.shards)
        and (options.source is None or lineage.shards[key].source == options.source)
    ]


def _targets(
    recipe: Recipe,
    lineage: Lineage,
    wanted: list[Stage],
    shards: list[str],
    known: dict[str, list[str]],
) -> Iterator[dict[str, Any]]:
    """Yield what is not current, as GraphQL's partitions by asset; all shard stages get the same shards.

    `known` are the partitions in Dagster's order, which its ranges follow.
    """
    by_shard = [stage for stage in wanted if stage.partitions == "shard"]
    todo = {k for k in shards if not all(is_done(lineage, s.name, k) for s in by_shard)}
    for stage in wanted:
        keys = lineage.partitions(stage.name)
        lacks = {k for k in keys if not is_done(lineage, stage.name, k)}
        todo_here = lacks if stage.partitions == "output" else todo
        asset = {"path": [recipe.name, stage.name]}
        if stage.partitions == "none":
            if not is_done(lineage, stage.name, keys[0]):
                yield {"assetKey": asset, "partitions": None}
        elif todo_here:
            runs = neighbours(known[stage.partitions], todo_here)
            ranges = [{"start": run[0], "end": run[-1]} for run in runs]
            yield {"assetKey": asset, "partitions": {"ranges": ranges}}


def _watch(server: Server, backfill: str) -> str:
    """Show what the backfill has done until it ends; return its last status."""
    with bars(Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}
        while True:
            found = server.ask(STATUS, id=backfill)
            data = found["assetBackfillData"] or {"assetBackfillStatuses": []}
            for asset in data["assetBackfillStatuses"]:
                stage = asset["assetKey"]["path"][-1]
                total = asset.get("numPartitionsTargeted", 1)
                done = asset.get("numPartitionsMaterialized", int(asset.get("materialized", False)))
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=total)
                progress.update(tasks[stage], completed=done, total=total)
            if found["status"] in _ENDED:
                if found["error"]:
                    click.secho(found["error"]["message"], fg="red", err=True)
                return str(found["status"])
            time.sleep(_POLL_S)


def _conclude(lineage: Lineage, wanted: Sequence[Stage], shards: list[str], status: str) -> int:
    """Hold a backfill that ended against the store: what it should have made and did not."""
    missing = [
        f"{stage.name}/{key}"
        for stage in wanted
        for key in (shards if stage.partitions == "shard" else lineage.partitions(stage.name))
        if not is_done(lineage, stage.name, key)
    ]
    said = status.lower().replace("_", " ")
    if not missing:
        click.echo(f"{said}; everything asked for is current")
        return 0
    shown = ", ".join(missing[:_SHOWN]) + " …" * (len(missing) > _SHOWN)
    count = f"{len(missing):,} of what was asked for"
    message = f"{said}, and {count} is not current: {shown}; the same command goes on"
    click.secho(message, fg="red", err=True)
    return 1
