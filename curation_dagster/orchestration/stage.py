"""What every asset does: declare itself, compute the partitions that are not current, account for all of them."""

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from curation_dagster import engine, gate_judge, gates
from curation_dagster.alike import alike
from curation_dagster.errors import CurationError, GateError, StorageError
from curation_dagster.job import Files, Job, Receipt, plan_job, reuse, run
from curation_dagster.lineage import BY_NAME, Lineage, parents_of
from curation_dagster.orchestration import checks, partitions, report, workers
from curation_dagster.recipe import Recipe
from curation_dagster.recipe_file import digest
from curation_dagster.store import Store

Work = Callable[[Job, Files], dict[str, Any]]
FORCE_TAG = "curate/force"
REFUSED = "refused"  # metadata of a failure that waits for a person
_SHARDS_PER_RUN = 1000
_POOL = "whole_corpus"  # one such run at a time, whichever recipe's: memory_gb is meant for one
_RETRY_AFTER_S = (10, 60, 300)
# Of a step that is run again, in this process: what it had done.
_earlier: dict[tuple[str, str], dict[str, Receipt]] = {}


def key(recipe: Recipe, stage: str) -> dg.AssetKey:
    """Name an asset: recipe, stage."""
    return dg.AssetKey([recipe.name, stage])


def declare(recipe: Recipe, stage: str, description: str, kinds: set[str]) -> dict[str, Any]:
    """Return the arguments of `dg.asset` that follow from the table of stages."""
    spec = BY_NAME[stage]
    kind = spec.partitions
    partitions_def = None if kind == "none" else partitions.definition(recipe, kind)
    everything = dg.AllPartitionMapping() if spec.partitions == "output" else None
    deps = [
        dg.AssetDep(
            key(recipe, parent),
            partition_mapping=everything if BY_NAME[parent].partitions == "shard" else None,
        )
        for parent in dict.fromkeys(parents_of(recipe, spec))
    ]
    return {
        "key": key(recipe, stage),
        "deps": deps,
        "partitions_def": partitions_def,
        "pool": _POOL if kind == "none" else None,
        "backfill_policy": dg.BackfillPolicy.multi_run(_SHARDS_PER_RUN) if partitions_def else None,
        "group_name": recipe.name.replace("-", "_"),
        "code_version": spec.code_version,
        "owners": list(recipe.owners) or None,
        "kinds": kinds,
        "tags": {"curate/stage": stage},
        "metadata": {"recipe_digest": digest(recipe), "root": recipe.root},
        "description": description,
        "check_specs": [
            dg.AssetCheckSpec(name, asset=key(recipe, stage), description=text)
            for name, text in checks.described(stage).items()
        ],
    }


def compute(
    context: dg.AssetExecutionContext, recipe: Recipe, stage: str, work: Work
) -> list[Receipt]:
    """Compute what is not current of the step's partitions, on the engine; return a receipt for each.

    Where the storage failed and nothing else, the step is run again after a while; what it committed is reused then.

    Raises:
        dg.Failure: naming the partitions that failed; the others are committed and logged. Or a gate that failed.
        dg.RetryRequested: only the storage failed, and not too often yet.
    """
    workers.mark(context)
    lineage = Lineage(recipe, Store.of(recipe))
    refuse(lineage, stage)
    lineage.store.sweep()
    force = context.run.tags.get(FORCE_TAG) == "true"
    jobs: list[Job] = []
    receipts: dict[str, Receipt] = {}
    failed: list[str] = []
    earlier = _earlier.pop((context.run.run_id, stage), {})
    wanted = partitions.keys_of(context, stage)
    if not wanted:  # Dagster runs a range whose end lies before its start, and calls it a success
        raise dg.Failure(f"{stage}: the run names no partition")
    for partition in wanted:
        if partition in earlier:
            receipts[partition] = earlier[partition]
            continue
        try:
            job = plan_job(lineage, stage, partition, force=force)
            if job.state == "current":
                receipts[partition] = reuse(lineage, job)
            else:
                jobs.append(job)
        except CurationError as error:
            failed.append(str(error))
    outcomes = _mapped(recipe, stage, jobs, work)
    for job, outcome in zip(jobs, outcomes, strict=True):
        if outcome.result is None:
            failed.append(outcome.message)
            if not isinstance(outcome.error, CurationError):
                context.log.error("".join(traceback.format_exception(outcome.error)))
        else:
            receipts[job.partition] = outcome.result
    _retry_if_only_storage_failed(context, stage, outcomes, failed, receipts)
    ordered = [receipts[p] for p in wanted if p in receipts]
    if failed:
        report.log_committed(context, key(recipe, stage), ordered)
        raise dg.Failure(
            description=f"{stage}: {len(failed)} of {len(wanted)} partitions failed:\n"
            + "\n".join(failed),
            metadata={"failed": len(failed), "committed": len(ordered)},
        )
    return ordered


def _retry_if_only_storage_failed(
    context: dg.AssetExecutionContext,
    stage: str,
    outcomes: Sequence[engine.Outcome[Receipt]],
    failed: list[str],
    receipts: dict[str, Receipt],
) -> None:
    attempt = context.retry_number
    refused = [o for o in outcomes if isinstance(o.error, StorageError) and o.error.may_pass]
    if not refused or len(refused) < len(failed) or attempt >= len(_RETRY_AFTER_S):
        return
    seconds = _RETRY_AFTER_S[attempt]
    shown = "\n".join(outcome.message for outcome in refused)
    context.log.warning("%s: the storage failed; again in %d s:\n%s", stage, seconds, shown)
    _earlier[context.run.run_id, stage] = receipts
    raise dg.RetryRequested(max_retries=len(_RETRY_AFTER_S), seconds_to_wait=seconds)


def refuse(lineage: Lineage, stage: str) -> None:
    """See that nobody has to accept anything before a stage.

    Raises:
        dg.Failure: saying what failed and how to accept it; a retry would find the same.
    """
    try:
        gate_judge.refuse(lineage, stage)
    except GateError as error:
        raise dg.Failure(str(error), metadata={REFUSED: True}, allow_retries=False) from error


def _mapped(
    recipe: Recipe, stage: str, jobs: list[Job], work: Work
) -> list[engine.Outcome[Receipt]]:
    """Map over the jobs: shards on the recipe's engine, what reads the whole corpus in this process's own."""
    todo, keys = functools.partial(run, work=work), [j.key for j in jobs]
    if recipe.engine == "processes" or BY_NAME[stage].partitions != "shard" or not jobs:
        return engine.run_all(todo, jobs, keys, workers=recipe.processes, label=stage)
    with alike(recipe, jobs[0].shard) as said:
        return engine.run_all(
            todo, jobs, keys,
            workers=recipe.workers, label=stage, engine=recipe.engine, alike=said,
        )  # fmt: skip


def finish(
    context: dg.AssetExecutionContext, recipe: Recipe, stage: str, receipts: list[Receipt]
) -> dg.MaterializeResult:
    """Attach metadata to every partition and to the run, and return the step's check results."""
    lineage = Lineage(recipe, Store.of(recipe))
    report.attach(context, stage, receipts)
    gates.record(lineage.store, checks.gates_of(lineage, stage, receipts))
    if stage == "mixture":
        partitions.sync(context.instance, recipe, lineage)
    return dg.MaterializeResult(
        asset_key=key(recipe, stage),
        metadata=report.of_run(lineage, stage, receipts),
        check_results=checks.results(lineage, key(recipe, stage), stage, receipts),
    )
