"""Immutable files addressed by what they were made from and what they hold, on disk or any fsspec URL.

`ROOT/STAGE/PARTITION.INPUT.OUTPUT.SUFFIX`: INPUT is the digest of what went in (`lineage`), OUTPUT
the first 12 hex of the file's own sha256. A file is written to scratch and then renamed, or
uploaded by one call that aborts on error, so a partition is whole or absent. Nothing is ever
overwritten. What is inside the files is `table`'s business.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import fsspec

from curation_dagster import faults, scratch_folders
from curation_dagster.errors import IntegrityError
from curation_dagster.faults import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from curation_dagster.recipe import Recipe

_log = logging.getLogger(__name__)
_FILE = re.compile(
    r"(?P<partition>.+)\.(?P<input>[0-9a-f]{12})\.(?P<output>[0-9a-f]{12})\.(?P<suffix>parquet|bin|json)"
)
SCRATCH: Final = ".scratch"


@dataclass(frozen=True, order=True)
class Ref:
    """One published file."""

    stage: str
    partition: str
    input: str
    output: str
    suffix: str = "parquet"
    bytes: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """Path below the root."""
        return f"{self.stage}/{self.partition}.{self.input}.{self.output}.{self.suffix}"


@dataclass(frozen=True)
class Store:
    """A root folder or URL. Cheap to make and to pickle; holds no connection."""

    root: str
    endpoint_url: str | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> Store:
        """Return the store of a recipe's root."""
        return cls(recipe.root, recipe.endpoint_url)

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder on this machine."""
        return "://" not in self.root or self.root.startswith("file://")

    @property
    def fs(self) -> Any:  # noqa: ANN401 - fsspec has no types
        """The file system of the root; credentials come from the environment."""
        return filesystem(self.root, self.endpoint_url)

    def path(self, name: str) -> str:
        """Full path or URL of a name below the root."""
        return f"{self.root.rstrip('/').removeprefix('file://')}/{name}"

    def refs(self, stage: str) -> list[Ref]:
        """List a stage's files, sorted; one listing. Names of another form are not ours and are ignored.

        Raises:
            StorageError: when the storage refuses or does not answer.
        """
        return _refs(stage, self._listing(stage))

    def names(self, folder: str) -> list[str]:
        """List the file names of any folder below the root, sorted."""
        if not self.is_local:
            return sorted(name for name, _ in self._listing(folder))
        path = Path(self.path(folder))
        with storage_errors(folder):
            if not path.is_dir():
                return []
            with os.scandir(path) as entries:  # which looks at no file
                return sorted(entry.name for entry in entries if entry.is_file())

    def listed(self, folder: str) -> list[tuple[str, int, datetime]]:
        """List the files of any folder below the root with their sizes and when they were written, sorted."""
        return sorted(
            (Path(e["name"]).name, int(e["size"] or 0), _written(e))
            for e in self._entries(folder)
            if e["type"] == "file"
        )

    def folders(self, folder: str) -> list[str]:
        """List the folders in any folder below the root, sorted."""
        return sorted(
            Path(e["name"]).name for e in self._entries(folder) if e["type"] == "directory"
        )

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a local folder to write in, removed afterwards; on the root's own disk if that is local."""
        base = self._scratch_base
        with storage_errors(f"scratch in {base}"):
            base.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=base, prefix=scratch_folders.owner())
        with folder as name:
            yield Path(name)

    def sweep(self, abandoned_s: float | None = None) -> int:
        """Remove scratch folders of processes of this machine that are gone; return how many.

        With `abandoned_s` also those of other machines in which nothing has changed for so many seconds.
        """
        return scratch_folders.sweep(self._scratch_base, abandoned_s)

    @property
    def _scratch_base(self) -> Path:
        if self.is_local:
            return Path(self.path(SCRATCH))
        return Path(tempfile.gettempdir()) / "curation-scratch"

    def publish(self, scratch: Path, stage: str, partition: str, digest: str) -> Ref:
        """Make a finished scratch file visible under its final name: a rename, or one upload.

        Raises:
            IntegrityError: when the same input has already given other bytes.
            StorageError: when the storage refuses; nothing is visible then.
        """
        output = _sha256(scratch)[:12]
        ref = Ref(stage, partition, digest, output, scratch.suffix[1:], scratch.stat().st_size)
        twins = self._twins(stage, f"{partition}.{digest}.")
        if any(r.output != output and r.suffix == ref.suffix for r in twins):
            msg = (
                f"{ref.name}: the same input gave {[r.output for r in twins]} before and {output} now; "
                "a stage is not deterministic, or a library changed. Remove the old file to accept the new one."
            )
            raise IntegrityError(msg)
        with storage_errors(ref.name):
            if self.is_local:
                target = Path(self.path(ref.name))
                if ref in twins and _sha256(target)[:12] == output:
                    return ref  # it is there; were it damaged, it would be replaced
                target.parent.mkdir(parents=True, exist_ok=True)
                _sync(scratch)
                scratch.replace(target)
            elif not any(r == ref and r.bytes == ref.bytes for r in twins):
                self._upload(scratch, ref.name)
        return ref

    def _upload(self, scratch: Path, name: str) -> None:
        """Upload a file whole; then drop other uploads of its name, which killed processes have left in parts.

        One more request for a large file. A live process that uploads the same loses its upload, and begins once more.
        """
        try:
            self.fs.put_file(str(scratch), self.path(name))
        except OSError as error:
            if faults.code_of(error) != "NoSuchUpload":
                raise
            self.fs.put_file(str(scratch), self.path(name))
        if self.root.startswith("s3://") and scratch.stat().st_size >= _LEAST_PART:
            with contextlib.suppress(PermissionError):  # to list uploads is a right of its own
                self._drop_uploads(self.path(name))

    def _drop_uploads(self, url: str) -> None:
        for key, upload, _ in self.fs.unfinished(url.rsplit("/", 1)[0]):
            if url.endswith(f"/{key}"):
                try:
                    self.fs.abort(self.root, key, upload)
                except OSError as error:
                    if faults.code_of(error) != "NoSuchUpload":  # ended meanwhile
                        raise

    def drop_unfinished(self, older_than_s: float) -> int:
        """Drop uploads of many parts, below the root, that began so long ago and were never finished; return how many.

        A process that is killed while it uploads leaves one: its parts are paid for and no listing shows them.

        Raises:
            StorageError: when the credentials may not list uploads.
        """
        if not self.root.startswith("s3://"):
            return 0
        with storage_errors("unfinished uploads"):
            limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
            old = [(key, i) for key, i, begun in self.fs.unfinished(self.root) if begun < limit]
            for key, upload in old:
                self.fs.abort(self.root, key, upload)
        return len(old)

    def _twins(self, stage: str, prefix: str) -> list[Ref]:
        """List the files of a stage whose names begin so, without listing the stage where that can be had."""
        if self.is_local:
            return [r for r in self.refs(stage) if r.name.startswith(f"{stage}/{prefix}")]
        with storage_errors(f"{stage}/{prefix}"):
            found = self.fs.find(self.path(stage), prefix=prefix, detail=True, refresh=True)
        return _refs(stage, [(Path(name).name, int(e["size"])) for name, e in found.items()])

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file unless it is there; return whether this call wrote it. Whole or absent."""
        if self.is_local:
            return self.create_many({name: content})[0]
        with storage_errors(name):
            if self.root.startswith("s3://"):
                return bool(self.fs.create(self.path(name), content))
            try:
                self.fs.pipe_file(self.path(name), content, mode="create")
            except FileExistsError:
                return False
            return True

    def create_many(self, contents: Mapping[str, bytes]) -> list[bool]:
        """Write small files, each unless it is there; return which this call wrote. To a server, many at a time."""
        if not self.is_local:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                return list(pool.map(self.create, contents, contents.values()))
        with self.scratch() as folder:
            return [
                self._link(folder / f"draft-{n}", name, content)
                for n, (name, content) in enumerate(contents.items())
            ]

    def _link(self, draft: Path, name: str, content: bytes) -> bool:
        """Write a file in scratch, then give it its name, unless another has that; a rename would replace it."""
        with storage_errors(name):
            target = Path(self.path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            _sync(draft)
            try:
                os.link(draft, target)
            except FileExistsError:
                return False
            finally:
                draft.unlink(missing_ok=True)
            return True

    def replace(self, name: str, scratch: Path) -> None:
        """Put a rendering (never a partition) at a fixed name, replacing what was there."""
        with storage_errors(name):
            if self.is_local:
                target = Path(self.path(name))
                target.parent.mkdir(parents=True, exist_ok=True)
                _sync(scratch)
                scratch.replace(target)
            else:
                self._upload(scratch, name)

    def remove(self, name: str) -> None:
        """Remove a rendering; a partition only if nobody needs it, or its text must not be kept."""
        with storage_errors(name):
            self.fs.rm_file(self.path(name))

    def busy(self) -> list[str]:
        """Name the scratch folders that others may be writing in: of live processes, or of other hosts."""
        self.sweep()
        base = self._scratch_base
        names = [folder.name for folder in base.iterdir()] if base.is_dir() else []
        return sorted(name for name in names if not name.startswith(scratch_folders.owner()))

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Read small files whole, on S3 many at a time: one after the other takes a round trip each."""
        if self.is_local or not names:
            return [self.read(name) for name in names]
        paths = [self.path(name) for name in names]
        with storage_errors(f"{names[0]} and {len(names) - 1} other files"):
            found = self.fs.cat(paths, batch_size=_READ_AT_ONCE)
        if isinstance(found, bytes):  # of one path
            return [found]
        by_name = {name.split("://", 1)[-1]: content for name, content in found.items()}
        return [bytes(by_name[path.split("://", 1)[-1]]) for path in paths]

    def read(self, name: str) -> bytes:
        """Read a small file whole."""
        with storage_errors(name):
            return bytes(self.fs.cat_file(self.path(name)))

    @contextlib.contextmanager
    def open(self, ref: Ref) -> Iterator[Any]:
        """Open a file for ranged reading, without verifying it.

        Raises:
            StorageError: when the storage refuses or fails, at the opening or while it is read.
        """
        with self.open_name(ref.name) as stream:
            yield stream

    @contextlib.contextmanager
    def open_name(self, name: str) -> Iterator[Any]:
        """Open any file below the root for ranged reading."""
        with (
            storage_errors(name),
            self.fs.open(self.path(name), "rb", block_size=_READ_AHEAD) as stream,
        ):
            yield stream

    @contextlib.contextmanager
    def fetch(self, *refs: Ref) -> Iterator[list[Path]]:
        """Give verified local copies of files (the files themselves if the root is local).

        Raises:
            IntegrityError: for a file whose bytes are not what its name says.
        """
        with contextlib.ExitStack() as stack:
            if self.is_local:
                paths = [Path(self.path(ref.name)) for ref in refs]
            else:
                folder = stack.enter_context(self.scratch())
                paths = [folder / ref.name.replace("/", "-") for ref in refs]
                for ref, path in zip(refs, paths, strict=True):
                    self._download(ref, path)
            for ref, path in zip(refs, paths, strict=True):
                verify(ref, path, self.path(ref.name))
            yield paths

    def _download(self, ref: Ref, path: Path) -> None:
        """Fetch a file; again if it arrives with other bytes, for they may be the line's and not the file's."""
        found: list[str] = []
        while len(found) < _FETCHES:
            with storage_errors(ref.name):
                self.fs.get_file(self.path(ref.name), str(path))
            found.append(_sha256(path)[:12])
            if found[-1] == ref.output or found[-1] in found[:-1]:
                return  # as named, or the same damage twice: `verify` tells
            _log.warning("%s: arrived damaged, fetch %d of %d", ref.name, len(found), _FETCHES)

    def _listing(self, folder: str) -> list[tuple[str, int]]:
        entries = self._entries(folder)
        return [(Path(e["name"]).name, int(e["size"] or 0)) for e in entries if e["type"] == "file"]

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        with storage_errors(folder):
            fs = self.fs
            fs.invalidate_cache()
            try:
                return list(fs.ls(self.path(folder), detail=True))
            except FileNotFoundError as error:
                if faults.code_of(error) == "NoSuchBucket":
                    raise
                return []


_READ_AHEAD: Final = 4 << 20  # bytes; a table's footer and a few column chunks are looked at
_LEAST_PART: Final = 5 << 20  # bytes; S3 takes no smaller part, so no smaller file has several
_READ_AT_ONCE: Final = 64
_AT_ONCE: Final = 16  # small files on their way to a server
_FETCHES: Final = 3  # of a file that arrives damaged


def verify(ref: Ref, path: Path, where: str) -> None:
    """Check a file against its name; remembered until its size or time of change differs.

    Raises:
        IntegrityError: naming the file and the next step.
    """
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        msg = f"{where}: gone since it was listed"
        raise IntegrityError(msg) from error
    found = _remembered_sha256(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)[:12]
    if found != ref.output:
        msg = (
            f"{where}: damaged: its name says {ref.output}, its bytes say {found}. "
            "Remove the file and run again: the partition is recomputed."
        )
        raise IntegrityError(msg)


@functools.lru_cache(maxsize=65536)
def _remembered_sha256(path: Path, _size: int, _mtime_ns: int, _inode: int) -> str:
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refs(stage: str, listed: list[tuple[str, int]]) -> list[Ref]:
    matches = [(_FILE.fullmatch(name), size) for name, size in listed]
    return sorted(Ref(stage, **match.groupdict(), bytes=size) for match, size in matches if match)


def _written(entry: dict[str, Any]) -> datetime:
    """Say when a listed file was written; S3 has a date, a disk seconds."""
    found = entry.get("LastModified")
    return found if found is not None else datetime.fromtimestamp(entry["mtime"], UTC)


def _sync(path: Path) -> None:
    """Flush a file to disk before its name becomes visible."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.lru_cache(maxsize=16)
def filesystem(url: str, endpoint_url: str | None) -> Any:  # noqa: ANN401 - fsspec has no types
    """Return the file system of a path or URL; credentials come from the environment."""
    protocol = url.split("://", maxsplit=1)[0] if "://" in url else "file"
    if protocol == "s3":
        from curation_dagster import s3

        return s3.connect(endpoint_url)
    return fsspec.filesystem(protocol)
