"""Disks that are full, read-only or not ours: an error that says so, nothing half visible, and it goes on later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import corpus
import pytest
from conftest_graph import curate, outputs

from curation_dagster.errors import StorageError
from curation_dagster.store import SCRATCH, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

DIGEST = "0123456789ab"


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount 64 kB; needs root."""
    where = tmp_path / "disk"
    where.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", str(where)):
        pytest.skip("mounting a tmpfs needs root")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


def publish(store: Store, content: bytes) -> None:
    with store.scratch() as folder:
        draft = folder / "draft.parquet"
        draft.write_bytes(content)
        store.publish(draft, "raw", "web-00000", DIGEST)


def test_a_full_disk_and_then_a_larger_one(
    small_disk: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    recipe = corpus.project(tmp_path)
    recipe.write_text(recipe.read_text().replace('root = "store"', f'root = "{small_disk}/store"'))
    failed, lineage = curate(recipe, instance, last="raw")
    assert failed.failures
    for said in failed.failures:
        assert "No space left" in said, said
        assert "The disk is full: free space" in said
        assert "raw" in said
    store = Store(f"{small_disk}/store")
    whole = store.refs("raw")
    with store.fetch(*whole):
        pass
    assert len(store.names("raw")) == len(whole) < len(lineage.partitions("raw"))
    assert list(Path(store.path(SCRATCH)).iterdir()) == []
    assert mount("-o", "remount,size=64m", str(small_disk))
    done, lineage = curate(recipe, instance, last="raw")
    assert done.failures == []
    assert sum(done.computed.values()) == len(lineage.partitions("raw")) - len(whole)
    roomy = tmp_path / "roomy.toml"
    roomy.write_text(recipe.read_text().replace(str(small_disk), str(tmp_path)))
    _, there = curate(roomy, instance, last="raw")
    assert outputs(there, "raw") == outputs(lineage, "raw")


def test_a_read_only_disk(small_disk: Path) -> None:
    store = Store(str(small_disk / "store"))
    publish(store, b"before")
    before = store.refs("raw")
    assert mount("-o", "remount,ro", str(small_disk))
    for use in (lambda: publish(store, b"after"), lambda: store.create("plan/a.json", b"x")):
        with pytest.raises(StorageError, match=r"Read-only.*mounted read-only"):
            use()
    assert store.refs("raw") == before


SOMEBODY = """
import os, sys
from curation_dagster.store import Store
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
store = Store(sys.argv[1])
for use in (lambda: store.create("plan/a.json", b"x"), lambda: store.scratch().__enter__()):
    try:
        use()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir(0o555)
    done = subprocess.run(
        [sys.executable, "-c", SOMEBODY, str(root)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done
    for line in lines:
        assert line.startswith("StorageError")
        assert "Permission denied" in line
        assert "correct owner and mode" in line
    assert os.listdir(root) == []  # noqa: PTH208


def test_a_file_that_must_not_change(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    publish(store, b"abc")
    [ref] = store.refs("raw")
    if subprocess.run(["chattr", "+i", store.path(ref.name)], check=False).returncode:
        pytest.skip("chattr needs root, and a file system that has attributes")
    try:
        with pytest.raises(StorageError, match=r"raw/web-00000.*Operation not permitted.*lsattr"):
            store.remove(ref.name)
        publish(store, b"abc")
    finally:
        subprocess.run(["chattr", "-i", store.path(ref.name)], check=True)
    assert store.refs("raw") == [ref]
