"""`curate run`: the stages asked for as Dagster runs in this process, recorded in the persistent instance.

A run takes one contiguous range of shards, in plan order, or the output shards, or what has no
partitions. Where all shards are asked for, one run goes from `raw` to `decontaminated`; then come
`exported` and `release`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from curation_dagster.export.release import is_done
from curation_dagster.lineage import ALL, Lineage, Stage, stages
from curation_dagster.orchestration import partitions
from curation_dagster.orchestration.graph import assets_of
from curation_dagster.orchestration.runs import (
    DIGEST,
    RANGE_END,
    RANGE_START,
    RECIPE,
    groups,
    neighbours,
)
from curation_dagster.orchestration.stage import FORCE_TAG, REFUSED, key
from curation_dagster.recipe import Recipe
from curation_dagster.recipe_file import digest
from curation_dagster.store import Store

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Done:
    """What a command's runs came to."""

    runs: list[str] = field(default_factory=list)
    computed: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    refused: bool = False  # by a gate, which somebody may accept; said among the failures


def launch(
    instance: dg.DagsterInstance,
    recipe: Recipe,
    wanted: list[Stage],
    shards: list[str] | None,
    *,
    force: bool,
) -> Done:
    """Run the wanted stages over the shards (None: all); stops at the first run that fails."""
    job, done = _job(recipe), Done()
    more = {FORCE_TAG: "true"} if force else {}
    for group in groups(wanted, whole=shards is None):
        lineage = Lineage(recipe, Store.of(recipe))
        partitions.sync(instance, recipe, lineage)
        for tags in _ranges(instance, recipe, group, shards):
            _execute(instance, job, recipe, group, tags | more, done)
        if done.failures:
            break
    return done


def launch_lacking(instance: dg.DagsterInstance, recipe: Recipe) -> Done:
    """Run what is not current, and nothing else: the ranges of each group of stages that lack something."""
    job, done = _job(recipe), Done()
    for group in groups(list(stages(recipe)), whole=False):
        lineage = Lineage(recipe, Store.of(recipe))
        partitions.sync(instance, recipe, lineage)
        kind = group[0].partitions
        known = [ALL] if kind == "none" else partitions.known(instance, recipe, kind)
        lacks = {k for k in known if not all(is_done(lineage, s.name, k) for s in group)}
        for keys in neighbours(known, lacks):
            tags = {} if kind == "none" else {RANGE_START: keys[0], RANGE_END: keys[-1]}
            _execute(instance, job, recipe, group, tags, done)
        if done.failures:
            break
    return done


def _job(recipe: Recipe) -> dg.JobDefinition:
    definitions = dg.Definitions(assets=assets_of(recipe), executor=dg.in_process_executor)
    return definitions.resolve_implicit_global_asset_job_def()


def _execute(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    recipe: Recipe,
    group: list[Stage],
    tags: dict[str, str],
    done: Done,
) -> None:
    """Execute one run in this process, and add up what it came to."""
    result = job.execute_in_process(
        instance=instance,
        tags=tags | {RECIPE: recipe.name, DIGEST: digest(recipe)},
        asset_selection=[key(recipe, s.name) for s in group],
        run_config=_QUIET,
        raise_on_error=False,
    )
    _collect(instance, result, done)


def select(recipe: Recipe, first: str | None, last: str | None) -> list[Stage]:
    """Return the stages from `first` to `last`, in order.

    Raises:
        ValueError: for a name that is no stage of the recipe, or the wrong order.
    """
    names = [s.name for s in stages(recipe)]
    for name in (first, last):
        if name and name not in names:
            msg = f"no stage {name!r}; stages are {', '.join(names)}"
            raise ValueError(msg)
    begin = names.index(first) if first else 0
    end = names.index(last) if last else len(names) - 1
    if begin > end:
        msg = f"--from {first} comes after --to {last}"
        raise ValueError(msg)
    return list(stages(recipe))[begin : end + 1]


def _ranges(
    instance: dg.DagsterInstance,
    recipe: Recipe,
    group: list[Stage],
    shards: list[str] | None,
) -> Iterator[dict[str, str]]:
    """Yield the tags of each run of a group: contiguous ranges in the order Dagster knows the partitions."""
    kinds = {s.partitions for s in group}
    if kinds == {"none"}:
        yield {}
        return
    known = partitions.known(instance, recipe, "output" if "output" in kinds else "shard")
    chosen = set(known if shards is None or "output" in kinds else shards)
    for keys in neighbours(known, chosen):
        yield {RANGE_START: keys[0], RANGE_END: keys[-1]}


def _collect(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, done: Done) -> None:
    done.runs.append(result.run_id)
    # The instance's log, not the result's: what a failing step logged is only there.
    for entry in instance.all_logs(result.run_id):
        event = entry.dagster_event
        if event is None:
            continue
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            _count(event.asset_key, _metadata(event), done)
        elif event.is_step_failure:
            done.failures.append(_reason(event.step_failure_data))
            failure = event.step_failure_data.user_failure_data
            done.refused |= bool(failure and REFUSED in failure.metadata)
    for check in result.get_asset_check_evaluations():
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            shown = {k: v.value for k, v in check.metadata.items()}
            done.failed_checks.append(f"{check.asset_key.path[-1]}: {check.check_name}: {shown}")
    if not result.success and not done.failures:
        done.failures.append(f"run {result.run_id} failed; see it in the UI")


def _metadata(event: dg.DagsterEvent) -> dict[str, Any]:
    materialization = event.step_materialization_data.materialization
    return {k: v.value for k, v in materialization.metadata.items()}


def _count(asset: dg.AssetKey | None, metadata: dict[str, Any], done: Done) -> None:
    if asset is None or "computed" not in metadata:
        return
    counts = done.computed if metadata["computed"] else done.reused
    counts[asset.path[-1]] = counts.get(asset.path[-1], 0) + 1


def _reason(data: Any) -> str:  # noqa: ANN401 - Dagster's event data
    failure = data.user_failure_data
    if failure and failure.description:
        return str(failure.description)
    error = data.error
    while error.cause:
        error = error.cause
    return str(error.message).strip()
