"""Files that are whole or absent, on disk and on S3: publishing, damage, races, failures, kills."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curation_dagster import scratch_folders, table
from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.store import SCRATCH, Ref, Store

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST, OTHER = "0123456789ab", "ba9876543210"
COLUMNS = {"row": pl.UInt32}


def publish(
    store: Store,
    content: bytes,
    digest: str = DIGEST,
    name: str = "web-00000",
    kind: str = "parquet",
) -> Ref:
    with store.scratch() as folder:
        draft = folder / f"draft.{kind}"
        draft.write_bytes(content)
        return store.publish(draft, "raw", name, digest)


def write(store: Store) -> Ref:
    """Make and publish a table, as a job does."""
    with store.scratch() as folder:
        draft = folder / "draft.parquet"
        with table.TableWriter(draft, COLUMNS) as writer:
            writer.write(pl.DataFrame({"row": [1, 2]}, schema=COLUMNS))
            writer.finish({"rows": 2})
        return store.publish(draft, "raw", "web-00000", DIGEST)


def contents(store: Store, ref: Ref) -> bytes:
    with store.fetch(ref) as (path,):
        return path.read_bytes()


def put(store: Store, name: str, content: bytes) -> None:
    """Write below the root behind the store's back."""
    store.fs.makedirs(store.path(name).rsplit("/", 1)[0], exist_ok=True)
    store.fs.pipe_file(store.path(name), content)


def scratch_of(store: Store, tmp_path: Path) -> list[Path]:
    base = Path(store.path(SCRATCH)) if store.is_local else tmp_path / "curation-scratch"
    return list(base.iterdir()) if base.exists() else []


def test_publish_names_a_file_by_what_it_was_made_from_and_holds(store: Store) -> None:
    assert store.refs("raw") == []
    ref = publish(store, b"abc")
    output = hashlib.sha256(b"abc").hexdigest()[:12]
    assert ref == Ref("raw", "web-00000", DIGEST, output)
    assert ref.name == f"raw/web-00000.{DIGEST}.{output}.parquet"
    assert store.refs("raw") == [ref]
    assert [r.bytes for r in store.refs("raw")] == [3]
    assert contents(store, ref) == store.read(ref.name) == b"abc"
    with store.open(ref) as stream:
        assert (stream.seek(1), stream.read(1)) == (1, b"b")


def test_refs_are_sorted_and_only_ours(store: Store) -> None:
    wanted = sorted(
        [
            publish(store, b"2", name="web.x-00002"),
            publish(store, b"1", name="web-00001"),
            publish(store, b"1", OTHER, name="web-00001"),
            publish(store, b"m", name="all", kind="bin"),
            publish(store, b"{}", name="all", kind="json"),
        ]
    )
    foreign = ["x.parquet", f"a.{DIGEST}.parquet", f"a.{DIGEST}.{DIGEST}.csv", "_SUCCESS"]
    foreign += [f"a.{DIGEST[:-1]}.{DIGEST}.parquet", f"a.{DIGEST.upper()}.{DIGEST}.parquet"]
    foreign += [f".{DIGEST}.{DIGEST}.parquet", f"a.{DIGEST}.{DIGEST}.parquet.tmp"]
    for name in foreign:
        put(store, f"raw/{name}", b"x")
    put(store, f"raw/folder/a.{DIGEST}.{DIGEST}.parquet", b"x")
    put(store, f"raw2/a.{DIGEST}.{DIGEST}.parquet", b"x")
    assert store.refs("raw") == wanted
    assert store.names("raw") == sorted([*(Path(r.name).name for r in wanted), *foreign])


def test_publishing_again_is_the_same_file(store: Store) -> None:
    assert publish(store, b"abc") == publish(store, b"abc")
    assert len(store.names("raw")) == 1


def test_a_published_file_is_never_written_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    before = Path(store.path(publish(store, b"abc").name)).stat()
    after = Path(store.path(publish(store, b"abc").name)).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_same_input_and_other_bytes_is_refused(store: Store) -> None:
    ref = publish(store, b"abc")
    with pytest.raises(IntegrityError, match=rf"{DIGEST}.*{ref.output}.*not deterministic"):
        publish(store, b"abd")
    assert store.refs("raw") == [ref]
    assert publish(store, b"abd", OTHER) in store.refs("raw")
    assert publish(store, b"metrics", kind="json") in store.refs("raw")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b[:-1], id="cut"),
        pytest.param(lambda b: b"", id="empty"),  # noqa: ARG005
        pytest.param(lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:], id="one bit"),
        pytest.param(lambda b: b + b"\0", id="longer"),
    ],
)
def test_a_damaged_file_is_refused_by_name(store: Store, damage: Callable[[bytes], bytes]) -> None:
    whole = bytes(range(256)) * 8
    good, ref = publish(store, b"good", name="web-00001"), publish(store, whole)
    assert contents(store, ref) == whole
    put(store, ref.name, damage(whole))
    with (
        pytest.raises(IntegrityError, match=rf"{ref.name}: damaged.*Remove"),
        store.fetch(good, ref),
    ):
        pytest.fail("a damaged file was given out")
    assert contents(store, good) == b"good"


def test_a_file_that_is_gone_is_an_error_of_ours(store: Store) -> None:
    ref = publish(store, b"abc")
    store.fs.rm(store.path(ref.name))
    with pytest.raises((IntegrityError, StorageError), match=ref.name), store.fetch(ref):
        pass
    with pytest.raises(StorageError, match=ref.name):
        store.read(ref.name)
    with pytest.raises(StorageError, match=ref.name), store.open(ref):
        pass


def test_a_failing_read_is_no_damage(store: Store) -> None:
    ref = publish(store, b"abc")

    class Failing:
        closed = False
        tell = seek = read = size = lambda *_: (_ for _ in ()).throw(OSError(5, "lost"))

    with pytest.raises(StorageError, match=f"{ref.name}.*lost"), store.open(ref):
        table.footer(Failing(), ref.name)


def test_create_has_one_winner_among_threads(store: Store) -> None:
    barrier = threading.Barrier(8)

    def attempt(i: int) -> bool:
        barrier.wait()
        return store.create("plan/a.json", b"%d" % i)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert won.count(True) == 1
    assert store.read("plan/a.json") == b"%d" % won.index(True)
    assert not store.create("plan/a.json", b"late")
    assert store.names("plan") == ["a.json"]


RACER = """
import sys, time
from curation_dagster.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print([store.create(f"plan/{i}.json", sys.argv[2].encode()) for i in range(20)])
"""


def test_create_has_one_winner_among_processes(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    answers = [eval(racer.communicate()[0]) for racer in racers]  # noqa: S307
    store = Store(str(tmp_path))
    for i, won in enumerate(zip(*answers, strict=True)):
        assert won.count(True) == 1
        assert store.read(f"plan/{i}.json") == str(won.index(True)).encode()


def test_replace_overwrites(store: Store, tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        draft = tmp_path / "draft"
        draft.write_bytes(content)
        store.replace("releases/r/card.md", draft)
        assert store.read("releases/r/card.md") == content


def broken(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


STEPS = [
    pytest.param("curation_dagster.table.TableWriter.write", id="writing"),
    pytest.param("pyarrow.parquet.ParquetWriter.write_table", id="inside the writer"),
    pytest.param("curation_dagster.table.TableWriter.finish", id="finishing"),
    pytest.param("pyarrow.parquet.ParquetWriter.add_key_value_metadata", id="the footer"),
    pytest.param("pyarrow.parquet.read_metadata", id="reopening"),
    pytest.param("hashlib.file_digest", id="hashing"),
    pytest.param("curation_dagster.store.Store.refs", id="listing"),
]
LOCAL_STEPS = [
    *STEPS,
    pytest.param("os.fsync", id="syncing"),
    pytest.param("pathlib.Path.replace", id="renaming"),
]


@pytest.mark.parametrize("step", LOCAL_STEPS)
def test_a_failed_write_leaves_nothing(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / "root"))
    before = write(Store(str(tmp_path / "other")))
    with monkeypatch.context() as patch:
        patch.setattr(step, broken)
        with pytest.raises((OSError, StorageError), match="No space left"):
            write(store)
    assert store.names("raw") == []
    assert scratch_of(store, tmp_path) == []
    assert write(store) == before


def test_a_short_file_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda *_, **__: None)
    with pytest.raises(IntegrityError, match="wrote 2 rows, reopened 0"):
        write(Store(str(tmp_path)))
    assert Store(str(tmp_path)).names("raw") == []


@pytest.mark.parametrize(("patched", "says"), [("os.link", "refused"), ("os.fsync", "refused")])
def test_a_failed_create_leaves_nothing(
    patched: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "refused")

    store = Store(str(tmp_path))
    monkeypatch.setattr(patched, refuse)
    with pytest.raises(StorageError, match=rf"plan/a\.json.*{says}"):
        store.create("plan/a.json", b"x")
    assert store.names("plan") == []
    assert scratch_of(store, tmp_path) == []


# Kills itself where the named function is called; the writer is that of `write` above.
VICTIM = """
import importlib, os, signal, sys
root, endpoint, scratch, module, attribute = sys.argv[1:]
import tempfile; tempfile.tempdir = scratch
import polars as pl
from curation_dagster import scratch_folders, table
from curation_dagster.store import Store
*owners, last = attribute.split(".")
owner = importlib.import_module(module)
for name in owners:
    owner = getattr(owner, name)
real = getattr(owner, last)
def kill(*args, **kwargs):
    if last == "write_table":
        real(*args, **kwargs)
    if last == "_call_s3" and args[1] not in ("put_object", "upload_part"):
        return real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
store = Store(root, endpoint or None)
if last == "_call_s3": store.refs("raw")
setattr(owner, last, kill)
columns = {"row": pl.UInt32}
with store.scratch() as folder:
    draft = folder / "draft.parquet"
    with table.TableWriter(draft, columns) as writer:
        writer.write(pl.DataFrame({"row": [1, 2]}, schema=columns))
        writer.finish({"rows": 2})
    store.publish(draft, "raw", "web-00000", "0123456789ab")
"""


def kill_at(store: Store, where: str, scratch: Path) -> None:
    module, attribute = where.split(":")
    endpoint = store.endpoint_url or ""
    arguments = [store.root, endpoint, str(scratch), module, attribute]
    done = subprocess.run([sys.executable, "-c", VICTIM, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL


KILLS = [
    pytest.param("pyarrow.parquet:ParquetWriter.write_table", id="writing"),
    pytest.param("hashlib:file_digest", id="hashing"),
    pytest.param("os:fsync", id="syncing"),
    pytest.param("pathlib:Path.replace", id="renaming"),
]


@pytest.mark.parametrize("where", KILLS)
def test_a_killed_write_leaves_nothing_to_see(where: str, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "root"))
    kill_at(store, where, tmp_path)
    assert store.names("raw") == []
    assert len(scratch_of(store, tmp_path)) == 1
    with store.scratch() as mine:
        assert store.sweep() == 1
        assert scratch_of(store, tmp_path) == [mine]
    assert store.sweep() == 0
    ref = write(store)
    assert store.refs("raw") == [ref]


def test_sweep_leaves_what_is_not_certainly_dead(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.sweep() == 0
    mine = scratch_folders.owner()
    space, pid, start, _ = mine.split("-")
    dead = 2**22 + 1
    names = {
        f"{mine}aaaa": True,
        f"{space}-{dead}-{start}-aaaa": False,
        f"{space}-{pid}-{int(start) - 1}-aaaa": False,  # the process id was given out again
        f"{'0' * 12}-{dead}-{start}-aaaa": True,  # another machine, or a container beside this one
        f"{'0' * 12}-{pid}-{int(start) - 1}-aaaa": True,
        f"{space}-x-{start}-aaaa": True,
        f"{space}-{'9' * 30}-{start}-aaaa": False,
        "notes": True,
    }
    for name in names:
        (tmp_path / SCRATCH / name / "inner").mkdir(parents=True)
    assert store.sweep() == 3
    left = {n for n, stays in names.items() if stays}
    assert {p.name for p in scratch_of(store, tmp_path)} == left
    assert store.busy() == sorted(left - {f"{mine}aaaa"})


def test_sweep_removes_what_others_abandoned(tmp_path: Path) -> None:
    store, mine = Store(str(tmp_path)), scratch_folders.owner()
    day = 24 * 3600
    ages = {
        f"{mine}aaaa": 9 * day,
        f"{'0' * 12}-1-1-old": 9 * day,
        f"{'0' * 12}-1-1-new": 0,
    }
    for name, age in ages.items():
        inner = tmp_path / SCRATCH / name / "draft"
        inner.mkdir(parents=True)
        for path in (inner, inner.parent):
            os.utime(path, (time.time() - age,) * 2)
    old = tmp_path / SCRATCH / f"{'0' * 12}-1-1-busy"  # an old folder that is still written in
    (old / "draft").mkdir(parents=True)
    os.utime(old, (time.time() - 9 * day,) * 2)
    assert store.sweep(7 * day) == 1
    assert f"{'0' * 12}-1-1-old" not in {p.name for p in scratch_of(store, tmp_path)}


def test_a_process_of_another_namespace_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    here = scratch_folders.owner()
    monkeypatch.setattr(Path, "readlink", lambda _: Path("pid:[1]"))
    scratch_folders._space.cache_clear()
    there = scratch_folders.owner()
    scratch_folders._space.cache_clear()
    assert here.split("-")[0] != there.split("-")[0]
    assert here.split("-")[1:] == there.split("-")[1:]


@pytest.mark.parametrize(
    ("root", "local", "path"),
    [
        ("/data/store", True, "/data/store/raw/x"),
        ("/data/store/", True, "/data/store/raw/x"),
        ("file:///data/store", True, "/data/store/raw/x"),
        ("s3://bucket/p/", False, "s3://bucket/p/raw/x"),
    ],
)
def test_roots(root: str, local: bool, path: str) -> None:
    assert (Store(root).is_local, Store(root).path("raw/x")) == (local, path)


def test_many_small_files_are_read_in_order(store: Store) -> None:
    names = [f"plan/web/web-{n:05d}.json" for n in (3, 1, 2, 70)]
    for name in names:
        store.create(name, name.encode())
    assert store.read_many(names) == [name.encode() for name in names]
    assert store.read_many(names[:1]) == [names[0].encode()]
    assert store.read_many([]) == []
    with pytest.raises(StorageError, match=r"web-00009|web-00003"):
        store.read_many([*names, "plan/web/web-00009.json"])
