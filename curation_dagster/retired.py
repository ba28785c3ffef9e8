"""Sources taken out of a root: their files stay, and no recipe's corpus has their documents any more.

`ROOT/retired/SOURCE.json` says why, by whom and when. It counts for every recipe over the root: the source's shards are
not among those of its graph, so what is made from all shards is stale, and only that. New files of the source are not
planned. Taking the file away brings everything back as it was.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from curation_dagster.store import Store

FOLDER: Final = "retired"


@dataclass(frozen=True)
class Retirement:
    """Why a source is out, by whom and when (ISO 8601)."""

    source: str
    because: str
    by: str
    at: str

    @property
    def told(self) -> str:
        """One line for people."""
        return f"source {self.source} is retired: {self.because} ({self.by}, {self.at[:10]})"


def of(store: Store) -> dict[str, Retirement]:
    """Read the retired sources of a root, by name."""
    names = [name for name in store.names(FOLDER) if name.endswith(".json")]
    found = [Retirement(**json.loads(store.read(f"{FOLDER}/{name}"))) for name in names]
    return {retirement.source: retirement for retirement in found}


def retire(store: Store, retirement: Retirement) -> bool:
    """Take a source out; return whether it was in."""
    said = json.dumps(asdict(retirement), indent=1, ensure_ascii=False).encode() + b"\n"
    return store.create(_name(retirement.source), said)


def restore(store: Store, source: str) -> None:
    """Bring a retired source back."""
    store.remove(_name(source))


def _name(source: str) -> str:
    return f"{FOLDER}/{source}.json"
