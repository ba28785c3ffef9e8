"""One partition's work: fetch the parents, run the stage's function, check the law, publish, give a receipt.

A stage's function gets local verified files and a writer, and knows nothing of stores or names.
What it writes is tallied as it goes: rows, kept, rejected by rule, bytes, tokens. The tally goes
into the footer; seconds do not.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curation_dagster import lineage as lineage_
from curation_dagster import table
from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.faults import storage_errors
from curation_dagster.recipe_file import short_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import polars as pl

    from curation_dagster.lineage import Lineage
    from curation_dagster.plan import Shard
    from curation_dagster.recipe import Recipe
    from curation_dagster.schema import Columns
    from curation_dagster.store import Ref, Store


_SHOWN = 5


@dataclass(frozen=True)
class Job:
    """Everything one partition's computation needs; small, and pickled to a worker."""

    recipe: Recipe
    store: Store
    stage: str
    partition: str
    made_from: dict[str, Any]
    parents: dict[str, list[Ref]]
    shards: tuple[Shard, ...]
    expected_rows: int | None
    state: str

    @property
    def shard(self) -> Shard:
        """The shard of a shard's job."""
        return next(s for s in self.shards if s.key == self.partition)

    @property
    def key(self) -> str:
        """Name for messages: stage and partition."""
        return f"{self.stage}/{self.partition}"


@dataclass(frozen=True)
class Receipt:
    """What became of one partition."""

    ref: Ref
    computed: bool
    summary: dict[str, Any]
    seconds: float = 0.0


@dataclass
class Files:
    """The local side of a job: verified parents, and the draft to write."""

    parents: dict[str, list[Path]]
    draft: Path
    extra: dict[str, Any] = field(default_factory=dict)

    def one(self, stage: str) -> Path:
        """Return the single file of a parent."""
        return self.parents[stage][0]

    @property
    def singles(self) -> dict[str, Path]:
        """Return the parents that are one file each."""
        return {stage: paths[0] for stage, paths in self.parents.items() if len(paths) == 1}


def plan_job(lineage: Lineage, stage: str, partition: str, *, force: bool = False) -> Job:
    """Say what must be done for a partition.

    Raises:
        StorageError: when a parent is not current, naming it.
        IntegrityError: when a parent cannot be opened.
    """
    made_from = lineage.made_from(stage, partition)
    parents = lineage.parents(stage, partition)
    if made_from is None or parents is None:
        raise StorageError(_blocked(lineage, stage, partition))
    spec = lineage_.BY_NAME[stage]
    state = "forced" if force else lineage.state(stage, partition)
    expected = None
    if spec.follows:
        expected = lineage.footer(_follows(lineage, spec.follows, partition))["kept"]
    shards = tuple(lineage.shards.values())
    return Job(
        recipe=lineage.recipe,
        store=lineage.store,
        stage=stage,
        partition=partition,
        made_from=made_from,
        parents=parents,
        shards=(lineage.shards[partition],) if spec.partitions == "shard" else shards,
        expected_rows=expected,
        state=state,
    )


def reuse(lineage: Lineage, job: Job) -> Receipt:
    """Give the receipt of a partition that is current.

    Raises:
        IntegrityError: when its file cannot be opened.
    """
    ref = lineage.current(job.stage, job.partition)
    if ref is None:
        msg = f"{job.key}: current a moment ago, gone now"
        raise IntegrityError(msg)
    return Receipt(ref, computed=False, summary=lineage.footer(ref))


def run(job: Job, work: Callable[[Job, Files], dict[str, Any]]) -> Receipt:
    """Compute one partition and publish it whole, or not at all.

    Raises:
        IntegrityError: when rows in are not rows out; nothing is published then.
        StorageError: when storage or scratch fails, as on a full disk; nothing is published then.
    """
    began = time.monotonic()
    suffix = lineage_.BY_NAME[job.stage].suffix
    refs = [ref for group in job.parents.values() for ref in group]
    with (
        storage_errors(job.key),
        job.store.scratch() as folder,
        job.store.fetch(*refs) as paths,
    ):
        local = dict(zip(refs, paths, strict=True))
        files = Files(
            {stage: [local[r] for r in group] for stage, group in job.parents.items()},
            folder / f"draft.{suffix}",
        )
        summary = work(job, files)
        digest = short_hash(job.made_from)
        # What lies beside the partition goes first: once the partition is there, nobody computes it again.
        record = json.dumps(job.made_from, sort_keys=True).encode()
        job.store.create(lineage_.record_name(job.stage, job.partition, digest), record)
        for name, draft in files.extra.items():
            job.store.publish(draft, job.stage, name, digest)
        ref = job.store.publish(files.draft, job.stage, job.partition, digest)
    return Receipt(ref, computed=True, summary=summary, seconds=time.monotonic() - began)


def write_table(
    job: Job,
    files: Files,
    columns: Columns,
    frames: Iterable[pl.DataFrame],
    **more: object,
) -> dict[str, Any]:
    """Write frames as the job's table, tallied; refuse a table that lost or gained documents.

    Raises:
        IntegrityError: when the rows are not those of the stage it follows.
    """
    tally = table.Tally()
    with table.TableWriter(files.draft, columns) as writer:
        for frame in frames:
            tally.add(frame)
            writer.write(frame)
        came = tally.rows if job.expected_rows is None else job.expected_rows
        if not came == tally.rows == writer.rows:
            found = f"{came} documents came in, {tally.rows} were judged, {writer.rows} written"
            msg = f"{job.key}: {found}; not published"
            raise IntegrityError(msg)
        footer = tally.summary | more
        writer.finish(footer)
    return footer


def _follows(lineage: Lineage, stage: str, partition: str) -> Ref:
    ref = lineage.current(stage, partition)
    if ref is None:
        raise StorageError(_blocked(lineage, stage, partition))
    return ref


def _blocked(lineage: Lineage, stage: str, partition: str) -> str:
    spec = lineage_.BY_NAME[stage]
    for parent in lineage_.parents_of(lineage.recipe, spec):
        keys = [partition] if parent in spec.same else lineage.keys_of(spec, parent)
        missing = [k for k in keys if lineage.current(parent, k) is None]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + " …" * (len(missing) > _SHOWN)
            return (
                f"{stage}/{partition}: {parent} is not current for {shown}; run from {parent} first"
            )
    if stage == "release":
        return f"{stage}: the mixture gives no document a copy; `curate funnel` and `curate cat mixture` say why"
    return f"{stage}/{partition}: no such partition; `curate plan` lists the shards"
