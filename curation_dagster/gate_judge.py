"""Whether a corpus is inside of its gates, from the footers in the store: kept shares, licences, probes.

A restart, another machine or another Dagster instance sees the same. Not here: the files (`gates`).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from curation_dagster import history, probed
from curation_dagster.counted import counted
from curation_dagster.errors import GateError
from curation_dagster.gates import (
    BLOCKED,
    CHECKS,
    WHOLE,
    Gate,
    acceptances,
    judged_of,
    limits_of,
    record,
    refusal,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curation_dagster.lineage import Lineage
    from curation_dagster.store import Ref

    File = tuple[Ref, dict[str, Any]]  # and its summary

_PER_SHARD: Final = {"mixed", "decontaminated"}  # many runs: they believe the files of `mixture`'s
_SHOWN: Final = 5
_RULES: Final = 3


def judge(lineage: Lineage, stage: str, files: Sequence[File], *, whole: bool) -> list[Gate]:
    """Return what the recipe does not allow of these files (and summaries) of a stage; `whole`: they are all of it."""
    match CHECKS.get(stage):
        case "licenses":
            found = [_license(lineage, *file) for file in files]
        case "retention":
            past = history.Past(lineage, stage)
            found = [_retention(lineage, [file], file[0].partition, past) for file in files]
            if whole and files:
                found.append(_retention(lineage, files, WHOLE, past))
        case "probes_found":
            found = [_probes(lineage, files)]
        case _:
            found = []
    return [gate for gate in found if gate]


def of_store(lineage: Lineage, stages: Iterable[str]) -> list[Gate]:
    """Judge every current file of these stages, by their footers."""
    found = []
    for stage in stages:
        keys = lineage.partitions(stage)
        refs = [ref for key in keys if (ref := lineage.current(stage, key))]
        files = [(ref, lineage.footer(ref)) for ref in refs]
        found += judge(lineage, stage, files, whole=len(refs) == len(keys))
    return found


def open_before(lineage: Lineage, stage: str) -> list[Gate]:
    """Return the gates that hold a stage back, judged now."""
    if stage in _PER_SHARD or stage not in BLOCKED:
        return waiting(lineage, stage)
    known = acceptances(lineage.recipe, lineage.store)
    found = of_store(lineage, BLOCKED[stage])
    return [gate for gate in found if gate.name not in known]


def refuse(lineage: Lineage, stage: str) -> None:
    """See that nothing holds a stage back; what does is written to the root.

    Raises:
        GateError: saying what failed, and what accepts it.
    """
    if found := open_before(lineage, stage):
        record(lineage.store, found)
        raise GateError(refusal(lineage.recipe, stage, found))


def _license(lineage: Lineage, ref: Ref, summary: dict[str, Any]) -> Gate | None:
    allowed = lineage.recipe.gates.licenses
    counts: dict[str, int] = summary["licenses"]
    refused = {name: n for name, n in counts.items() if not _is_allowed(name, allowed)}
    if not refused:
        return None
    most = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} ({n:,})" for name, n in most[:_SHOWN])
    more = f" and {len(most) - _SHOWN} others" if len(most) > _SHOWN else ""
    said = f"{ref.stage}/{ref.partition}: {sum(refused.values()):,} of {summary['rows']:,} documents under "
    said += f"licences that [gates] licenses does not allow: {shown}{more}"
    found = {"documents": summary["rows"], "not_allowed": dict(most)}
    return _made(lineage, ref.stage, ref.partition, found, said)


def _is_allowed(name: str, allowed: Sequence[str]) -> bool:
    """Say whether a licence is one of a list, where * is any run of characters and case does not count."""
    plain = name.casefold()
    return not allowed or any(
        fnmatchcase(plain, each.casefold().replace("[", "[[]").replace("?", "[?]"))
        for each in allowed
    )


def _retention(
    lineage: Lineage,
    files: Sequence[File],
    partition: str,
    past: history.Past,
) -> Gate | None:
    band, stage = lineage.recipe.gates, files[0][0].stage
    rows, kept = (sum(summary[name] for _, summary in files) for name in ("rows", "kept"))
    if not rows or (partition != WHOLE and rows < band.min_documents):
        return None
    share = kept / rows
    if band.min_retention <= share <= band.max_retention:
        return None
    where = f"{stage}/{partition}" if partition != WHOLE else f"{stage}, all its shards"
    said = f"{where}: keeps {share:.1%} of {counted(rows, 'document')}, "
    said += f"{band.min_retention:.1%} to {band.max_retention:.1%} allowed"
    rejected = {rule: 0 for _, summary in files for rule in summary["rejected"]}
    for _, summary in files:
        for rule, count in summary["rejected"].items():
            rejected[rule] += count
    shares = {rule: count / rows for rule, count in rejected.items()}
    before = past.of(partition) if partition != WHOLE else []
    if moved := _moved(shares, before):
        said += f"; {moved}"
    return _made(lineage, stage, partition, {"documents": rows, "kept": kept}, said)


def _moved(shares: dict[str, float], past: Sequence[dict[str, Any]]) -> str:
    """Name the rules whose share of rejected documents is farthest from the source's earlier shards'."""
    before = {
        rule: median(s["rejected"].get(rule, 0) / s["rows"] if s["rows"] else 0.0 for s in past)
        for rule in {*shares, *(r for s in past for r in s["rejected"])}
        if past
    }
    every = {rule: shares.get(rule, 0.0) - before.get(rule, 0.0) for rule in {**shares, **before}}
    ranked = sorted((r for r in every if every[r]), key=lambda rule: (-abs(every[rule]), rule))
    said = [f"{rule} rejects {shares.get(rule, 0.0):.1%}" for rule in ranked[:_RULES]]
    if past:
        known = counted(len(past), "earlier shard")
        said = [f"{s} ({before[r]:.1%} in {known})" for s, r in zip(said, ranked, strict=False)]
    return ", ".join(said)


def _probes(lineage: Lineage, files: Sequence[File]) -> Gate | None:
    config = lineage.recipe.decontaminate
    told = [summary["probes"] for _, summary in files] if config.benchmarks else []
    reasons = sorted({reason for probes in told for reason in probed.failures(probes, config)})
    if not reasons:
        return None
    shown = "; ".join(reasons[:_SHOWN]) + (" …" if len(reasons) > _SHOWN else "")
    return _made(
        lineage, "scanned", WHOLE, {"reasons": reasons}, f"scanned: probes failed: {shown}"
    )


def _made(lineage: Lineage, stage: str, partition: str, found: dict[str, Any], said: str) -> Gate:
    recipe, check = lineage.recipe, CHECKS[stage]
    judged = judged_of(lineage, stage, partition)
    return Gate(recipe.name, stage, check, partition, judged, limits_of(recipe, check), found, said)
