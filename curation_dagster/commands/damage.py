"""What could not be read of the input files, in one sentence: from the account in the footers of `raw`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation_dagster.counted import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation_dagster.lineage import Lineage


def of_inputs(lineage: Lineage) -> dict[str, Any] | None:
    """Sum the accounts of the current partitions of `raw`: ranges, bytes and the first place; None without damage."""
    refs = [lineage.current("raw", key) for key in lineage.partitions("raw")]
    return summed(lineage.footer(ref).get("account", {}) for ref in refs if ref)


def summed(accounts: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Sum accounts of damage, in order; None where there is none."""
    damaged = [account for account in accounts if account.get("damaged_ranges")]
    if not damaged:
        return None
    return {
        "ranges": sum(account["damaged_ranges"] for account in damaged),
        "bytes": sum(account["damaged_bytes"] for account in damaged),
        "first": damaged[0]["damaged"][0],
    }


def told(found: dict[str, Any]) -> str:
    """Say how much is damaged, and where it begins."""
    much = f"{counted(found['ranges'], 'damaged range')}, {counted(found['bytes'], 'byte')}"
    return f"{much}; the first at {found['first']['at']}: {found['first']['why']}"
