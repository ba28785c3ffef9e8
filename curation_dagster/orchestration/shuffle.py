"""The first pass of `exported`: every input shard is read once for all the output shards of a run."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from curation_dagster import engine
from curation_dagster.errors import CurationError
from curation_dagster.export.shuffle import TABLES, spill_shard
from curation_dagster.lineage import ALL, Lineage
from curation_dagster.orchestration import workers
from curation_dagster.orchestration.stage import FORCE_TAG, refuse
from curation_dagster.plan import Shard
from curation_dagster.recipe import Recipe
from curation_dagster.store import Ref, Store


@contextmanager
def spilled(
    context: dg.AssetExecutionContext, recipe: Recipe
) -> Iterator[tuple[Path, frozenset[str]]]:
    """Spill what the run's output shards need into scratch; nothing where all of them are current.

    Raises:
        CurationError: naming the input shards that could not be read. dg.Failure: a gate failed.
    """
    workers.mark(context)
    store = Store.of(recipe)
    lineage = Lineage(recipe, store)
    refuse(lineage, "exported")
    force = context.run.tags.get(FORCE_TAG) == "true"
    wanted = frozenset(
        p for p in context.partition_keys if force or lineage.state("exported", p) != "current"
    )
    mixture = lineage.current("mixture", ALL)
    with store.scratch() as folder:
        if wanted and mixture:
            outputs = lineage.footer(mixture)["output_shards"]
            jobs = [(shard, _parents(lineage, key)) for key, shard in lineage.shards.items()]
            read = functools.partial(
                _spill, recipe=recipe, outputs=outputs, wanted=wanted, folder=folder
            )
            outcomes = engine.run_all(
                read,
                jobs,
                list(lineage.shards),
                workers=recipe.processes,
                label="exported (reading)",
            )
            if failed := [o.message for o in outcomes if o.error]:
                raise CurationError("exported: cannot read\n" + "\n".join(failed))
        yield folder, wanted


def _parents(lineage: Lineage, shard: str) -> dict[str, Ref]:
    refs = {stage: lineage.current(stage, shard) for stage in TABLES}
    if missing := [stage for stage, ref in refs.items() if ref is None]:
        msg = f"exported: {missing[0]} is not current for {shard}; run from {missing[0]} first"
        raise CurationError(msg)
    return {stage: ref for stage, ref in refs.items() if ref}


def _spill(
    job: tuple[Shard, dict[str, Ref]], *, recipe: Recipe, outputs: dict[str, int], wanted: frozenset[str], folder: Path
) -> int:  # fmt: skip
    shard, refs = job
    with Store.of(recipe).fetch(*refs.values()) as paths:
        files = dict(zip(refs, paths, strict=True))
        return spill_shard(files, shard, outputs, wanted, recipe.export, folder)
