"""Lists of what was taken out of a root for good: `ROOT/erased/<digest>.json`, hashes and ids, never a text.

A list is written once and never changed. It has what was named (`named`), the `documents` found, and which readings
were `searched`: of a shard, the INPUT of its `raw` as it would be without any list. The documents of all lists are
`ingest.erased` wherever they are read. A shard, or a way of reading it, that was not searched is compared with
what the list names while it is read, so a later crawl does not bring a text back. What applies to a shard is part
of its `raw`'s INPUT; a shard that nothing applies to keeps its own. Not here: finding and removing; see
`commands.takedown`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from curation_dagster.named import Named
from curation_dagster.plan import doc_prefix
from curation_dagster.recipe_file import short_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from curation_dagster.plan import Shard
    from curation_dagster.store import Store

FOLDER: Final = "erased"
GONE: Final = "erased/gone"
RULE: Final = "ingest.erased"
REASON: Final = "taken down"


@dataclass(frozen=True)
class Erasure:
    """One list."""

    name: str
    named: Named
    documents: tuple[str, ...]
    searched: Mapping[str, tuple[str, ...]]  # shard -> the readings of it

    @classmethod
    def read(cls, store: Store, name: str) -> Self:
        """Read a list of a root."""
        said = json.loads(store.read(f"{FOLDER}/{name}.json"))
        searched = {shard: tuple(bases) for shard, bases in said["searched"].items()}
        return cls(name, Named.read(said["named"]), tuple(said["documents"]), searched)


@dataclass(frozen=True)
class Erasures:
    """Every list of a root, by name."""

    lists: tuple[Erasure, ...]

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read the lists; one listing, and each file once in a process."""
        names = [n for n in store.names(FOLDER) if n.endswith(".json")]
        return cls(tuple(_remembered(store, name.removesuffix(".json")) for name in names))

    @cached_property
    def documents(self) -> frozenset[str]:
        """Every erased document."""
        return frozenset(doc_id for listed in self.lists for doc_id in listed.documents)

    def applying(self, shard: Shard, base: str) -> dict[str, Any] | None:
        """Say what applies to one way of reading a shard: documents, and lists to compare with."""
        prefixes = {doc_prefix(shard.source, entry.path) for entry in shard.inputs}
        documents = sorted(doc_id for p in prefixes for doc_id in self._by_prefix.get(p, ()))
        compared = [e.name for e in self.lists if base not in e.searched.get(shard.key, ())]
        if not documents and not compared:
            return None
        return {"documents": documents, "compared": compared}

    @cached_property
    def _by_prefix(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for doc_id in self.documents:
            found.setdefault(doc_id.split("-", 1)[0], []).append(doc_id)
        return found


@functools.lru_cache(maxsize=1024)
def _remembered(store: Store, name: str) -> Erasure:
    return Erasure.read(store, name)


def base_of(made_from: Mapping[str, Any]) -> str:
    """Return the INPUT that a `raw` would have without any list."""
    return short_hash({key: value for key, value in made_from.items() if key != FOLDER})


def write(
    store: Store, named: Named, documents: Sequence[str], searched: Mapping[str, Sequence[str]]
) -> str:
    """Write a list, whole or not at all, and return its name."""
    said = {
        "named": named.said,
        "documents": sorted(documents),
        "searched": {shard: sorted(bases) for shard, bases in sorted(searched.items())},
    }
    name = short_hash(said)
    store.create(f"{FOLDER}/{name}.json", json.dumps(said, sort_keys=True, indent=1).encode())
    return name


def without(
    frames: Iterable[pl.DataFrame], store: Store, applying: Mapping[str, Any] | None
) -> Iterator[pl.DataFrame]:
    """Pass frames of `raw` on with the erased documents blank: their rows stay, their text, title and reason go."""
    if applying is None:
        yield from frames
        return
    documents = pl.Series(applying["documents"], dtype=pl.String)
    lists = [_remembered(store, name) for name in applying["compared"]]
    for frame in frames:
        gone = frame["doc_id"].is_in(documents.implode())
        for listed in lists:
            found = listed.named.find(frame)["doc"].unique()
            gone |= pl.int_range(frame.height, dtype=pl.UInt32, eager=True).is_in(found.implode())
        yield blanked(frame, gone)


def blanked(frame: pl.DataFrame, gone: pl.Series) -> pl.DataFrame:
    """Blank rows of `raw`: what is left says where the document was, how large, and that it was taken down."""
    values = {
        "rejected_by": pl.lit(RULE),
        "reason": pl.lit(REASON),
        "title": pl.lit(None, dtype=pl.String),
        "text": pl.lit(None, dtype=pl.String),
        "text_bytes": pl.lit(0, dtype=pl.UInt32),
    }
    return frame.with_columns(
        pl.when(gone).then(value).otherwise(name).alias(name) for name, value in values.items()
    )
