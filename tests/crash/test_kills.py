"""Killed at any step of writing: nothing torn, the next run gives an uninterrupted one's bytes, nothing left over.

The slow sweeps print how many points they killed at (`pytest -m slow -s tests/crash`); CURATE_CRASH_POINTS asks for
more.
"""

import os

import pytest

from tests.crash.sweep import Bucket, Disk, Found, spread, sweeping

POINTS = int(os.environ.get("CURATE_CRASH_POINTS", "30"))


@pytest.fixture
def on_disk(tmp_path):
    with sweeping(tmp_path, Disk(tmp_path)) as sweep:
        yield sweep


@pytest.fixture
def on_s3(tmp_path, ceph, ceph_bucket):
    url, bucket = ceph_bucket
    with sweeping(tmp_path, Bucket(ceph.client(), bucket, url), buckets=700_000) as sweep:
        yield sweep


def told(found: Found, points: int) -> None:
    counts = f"{len(found.torn)} torn, {len(found.differing)} differ, {len(found.orphans)} orphans"
    print(f"\n{len(found.points)} points, {counts}")  # noqa: T201 - the figures, with -s
    assert found.torn == []
    assert found.differing == []
    assert found.orphans == []
    assert len(found.points) >= points


def first(*wanted: str):
    """Choose the first step of each of these kinds."""

    def choose(steps: list[str]) -> list[int]:
        return [steps.index(kind) for kind in wanted]

    return choose


def test_killed_at_some_steps(on_disk):
    """A plan half written, a partition without its record, a release half rendered over another."""
    steps = ("plan|os.link|plan", "raw|os.link|made", "rendering|os.rename|releases")
    told(on_disk.go("overwrite", first(*steps)), 3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fresh", "overwrite"])
def test_killed_anywhere(mode, on_disk):
    told(on_disk.go(mode, spread(POINTS)), 24)


@pytest.mark.slow
def test_killed_within_a_dagster_run(on_disk):
    told(on_disk.go("overwrite", spread(3), how="curate"), 3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fresh", "overwrite"])
def test_killed_anywhere_on_s3(mode, on_s3):
    told(on_s3.go(mode, spread(max(12, POINTS // 2))), 12)
