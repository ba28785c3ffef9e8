"""Which input files make which shard: small JSON files under `ROOT/plan/SOURCE/`, written once, never changed.

Planning lists a source, groups the files no shard has yet into shards of about `shard_bytes`, and
creates one file a shard, only if it is absent; the loser of a race plans again. Every plan is a
*generation*: shards are ordered by generation, source and number, which is the order duplicates are
decided in. So a plan is written down whole (`ROOT/plan/draft-N.json`) before its first shard, and one that was
interrupted is finished, as it was, by the next. A source belongs to the root: a recipe that names it
differently is refused.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from curation_dagster import retired
from curation_dagster.chance import keyed_oracle
from curation_dagster.errors import IntegrityError, RecipeError, StorageError
from curation_dagster.faults import storage_errors
from curation_dagster.store import filesystem

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from curation_dagster.recipe import Recipe, Source
    from curation_dagster.store import Store

FOLDER: Final = "plan"
_DEFINITION: Final = "source.json"
_PILOT: Final = 0x70696C6F74  # keys the sample
_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True)
class Input:
    """One input file; `path` is relative to what the source's globs have in common."""

    path: str
    url: str
    bytes: int
    digest: str

    @property
    def said(self) -> list[str | int]:
        """What the digest of a partition made from this file covers: not where it happens to lie."""
        return [self.path, self.bytes, self.digest]


@dataclass(frozen=True)
class Shard:
    """A partition key and the files behind it."""

    source: str
    number: int
    generation: int
    inputs: tuple[Input, ...]

    @property
    def key(self) -> str:
        """Partition key, e.g. `cc-2026-40-00003`."""
        return f"{self.source}-{self.number:05d}"

    @property
    def bytes(self) -> int:
        """Size of the inputs as stored."""
        return sum(i.bytes for i in self.inputs)


def doc_prefix(source: str, path: str) -> str:
    """Return the 16 hex digits that begin every doc_id of an input file."""
    return hashlib.blake2b(f"{source}\0{path}".encode(), digest_size=8).hexdigest()


def shards(recipe: Recipe, store: Store) -> list[Shard]:
    """Read the planned shards of a recipe's sources, in plan order; not those of retired sources."""
    out = retired.of(store)
    found = [
        shard
        for source in _in_use(recipe, out)
        for shard in _sampled(_planned(store, source), recipe)
    ]
    return sorted(found, key=lambda s: (s.generation, s.source, s.number))


def _sampled(planned: list[Shard], recipe: Recipe) -> list[Shard]:
    """Leave a pilot its share of a source's shards, one at least, and those its classifier is trained on.

    Keyed, so that a larger pilot has the shards of a smaller one.
    """
    if recipe.pilot is None or not planned:
        return planned
    draw = {shard.key: keyed_oracle(shard.key, _PILOT) for shard in planned}
    most = max(min(draw.values()), int(recipe.pilot * 2**64) - 1)
    return [s for s in planned if draw[s.key] <= most or s.key in recipe.training_shards]


def _in_use(recipe: Recipe, out: Container[str]) -> list[Source]:
    return [source for source in recipe.sources if source.name not in out]


def stored(store: Store) -> dict[str, Shard]:
    """Return every shard of a root, whichever recipe planned it, by key; its inputs have no url."""
    found: dict[str, Shard] = {}
    for source in store.folders(FOLDER):
        found |= {shard.key: shard for shard in _read_shards(store, f"{FOLDER}/{source}", "")}
    return found


def stored_shard(store: Store, key: str) -> Shard | None:
    """Return one shard of a root by its key; None where no plan has it."""
    source = key.rpartition("-")[0]
    try:
        return _shard(store.read(f"{FOLDER}/{source}/{key}.json"), "")
    except StorageError as error:
        if not error.is_absence:
            raise
        return None


def plan(recipe: Recipe, store: Store, *, settled_s: float = 0) -> list[Shard]:
    """Plan the input files that no shard has yet; return the shards that this call has written down.

    Those of a plan that was interrupted are among them. With `settled_s`, files written within so many seconds wait:
    they may still grow. Objects of S3 are whole at once.

    Raises:
        RecipeError: when a source matches no file, or the root knows the source by another
            definition. IntegrityError: when a planned file has another size.
    """
    made = finish(store)
    limit = time.time() - settled_s
    sources = _in_use(recipe, retired.of(store))
    listed = {  # before writing
        s.name: [
            e
            for e in list_inputs(s, store.endpoint_url)
            if not settled_s or e[3].get("mtime", 0) <= limit
        ]
        for s in sources
    }
    for source in sources:
        _define(source, store)
    while True:
        known = [s for source in recipe.sources for s in _planned(store, source)]
        generation = 1 + max((s.generation for s in known), default=-1)
        new = [
            shard
            for source in sources
            for shard in _new_shards(source, store, generation, listed[source.name])
        ]
        if not new:
            return made
        name = f"{FOLDER}/draft-{generation:05d}.json"
        if not store.create(name, _json({"shards": [asdict(shard) for shard in new]})):
            made += finish(store)  # another planner was faster: look again at what is left
        elif any(other < name for other in unfinished(store)):
            _remove(store, name)  # made while another plan was half carried out
            made += finish(store)
        else:
            made += _carry_out(store, name, new)  # and look again: it may have come too late


def finish(store: Store) -> list[Shard]:
    """Carry out the plans that killed processes have written down and not finished; return what was left to write."""
    return [
        shard
        for name in unfinished(store)
        for shard in _carry_out(store, name, _drafted(store, name))
    ]


def unfinished(store: Store) -> list[str]:
    """Name the plans that were begun and not finished, in order; one may be in progress."""
    return [f"{FOLDER}/{name}" for name in store.names(FOLDER) if name.startswith("draft-")]


def _drafted(store: Store, name: str) -> list[Shard]:
    """Read the shards of a plan that was written down; none where somebody has finished it meanwhile."""
    try:
        said = json.loads(store.read(name))["shards"]
    except StorageError as error:
        if not error.is_absence:
            raise
        return []
    return [Shard(**raw | {"inputs": tuple(Input(**i) for i in raw["inputs"])}) for raw in said]


def _carry_out(store: Store, name: str, new: list[Shard]) -> list[Shard]:
    """Write the files of a plan's shards and remove its draft; return those that were not there.

    A plan that comes too late, since its inputs are in other shards by now, is only removed.
    """
    known: dict[str, Shard] = {}
    for source in sorted({shard.source for shard in new}):
        folder = f"{FOLDER}/{source}"
        shards_ = _read_shards(store, folder, "")
        known |= {shard.key: shard for shard in shards_}
    taken = {(s.source, entry.path): s.key for s in known.values() for entry in s.inputs}
    timely = all(
        _paths(known.get(shard.key, shard)) == _paths(shard)
        and all(taken.get((shard.source, i.path), shard.key) == shard.key for i in shard.inputs)
        for shard in new
    )
    due = new if timely else []
    made = store.create_many({_name(shard): _json(asdict(shard)) for shard in due})
    written = [shard for shard, is_new in zip(due, made, strict=True) if is_new]
    _remove(store, name)
    return written


def _paths(shard: Shard) -> list[str]:
    return [entry.path for entry in shard.inputs]


def _remove(store: Store, name: str) -> None:
    """Remove a draft; another planner may have."""
    try:
        store.remove(name)
    except StorageError as error:
        if not error.is_absence:
            raise


def unplanned(recipe: Recipe, store: Store) -> tuple[int, int]:
    """Count the input files that no shard has yet, and their bytes."""
    files = size = 0
    for source in _in_use(recipe, retired.of(store)):
        taken = {entry.path for shard in _planned(store, source) for entry in shard.inputs}
        listed = list_inputs(source, store.endpoint_url)
        fresh = [entry[2] for entry in listed if entry[0] not in taken]
        files, size = files + len(fresh), size + sum(fresh)
    return files, size


def list_inputs(source: Source, endpoint_url: str | None) -> list[tuple[str, str, int, Any]]:
    """List (relative path, url, bytes, listing entry) of a source's files, sorted by path.

    Raises:
        RecipeError: for a pattern that matches nothing.
    """
    entries: dict[str, Any] = {}
    patterns = tuple(p.removeprefix("file://") for p in source.paths)
    for pattern in patterns:
        fs = filesystem(pattern, endpoint_url)
        with storage_errors(pattern):
            fs.invalidate_cache()
            matches = fs.glob(pattern, detail=True) if _MAGIC & set(pattern) else _one(fs, pattern)
            if not matches and pattern.startswith("s3://"):
                fs.need_bucket(pattern)
        files = {name: e for name, e in matches.items() if e["type"] == "file"}
        if not files:
            msg = f"source {source.name!r}: no file matches {pattern}"
            raise RecipeError(msg)
        protocol = "s3://" if pattern.startswith("s3://") else ""
        entries |= {protocol + name: entry for name, entry in files.items()}
    base = _common_folder(patterns)
    return [
        (url.removeprefix(base).lstrip("/"), url, int(e["size"]), e)
        for url, e in sorted(entries.items())
    ]


def open_input(entry: Input, endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - fsspec has no types
    """Open an input file for reading, as stored.

    Raises:
        IntegrityError: when the file is not what was planned, or gone.
    """
    fs = filesystem(entry.url, endpoint_url)
    try:
        with storage_errors(entry.url):
            fs.invalidate_cache()
            found = _digest(fs, entry.url, fs.info(entry.url))
    except StorageError as error:
        if not error.is_absence:
            raise
        msg = f"{entry.url}: gone since it was planned; put it back, or plan a new root without it"
        raise IntegrityError(msg) from error
    if found != entry.digest:
        msg = f"{entry.url}: changed after planning (planned {entry.digest}, found {found}); give new data a new name"
        raise IntegrityError(msg)
    return fs.open(entry.url, "rb")


def open_unverified(entry: Input, endpoint_url: str | None = None) -> Any:  # noqa: ANN401
    """Open a file that is not planned yet, to look inside."""
    with storage_errors(entry.url):
        return filesystem(entry.url, endpoint_url).open(entry.url, "rb")


def _new_shards(
    source: Source, store: Store, generation: int, listed: list[tuple[str, str, int, Any]]
) -> list[Shard]:
    """Group the files that no shard has."""
    known = _planned(store, source)
    taken = {i.path: i for s in known for i in s.inputs}
    _refuse_changed(source, listed, taken)
    fresh = [entry for entry in listed if entry[0] not in taken]
    first = 1 + max((s.number for s in known), default=-1)
    return [
        Shard(
            source.name,
            first + offset,
            generation,
            tuple(
                Input(path, url, size, _digest(filesystem(url, store.endpoint_url), url, entry))
                for path, url, size, entry in group
            ),
        )
        for offset, group in enumerate(_grouped(fresh, source.shard_bytes))
    ]


def _define(source: Source, store: Store) -> None:
    # Patterns count relative to what they have in common: a project may be moved as a whole.
    base = _common_folder(source.paths)
    patterns = [path.removeprefix(base).lstrip("/") for path in source.paths]
    definition = _json(source.model_dump(exclude={"shard_bytes"}) | {"paths": patterns})
    name = f"plan/{source.name}/{_DEFINITION}"
    if not store.create(name, definition) and store.read(name) != definition:
        known, ours = json.loads(store.read(name)), json.loads(definition)
        differs = {k: (known.get(k), ours[k]) for k in ours if ours[k] != known.get(k)}
        msg = (
            f"source {source.name!r} is known to {store.root} by another definition: "
            f"(there, here) {differs}; rename the source, or use another root"
        )
        raise RecipeError(msg)


def _refuse_changed(
    source: Source, listed: list[tuple[str, str, int, Any]], taken: dict[str, Input]
) -> None:
    for path, url, size, _ in listed:
        if path in taken and taken[path].bytes != size:
            msg = (
                f"source {source.name!r}: {url} changed after planning: "
                f"planned with {taken[path].bytes} bytes, found {size}; give new data a new name"
            )
            raise IntegrityError(msg)


def _planned(store: Store, source: Source) -> list[Shard]:
    folder, base = f"{FOLDER}/{source.name}", _common_folder(source.paths)
    return _read_shards(store, folder, base)


def _shard_names(store: Store, folder: str) -> list[str]:
    return [n for n in store.names(folder) if n.endswith(".json") and n != _DEFINITION]


def _read_shards(store: Store, folder: str, base: str) -> list[Shard]:
    """Read the shards of a source; their files never change, so each is read once."""
    names = [f"{folder}/{name}" for name in _shard_names(store, folder)]
    new = [name for name in names if (store, name) not in _known]
    for name, content in zip(new, store.read_many(new), strict=True):
        _known[store, name] = content
    return [_shard(_known[store, name], base) for name in names]


_known: dict[tuple[Store, str], bytes] = {}


@functools.lru_cache(maxsize=65536)
def _shard(content: bytes, base: str) -> Shard:
    """Parse a shard's file and say where its inputs are for this recipe."""
    raw = json.loads(content)
    inputs = tuple(Input(**(entry | {"url": f"{base}/{entry['path']}"})) for entry in raw["inputs"])
    return Shard(raw["source"], raw["number"], raw["generation"], inputs)


def _grouped(
    entries: Iterable[tuple[str, str, int, Any]], shard_bytes: int
) -> list[list[tuple[str, str, int, Any]]]:
    groups: list[list[tuple[str, str, int, Any]]] = []
    room = -1
    for entry in entries:
        if room < entry[2] or not groups:
            groups.append([])
            room = shard_bytes
        groups[-1].append(entry)
        room -= entry[2]
    return groups


def _name(shard: Shard) -> str:
    return f"plan/{shard.source}/{shard.key}.json"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"


def _digest(fs: Any, url: str, entry: dict[str, Any]) -> str:  # noqa: ANN401 - fsspec has no types
    """Say what a file holds: sha256 on disk, the ETag elsewhere."""
    if etag := entry.get("ETag"):
        return str(etag).strip('"')
    with fs.open(url, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _common_folder(patterns: tuple[str, ...]) -> str:
    """Return the longest folder above every pattern's first wildcard."""
    folders = []
    for pattern in patterns:
        stem = pattern[
            : min((pattern.find(c) for c in _MAGIC if c in pattern), default=len(pattern))
        ]
        folders.append(stem.rsplit("/", 1)[0].split("/"))
    common = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join(common)


def _one(fs: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 - fsspec has no types
    return (
        {str(PurePosixPath(path)) if "://" not in path else path.split("://", 1)[1]: fs.info(path)}
        if fs.exists(path)
        else {}
    )
