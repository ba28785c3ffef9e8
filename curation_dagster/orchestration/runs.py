"""What one Dagster run may hold: the groups of stages, and the tags that say which partitions."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Final

from curation_dagster.lineage import Stage

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"
PARTITION: Final = "dagster/partition"
RECIPE: Final = "curate/recipe"
DIGEST: Final = "curate/digest"


def groups(wanted: list[Stage], *, whole: bool) -> list[list[Stage]]:
    """Split stages into runs: by partitions, and, for a part of the shards, at every unpartitioned stage."""

    def kind(stage: Stage) -> str:
        if stage.name in {"exported", "release"}:
            return stage.name
        return "shards" if whole or stage.partitions == "shard" else stage.name

    return [list(group) for _, group in groupby(wanted, kind)]


def neighbours(keys: Sequence[str], wanted: Collection[str]) -> Iterator[list[str]]:
    """Yield the runs of wanted keys that lie side by side: a run of Dagster's takes a range.

    >>> list(neighbours("abcde", {"a", "b", "d"}))
    [['a', 'b'], ['d']]
    """
    for is_wanted, run in groupby(keys, lambda k: k in wanted):
        found = list(run)
        if is_wanted:
            yield found
