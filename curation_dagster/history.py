"""How unlike the earlier shards of its source a shard is: robust z-scores over footers (Iglewicz and Hoaglin, 1993).

z = (value - median) / (1.4826 x the median absolute deviation): a few bad shards in the past do not move it, as they
would a mean. A past that hardly varies would make every value strange, so the spread has a floor. Earlier is what
comes before in plan order, whose footers are read and no rows. A shard that is unlike the others is no error: nothing
here raises or decides.
"""

from __future__ import annotations

from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from curation_dagster.errors import IntegrityError, StorageError
from curation_dagster.makeup import mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from curation_dagster.lineage import Lineage

_OF_NORMAL: Final = 1.4826  # the standard deviation of a normal distribution, in MADs
_MIX: Final = "language_mix"


class Floor(NamedTuple):
    """The least spread that is believed: so much, or such a share of the median."""

    absolute: float = 0.0
    of_median: float = 0.0


_FLOORS: Final = {
    "documents": Floor(1, 0.05),
    "tokens": Floor(1, 0.05),
    "tokens_per_document": Floor(1, 0.02),
    "kept_share": Floor(0.01),
    _MIX: Floor(0.02),
}
_SCORE: Final = Floor(0.01, 0.02)  # the mean of a score, whatever its name


class Standing(NamedTuple):
    """One figure of one shard beside those of the shards before it; z is None where they are too few."""

    shard: str
    figure: str
    value: float
    median: float
    spread: float
    z: float | None
    past: int


def z_score(value: float, past: Sequence[float], floor: Floor) -> tuple[float, float, float]:
    """Return median, spread and z of a value.

    >>> z_score(12.0, [1.0, 3.0, 3.0, 3.0, 5.0], Floor(absolute=0.5))
    (3.0, 0.5, 18.0)
    """
    middle = median(past)
    deviation = median(abs(v - middle) for v in past)
    spread = max(_OF_NORMAL * deviation, floor.absolute, floor.of_median * abs(middle))
    return middle, spread, (value - middle) / spread


class Past:
    """The footers of a stage's current shards, each read once; one that cannot be read is as good as none."""

    def __init__(self, lineage: Lineage, stage: str) -> None:
        """Order the shards of each source as they were planned."""
        self._lineage, self._stage = lineage, stage
        self._keys: dict[str, list[str]] = {}
        self._place: dict[str, int] = {}
        for key, shard in lineage.shards.items():
            keys = self._keys.setdefault(shard.source, [])
            self._place[key] = len(keys)
            keys.append(key)
        self._footers: dict[str, dict[str, Any] | None] = {}

    def of(self, shard: str) -> list[dict[str, Any]]:
        """Return the footers of the source's shards before one, in plan order; of many the latest."""
        keys = self._keys[self._lineage.shards[shard].source][: self._place[shard]]
        readable = (footer for key in reversed(keys) if (footer := self.footer(key)))
        return [*islice(readable, self._lineage.recipe.gates.max_past_shards)][::-1]

    def footer(self, shard: str) -> dict[str, Any] | None:
        """Return one footer; a damaged file is told of by whoever needs it."""
        if shard not in self._footers:
            ref = self._lineage.current(self._stage, shard)
            try:
                self._footers[shard] = self._lineage.footer(ref) if ref else None
            except (IntegrityError, StorageError):
                self._footers[shard] = None
        return self._footers[shard]


def standings(lineage: Lineage, stage: str, shards: Sequence[str]) -> list[Standing]:
    """Compare the shards of a stage with what the same source had before; a figure they lack is left out."""
    found: list[Standing] = []
    past, least = Past(lineage, stage), lineage.recipe.gates.min_past_shards
    for shard in shards:
        now = past.footer(shard)
        if now is None:
            continue
        before = past.of(shard)
        known = [figures(stage, summary) for summary in before]
        for name, value in figures(stage, now).items():
            values = [old[name] for old in known if name in old]
            found.append(_standing((shard, name), value, values, least))
        if mixes := [mix for summary in before if (mix := _shares(summary))]:
            found += _of_mix(shard, _shares(now), mixes, least)
    return found


def figures(stage: str, summary: Mapping[str, Any]) -> dict[str, float]:
    """Return what is compared of a stage; a share or a mean of nothing is no figure."""
    rows = summary["rows"]
    if stage == "annotated":
        return {"documents": float(rows)}
    if stage in {"cleaned", "deduped"}:
        return {"kept_share": summary["kept"] / rows} if rows else {}
    tokens = summary.get("tokens_kept", 0)
    found = {"tokens": float(tokens)}
    if summary["kept"]:
        found["tokens_per_document"] = tokens / summary["kept"]
    means = {f"mean_{name}": mean(sums) for name, sums in summary.get("scores", {}).items()}
    return found | {name: value for name, value in means.items() if value is not None}


def distance(mix: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the share of documents that would have to change language: the total variation distance.

    >>> distance({"en": 0.75, "de": 0.25}, {"en": 1.0})
    0.25
    """
    return sum(abs(mix.get(k, 0.0) - other.get(k, 0.0)) for k in {**mix, **other}) / 2


def _of_mix(
    shard: str, mix: dict[str, float], before: list[dict[str, float]], least: int
) -> Iterator[Standing]:
    """Compare how far a shard's languages are from the median mix with how far the earlier ones' are."""
    if not mix:
        return
    names = dict.fromkeys(name for one in before for name in one)
    usual = {name: median(one.get(name, 0.0) for one in before) for name in names}
    total = sum(usual.values())
    if not total:
        return
    usual = {name: share / total for name, share in usual.items()}
    found = _standing(
        (shard, _MIX), distance(mix, usual), [distance(one, usual) for one in before], least
    )
    # nearer than the others is fine
    yield found._replace(z=max(found.z, 0.0)) if found.z is not None else found


def _shares(summary: Mapping[str, Any]) -> dict[str, float]:
    counts: dict[str, int] = summary.get("languages", {})
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _standing(what: tuple[str, str], value: float, known: Sequence[float], least: int) -> Standing:
    if len(known) < least:
        middle = median(known) if known else value
        return Standing(*what, value, middle, 0.0, None, len(known))
    middle, spread, z = z_score(value, known, _FLOORS.get(what[1], _SCORE))
    return Standing(*what, value, middle, spread, z, len(known))
