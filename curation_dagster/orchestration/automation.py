"""The sensor and the schedule of a recipe: new files come in, what is missing is run, releases follow a cron.

The sensor decides from the store, not from Dagster's events: a partition that is not current, and that no run is busy
with, gets one. So a tick is idempotent, goes on where a killed run or backfill left off, and repairs what was lost. It
walks the stages in order and stops at the first that lacks something; by itself up to the stage before `mixture`, and
on to `release` where the schedule has put a wish into the root, or somebody has computed `mixture`. While a release is
under way nothing is planned: a new file would make its mixture stale. What a gate holds back is not asked for.

A source that gets nothing new starts no run, so the sensor evaluates the check `fresh` itself, when the answer changes.

Both are stopped until somebody starts them in the UI, or the recipe says `running = true`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from curation_dagster import freshness, gates, plan
from curation_dagster.counted import counted
from curation_dagster.errors import RecipeError
from curation_dagster.export.release import is_done
from curation_dagster.lineage import ALL, Lineage, Stage, libraries, sections, stages
from curation_dagster.orchestration import (
    checks,
    partitions,
    reconciled,
    source_checks,
    workers,
)
from curation_dagster.orchestration.runs import (
    DIGEST,
    PARTITION,
    RANGE_END,
    RANGE_START,
    RECIPE,
    groups,
    neighbours,
)
from curation_dagster.orchestration.stage import key
from curation_dagster.recipe import Recipe
from curation_dagster.recipe_file import digest, short_hash
from curation_dagster.store import Store

WORK_TAG = "curate/work"
_GATE = "mixture"
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def sensor(recipe: Recipe) -> dg.SensorDefinition:
    """Define `RECIPE_new_inputs`: plan new files, request the runs that are missing."""
    settings = recipe.automation
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=f"{_name(recipe)}_new_inputs",
        jobs=_jobs(recipe),
        minimum_interval_seconds=settings.check_every_s,
        default_status=status.RUNNING if settings.running else status.STOPPED,
        description="Plans new files of the recipe's sources, and runs what is not current.",
    )
    def _new_inputs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store = Store.of(recipe)
        lineage = Lineage(recipe, store)
        planned = []
        if not _releasing(recipe, lineage):
            planned = plan.plan(recipe, store, settled_s=settings.check_every_s)
        if planned:
            lineage = Lineage(recipe, store)
        partitions.sync(context.instance, recipe, lineage)
        requests, said = due(context.instance, recipe, lineage)
        if planned:
            said = f"planned {counted(len(planned), 'new shard')}; {said}"
        before = json.loads(context.cursor or "{}")
        lacks = reconciled.lacking(lineage)
        events = [reconciled.evaluation(recipe, lacks)] if before.get("lacks") != lacks else []
        ages = freshness.ages(recipe, store)
        stale = [age.source for age in ages if age.is_stale] if ages else None
        if ages and stale != before.get("stale"):
            events.append(_freshness(recipe, ages))
        told = {"shards": len(lineage.shards), "said": said, "lacks": lacks, "stale": stale}
        cursor = json.dumps(told)
        if requests:
            context.log.info(said)
            return dg.SensorResult(run_requests=requests, cursor=cursor, asset_events=events)
        return dg.SensorResult(skip_reason=said, cursor=cursor, asset_events=events)

    return _new_inputs


def schedule(recipe: Recipe) -> dg.ScheduleDefinition | None:
    """Define `RECIPE_release`: wish for a release by the recipe's cron; the sensor makes it.

    Raises:
        RecipeError: the cron expression is none.
    """
    settings = recipe.automation
    if settings.release_cron is None:
        return None
    status = dg.DefaultScheduleStatus

    try:

        @dg.schedule(
            name=f"{_name(recipe)}_release",
            target=[key(recipe, _GATE)],
            cron_schedule=settings.release_cron,
            execution_timezone=settings.timezone,
            default_status=status.RUNNING if settings.running else status.STOPPED,
            description="Wishes for a release; the sensor makes it.",
        )
        def _release() -> dg.SkipReason:
            wish(recipe)
            return dg.SkipReason(
                "a release is wished for; the sensor makes it once all before it is current"
            )

    except dg.DagsterInvalidDefinitionError as error:
        msg = f"{recipe.name}: automation.release_cron: {error}"
        raise RecipeError(msg) from error
    return _release


def _freshness(recipe: Recipe, ages: list[freshness.Age]) -> dg.AssetCheckEvaluation:
    """Evaluate the check `fresh` of `raw` without a run."""
    passed, metadata = source_checks.freshness_of(ages)
    return dg.AssetCheckEvaluation(
        asset_key=key(recipe, "raw"),
        check_name="fresh",
        passed=passed,
        metadata={label: checks.shown(value) for label, value in metadata.items()},
    )


def wish(recipe: Recipe) -> None:
    """Note in the root that a release is wanted of what is planned now."""
    Store.of(recipe).create(_wish_name(recipe), b"{}\n")


def _wish_name(recipe: Recipe) -> str:
    return f"wishes/{recipe.name}.json"


def _is_wished(recipe: Recipe, lineage: Lineage) -> bool:
    return f"{recipe.name}.json" in lineage.store.names("wishes")


def _releasing(recipe: Recipe, lineage: Lineage) -> bool:
    """Say whether a release is under way: nothing is planned then, which would make its mixture stale."""
    if not lineage.shards:  # nothing to release yet
        return False
    if _is_wished(recipe, lineage):
        return True
    return lineage.state(_GATE, ALL) == "current" and not is_done(lineage, "release", ALL)


def _jobs(recipe: Recipe) -> list[Any]:
    """Define the jobs that runs are of: Dagster wants all partitioned assets of one to have the same partitions."""
    assets: dict[str, list[dg.AssetKey]] = {}
    for stage in stages(recipe):
        assets.setdefault(_job_name(recipe, stage), []).append(key(recipe, stage.name))
    return [dg.define_asset_job(name, selection=keys) for name, keys in assets.items()]


def _job_name(recipe: Recipe, stage: Stage) -> str:
    return f"{_name(recipe)}_{'outputs' if stage.partitions == 'output' else 'shards'}"


def _name(recipe: Recipe) -> str:
    return recipe.name.replace("-", "_")


def due(  # noqa: PLR0911 - each says why there is nothing to request
    instance: dg.DagsterInstance, recipe: Recipe, lineage: Lineage
) -> tuple[list[dg.RunRequest], str]:
    """Return the runs to request now, at most as many as the recipe allows at a time, and what is to be said."""
    busy = workers.bury(instance, workers.busy(instance, recipe))
    room = recipe.automation.max_runs - len(busy)
    if room <= 0:
        return [], f"{counted(len(busy), 'run')} in progress"
    for group in groups(list(stages(recipe)), whole=False):
        kind = group[0].partitions
        keys = [ALL] if kind == "none" else partitions.known(instance, recipe, kind)
        todo = {k for k in keys if any(not is_done(lineage, s.name, k) for s in group)}
        if not todo:
            continue
        names = ", ".join(stage.name for stage in group)
        held = _held_back(lineage, group[0])
        if group[0].name == _GATE and not _is_wished(recipe, lineage):
            return [], f"current up to {_GATE}, which the schedule or a person asks for{held}"
        if held:
            return [], f"{names}{held}"
        if all(lineage.state(group[0].name, k) == "blocked" for k in todo):
            return [], f"{names}: what comes before is not there; see `curate status {recipe.name}`"
        free = todo - set(_held(busy, keys))
        requests, given_up = _requests(instance, recipe, lineage, group, keys, free)
        left = f"{names}: {counted(len(todo), 'partition')}"
        if requests:
            asked = requests[:room]
            return asked, f"{left} to do, {counted(len(asked), 'run')} requested"
        if not given_up:
            return [], f"{left} in progress"
        failed = f"failed in {counted(recipe.automation.max_attempts, 'attempt')}"
        return [], f"{names}: {', '.join(given_up)} {failed}; see the runs, then `curate run`"
    if _is_wished(recipe, lineage):
        lineage.store.remove(_wish_name(recipe))
    return [], "everything is current"


def _held_back(lineage: Lineage, stage: Stage) -> str:
    """Say which gates on file hold a stage back, and how somebody accepts them."""
    waiting = gates.waiting(lineage, stage.name)
    if not waiting:
        return ""
    accept = ", ".join(line.strip() for line in gates.how(waiting))
    return f"; {counted(len(waiting), 'gate')} failed, waiting for {accept}"


def _requests(
    instance: dg.DagsterInstance,
    recipe: Recipe,
    lineage: Lineage,
    group: list[Stage],
    keys: list[str],
    free: set[str],
) -> tuple[list[dg.RunRequest], list[str]]:
    """Make a request of each range of free partitions; return those, and the ranges that failed too often."""
    requests, given_up = [], []
    because: list[str] = []  # what was refused before it was accepted is no attempt
    if group[0].name in gates.BLOCKED:
        because = [said.name for _, said in gates.accepted(lineage)]
    for some in _ranges(keys, free, recipe.automation.shards_per_run):
        work = [lineage.made_from(group[0].name, k) for k in some]
        asked = [
            [s.name, s.code_version, libraries(recipe, s.name), sections(recipe, s.name, some[0])]
            for s in group
        ]
        work_key = short_hash([asked, some, work, *because])
        failed = dg.RunsFilter(tags={WORK_TAG: work_key}, statuses=_ENDED_BADLY)
        attempts = instance.get_runs_count(failed)
        if attempts >= recipe.automation.max_attempts:
            given_up.append(some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}")
            continue
        tags = _tags(recipe) | {WORK_TAG: work_key}
        if group[0].partitions != "none":
            tags |= {RANGE_START: some[0], RANGE_END: some[-1]}
        assets = [key(recipe, stage.name) for stage in group]
        job = _job_name(recipe, group[0])
        requests.append(dg.RunRequest(job_name=job, asset_selection=assets, tags=tags))
    return requests, given_up


def _ranges(keys: list[str], wanted: set[str], most: int) -> Iterator[list[str]]:
    """Cut the wanted keys into ranges of neighbours, of at most so many."""
    for run in neighbours(keys, wanted):
        yield from (run[i : i + most] for i in range(0, len(run), most))


def _held(runs: Sequence[dg.DagsterRun], keys: list[str]) -> Iterator[str]:
    """Yield the partitions that runs are busy with; a run without a range may be busy with any."""
    for run in runs:
        first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
        single = run.tags.get(PARTITION)
        if single:
            yield single
        elif first in keys and last in keys:
            yield from keys[keys.index(first) : keys.index(last) + 1]
        else:
            yield from keys


def _tags(recipe: Recipe) -> dict[str, str]:
    return {RECIPE: recipe.name, DIGEST: digest(recipe)}
