"""A step whose storage failed is run again by itself; a step that failed for another reason is not."""

import dagster as dg
import pytest
from conftest_graph import curate

from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.orchestration import stage
from curation_dagster.store import Store


def passing(message: str) -> StorageError:
    error = StorageError(message)
    error.may_pass = True
    return error


TIMES = 4  # a step is tried at most: once, and again after each wait


@pytest.fixture
def failing(monkeypatch):
    """Make the publication of shards fail with errors, by key and in order; return the keys it was called with."""
    monkeypatch.setattr(stage, "_RETRY_AFTER_S", (0,) * (TIMES - 1))
    publish, tried = Store.publish, []
    errors: dict[str, list[Exception]] = {}

    def fails(self, scratch, of_stage, partition, digest):
        tried.append(partition)
        if left := errors.get(partition):
            raise left.pop(0)
        return publish(self, scratch, of_stage, partition, digest)

    monkeypatch.setattr(Store, "publish", fails)
    return errors, tried


def test_a_storage_that_recovers_fails_no_run(failing, fresh, instance) -> None:
    errors, tried = failing
    _, lineage = curate(fresh, instance, last="raw", shards=[])
    first, second = list(lineage.shards)[:2]
    errors[second] = [passing("503"), passing("503")]
    done, after = curate(fresh, instance, last="raw", shards=[first, second])
    assert done.failures == []
    assert after.current("raw", first)
    assert after.current("raw", second)
    assert tried == [first, second, second, second]  # what is there is not made again
    key = dg.AssetKey([lineage.recipe.name, "raw"])
    told = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[first, second]), limit=99
    )
    [run] = done.runs
    assert sorted(r.partition_key for r in told.records if r.run_id == run) == [first, second]
    assert done.computed == {"raw": 2}  # the first was computed before the storage failed


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(passing("503"), TIMES), (StorageError("403"), 1), (IntegrityError("torn"), 1)],
)
def test_what_does_not_recover_fails_the_run(failing, fresh, instance, error, attempts) -> None:
    errors, tried = failing
    _, lineage = curate(fresh, instance, last="raw", shards=[])
    first, second = list(lineage.shards)[:2]
    errors[first] = [error] * 99
    done, after = curate(fresh, instance, last="raw", shards=[first, second])
    [failure] = done.failures
    assert str(error) in failure
    assert after.current("raw", second)
    assert tried.count(first) == attempts


def test_a_step_with_another_failure_beside_it_is_not_run_again(failing, fresh, instance) -> None:
    errors, tried = failing
    _, lineage = curate(fresh, instance, last="raw", shards=[])
    first, second = list(lineage.shards)[:2]
    errors[first], errors[second] = [passing("503")] * 99, [IntegrityError("torn")] * 99
    done, _ = curate(fresh, instance, last="raw", shards=[first, second])
    assert done.failures
    assert tried == [first, second]
