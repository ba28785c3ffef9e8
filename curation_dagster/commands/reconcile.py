"""`curate reconcile`: what a root should hold against what it holds and what Dagster believes, and the repair.

Repair finishes what was interrupted, removes damaged files, ends the runs of dead processes, makes Dagster's partitions
those of the plan, and runs what is not current: the ranges that lack something, stage by stage, as `curate run` does.
Foreign files are told and left alone: nobody here knows whose they are.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from curation_dagster import census, plan
from curation_dagster.census import Finding
from curation_dagster.commands.progress import watched
from curation_dagster.commands.validate import validate
from curation_dagster.counted import counted
from curation_dagster.lineage import ALL, Lineage, stages
from curation_dagster.orchestration import instance as instance_
from curation_dagster.orchestration import launch, partitions, workers
from curation_dagster.orchestration.stage import key
from curation_dagster.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import dagster as dg

    from curation_dagster.recipe import Recipe

KINDS: Final = ("missing", "stale", "damaged", "foreign", "interrupted")
_EXAMPLES: Final = 3  # of a stage and kind


def reconcile(recipe: Recipe, folder: Path, *, repair: bool, verify: bool, as_json: bool) -> int:
    """Tell what is off, and repair it if asked; return the exit code."""
    lineage = Lineage(recipe, Store.of(recipe))
    instance_.quiet()
    with instance_.instance(folder) as instance:
        found = [*census.survey(lineage, verify=verify), *_believed(instance, lineage)]
        if as_json:
            click.echo(json.dumps([asdict(finding) for finding in found], indent=1))
        else:
            _show(lineage, found, verify=verify)
        if not repair or not found:
            return 1 if found else 0
        return _repair(instance, lineage, found)


def _believed(instance: dg.DagsterInstance, lineage: Lineage) -> list[Finding]:
    """Hold Dagster's partitions, events and runs against the plan, the store and the processes of this host."""
    recipe = lineage.recipe
    found = []
    for kind, stage in (("shard", "raw"), ("output", "exported")):
        known, planned = set(partitions.known(instance, recipe, kind)), lineage.partitions(stage)
        if kind == "output" and not planned:  # follows from a mixture that is not there
            continue
        strange = sorted(known - set(planned))
        found += [Finding("foreign", stage, k, "Dagster's partition; no plan has it") for k in strange]  # fmt: skip
    for spec in stages(recipe):
        for k in sorted(_materialized(instance, recipe, spec.name)):
            if k in lineage.partitions(spec.name) and not lineage.files(spec.name, k):
                why = "Dagster calls it materialized, and no file is there"
                found.append(Finding("missing", spec.name, k, why))
    dead = workers.dead(instance, workers.busy(instance, recipe))
    found += [
        Finding("interrupted", "runs", run.run_id, "its process is gone, Dagster thinks it runs")
        for run in dead
    ]
    return found


def _materialized(instance: dg.DagsterInstance, recipe: Recipe, stage: str) -> set[str]:
    """Return the partitions that Dagster has an event of."""
    asset = key(recipe, stage)
    if stage in {s.name for s in stages(recipe) if s.partitions == "none"}:
        return {ALL} if instance.get_latest_materialization_event(asset) else set()
    return set(instance.get_materialized_partitions(asset))


def _repair(instance: dg.DagsterInstance, lineage: Lineage, found: list[Finding]) -> int:
    """Mend what can be mended; return the exit code."""
    recipe, store, console = lineage.recipe, lineage.store, Console(stderr=True)
    workers.bury(instance, workers.busy(instance, recipe))
    store.sweep()
    plan.finish(store)
    for finding in found:
        if finding.kind == "damaged":
            store.remove(finding.name)
    lineage = Lineage(recipe, store)
    validate(recipe, lineage, list(stages(recipe)))
    partitions.sync(instance, recipe, lineage)
    with watched(console):
        done = launch.launch_lacking(instance, recipe)
    for failure in [*done.failures, *done.failed_checks]:
        console.print(failure, style="red", markup=False)
    computed = counted(sum(done.computed.values()), "partition")
    left = census.lacking(Lineage(recipe, store))
    if left:
        what = ", ".join(f"{name} {sum(kinds.values())}" for name, kinds in left.items())
        click.secho(f"{computed} computed; still lacking: {what}", fg="red")
        return 1
    click.echo(
        f"{computed} computed in {counted(len(done.runs), 'run')}; all that is expected is there"
    )
    return 0


def _show(lineage: Lineage, found: list[Finding], *, verify: bool) -> None:
    told = Table("stage", box=box.SIMPLE)
    for heading in ("expected", "current", "blocked", *KINDS):
        told.add_column(heading, justify="right", no_wrap=True)
    counts = Counter((f.stage, f.kind) for f in _distinct(found))
    states = {row["stage"]: row for row in census.counted_states(lineage)}
    for stage in [*states, *sorted({f.stage for f in found} - set(states))]:
        row = states.get(stage, {})
        expected = [len(lineage.partitions(stage)), row["current"], row["blocked"]] if row else []
        numbers = [f"{n:,}" for n in (*expected, *(counts[stage, k] for k in KINDS))]
        told.add_row(stage, *([] if row else [""] * 3), *numbers)
    Console().print(told)
    for (stage, kind), some in groupby(found, lambda f: (f.stage, f.kind)):
        listed = list(some)
        for finding in listed[:_EXAMPLES]:
            click.echo(f"{kind}: {stage} {finding.name}: {finding.why}")
        if len(listed) > _EXAMPLES:
            click.echo(f"{kind}: {stage}: {len(listed) - _EXAMPLES:,} more; --json lists all")
    if not verify:
        click.echo("no file was read: --verify compares every current one with its name")
    if found:
        click.echo(f"`curate reconcile {lineage.recipe.name} --repair` mends it")


def _distinct(found: list[Finding]) -> list[Finding]:
    """Count a partition once, however many say that it is missing."""
    return list({(f.kind, f.stage, f.name): f for f in found}.values())
