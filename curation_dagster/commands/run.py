"""`curate run`: plan, materialize with a progress bar, print what came of it; and the dry run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from curation_dagster import engine_ray, plan
from curation_dagster.commands import damage, pilot
from curation_dagster.commands.look import print_funnel, print_mixture
from curation_dagster.commands.progress import watched
from curation_dagster.commands.validate import validate
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.funnel import funnel
from curation_dagster.lineage import Lineage, parents_of
from curation_dagster.orchestration import instance as instance_
from curation_dagster.orchestration import launch
from curation_dagster.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import dagster as dg

    from curation_dagster.lineage import Stage
    from curation_dagster.orchestration.launch import Done
    from curation_dagster.recipe import Recipe

FAILED, CHECK_FAILED = 1, 3


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    first: str | None
    last: str | None
    shards: tuple[str, ...] | None
    force: bool
    plan: bool
    pilot: float | None = None


def run(recipe: Recipe, folder: Path, options: Options) -> int:
    """Run the asked stages; return the exit code."""
    if options.pilot is not None:
        return _pilot(recipe, folder, options, options.pilot)
    console = Console(stderr=True)
    if recipe.engine == "ray":
        engine_ray.require()
    wanted, shards, lineage = _prepare(recipe, options, console)
    lineage.store.sweep()
    instance_.quiet()
    with instance_.instance(folder) as instance, watched(console):
        done = launch.launch(instance, recipe, wanted, shards, force=options.force)
    return _conclude(recipe, done, console, whole=options.last in {None, "release"})


def _pilot(recipe: Recipe, folder: Path, options: Options, share: float) -> int:
    """Run a sample of the shards and say what the whole would come to; return the exit code."""
    if options.plan:
        plan.plan(recipe, Store.of(recipe))
    small = pilot.recipe_of(recipe, share)
    code = run(small, folder, replace(options, plan=False, pilot=None))
    if code != FAILED:
        lineage = Lineage(small, Store.of(small))
        with instance_.instance(folder) as instance:
            pilot.show(recipe, lineage, pilot.extrapolate(instance, recipe, lineage))
    return code


def dry_run(recipe: Recipe, folder: Path, options: Options) -> int:
    """Print what a run would compute, why, and how long that took per partition before."""
    console = Console()
    if options.pilot is not None:
        recipe = pilot.recipe_of(recipe, options.pilot)
    wanted, shards, lineage = _prepare(recipe, options, console, dry=True)
    if options.plan and (new := plan.unplanned(recipe, lineage.store))[0]:
        files = f"{counted(new[0], 'new file')}, {counted(new[1], 'byte')}"
        console.print(f"{files}, not planned yet: not counted below", style="yellow")
    table = Table("stage", "to compute", "reused", "why", "estimate")
    instance_.quiet()
    upstream: set[str] = set()
    with instance_.instance(folder) as instance:
        for stage in wanted:
            keys = [
                k
                for k in lineage.partitions(stage.name)
                if not shards or stage.partitions != "shard" or k in shards
            ]
            todo = [k for k in keys if options.force or lineage.state(stage.name, k) != "current"]
            if not todo and keys:
                table.add_row(stage.name, "0", str(len(keys)), "current", "")
                continue
            why = "forced" if options.force else _why(lineage, stage.name, todo)
            follows = sorted(upstream & set(parents_of(recipe, stage)))
            why = (
                f"follows {', '.join(follows)}, reused where their answers stay the same"
                if follows and why.startswith("follows")
                else why
            )
            upstream.add(stage.name)
            count = f"{len(todo)}" if keys else "?"
            table.add_row(
                stage.name,
                count,
                str(len(keys) - len(todo)),
                why,
                _estimate(instance, recipe, stage, len(todo)),
            )
    console.print(table)
    return 0


def _prepare(
    recipe: Recipe, options: Options, console: Console, *, dry: bool = False
) -> tuple[list[Stage], list[str] | None, Lineage]:
    store = Store.of(recipe)
    try:
        wanted = launch.select(recipe, options.first, options.last)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    if options.plan and not dry:
        new = plan.plan(recipe, store)
        if new:
            size = counted(sum(s.bytes for s in new), "byte")
            console.print(f"planned {counted(len(new), 'new shard')}, {size}")
    lineage = Lineage(recipe, store)
    for retirement in lineage.retired.values():
        console.print(retirement.told, style="yellow", markup=False)
    if not lineage.shards:
        msg = f"{recipe.name}: no shards are planned yet; `curate plan {recipe.name}` and `curate run` do that"
        raise RecipeError(msg)
    validate(recipe, lineage, wanted)
    shards = list(options.shards) if options.shards else None
    unknown = sorted(set(shards or ()) - set(lineage.shards))
    if unknown:
        msg = f"no such shards: {unknown}; planned are {list(lineage.shards)[:20]}"
        raise RecipeError(msg)
    return wanted, shards, lineage


def _conclude(recipe: Recipe, done: Done, console: Console, *, whole: bool) -> int:
    computed, reused = sum(done.computed.values()), sum(done.reused.values())
    if done.failures:
        for failure in done.failures:
            console.print(failure, style="red", markup=False)
        then = "once it is accepted" if done.refused else "to go on"
        kept = f"{counted(computed, 'partition')} computed and kept; run again {then}"
        console.print(kept, style="yellow")
        return CHECK_FAILED if done.refused else FAILED
    store = Store.of(recipe)
    lineage = Lineage(recipe, store)
    if whole:
        print_funnel(funnel(lineage))
        print_mixture(lineage)
    if unreadable := damage.of_inputs(lineage):
        console.print(f"raw: {damage.told(unreadable)}", style="yellow", markup=False)
    if computed:
        console.print(f"{counted(computed, 'partition')} computed, {reused} reused")
    else:
        console.print(f"everything was current: 0 partitions recomputed, {reused} reused")
    for failed in done.failed_checks:
        console.print(f"check failed: {failed}", style="red", markup=False)
    if whole and not done.failed_checks:
        console.print(
            f"release: {store.path(f'releases/{recipe.name}')}\nshards:  {store.path('exported')}"
        )
    return CHECK_FAILED if done.failed_checks else 0


def _why(lineage: Lineage, stage: str, todo: list[str]) -> str:
    reasons: dict[str, int] = {}
    for partition in todo:
        why = lineage.why(stage, partition)
        reasons[why] = reasons.get(why, 0) + 1
    return (
        "; ".join(f"{why} ({n})" if len(reasons) > 1 else why for why, n in reasons.items())
        or "follows from its parents"
    )


def _estimate(instance: dg.DagsterInstance, recipe: Recipe, stage: Stage, count: int) -> str:
    """Say how long `count` partitions take, from the seconds earlier ones took."""
    seconds = list(_past_seconds(instance, recipe, stage))
    if not seconds or not count:
        return ""
    return f"{sum(seconds) / len(seconds) * count:.1f} s of work"


def _past_seconds(instance: dg.DagsterInstance, recipe: Recipe, stage: Stage) -> Iterator[float]:
    from curation_dagster.orchestration.stage import key

    for record in instance.fetch_materializations(key(recipe, stage.name), limit=50).records:
        materialization = record.asset_materialization
        if materialization and "seconds" in materialization.metadata:
            yield float(str(materialization.metadata["seconds"].value))
