"""What a person must accept before a corpus goes on: `ROOT/gates/RECIPE/`, a file a finding, a file an acceptance.

A gate is one finding about one partition (`all`: the stage) that the recipe does not allow: the share of documents
kept, licences, probes that missed. Its name has a digest over what was judged, the recipe's limits and the figures: a
shard of other bytes or another limit is another gate, which no earlier acceptance covers. `judge` decides from the
store's footers, so a restart, another machine or another Dagster instance sees the same; a file never changes once
written. Not here: who asks (`orchestration.stage`), and the command that accepts (`commands.accept`).
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from curation_dagster import history, probed
from curation_dagster.counted import counted
from curation_dagster.errors import GateError
from curation_dagster.recipe_file import short_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe import Recipe
    from curation_dagster.store import Ref, Store

FOLDER: Final = "gates"
WHOLE: Final = "all"
CHECKS: Final = {  # stage -> the check whose failure is a gate
    "annotated": "licenses",
    "cleaned": "retention",
    "deduped": "retention",
    "scanned": "probes_found",
    "decontaminated": "retention",
}
_BEFORE_MIXTURE: Final = ("annotated", "cleaned", "deduped", "scanned")
BLOCKED: Final = {  # stage -> the stages whose gates it waits for
    "mixture": _BEFORE_MIXTURE,
    "mixed": _BEFORE_MIXTURE,
    "decontaminated": _BEFORE_MIXTURE,
    "exported": tuple(CHECKS),
    "release": tuple(CHECKS),
}
_PER_SHARD: Final = {"mixed", "decontaminated"}  # many runs: they believe the files of `mixture`'s
_ACCEPTED: Final = "accepted"
_SHOWN: Final = 5
_RULES: Final = 3


@dataclass(frozen=True)
class Gate:
    """One finding. `said` tells a person; it compares with other shards and is not part of the name."""

    recipe: str
    stage: str
    check: str
    partition: str
    judged: str
    limits: dict[str, Any]
    found: dict[str, Any]
    said: str

    @property
    def name(self) -> str:
        """Name of its file, without folder and suffix."""
        covered = {k: v for k, v in asdict(self).items() if k != "said"}
        return f"{self.stage}.{self.check}.{self.partition}.{short_hash(covered)}"


@dataclass(frozen=True)
class Acceptance:
    """Who took responsibility for which gates of a stage, when (UTC) and why."""

    recipe: str
    stage: str
    by: str
    at: str
    because: str
    gates: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of its file, without folder and suffix."""
        return f"{_ACCEPTED}.{self.stage}.{short_hash(asdict(self))}"


def judge(
    lineage: Lineage, stage: str, files: Sequence[tuple[Ref, dict[str, Any]]], *, whole: bool
) -> list[Gate]:
    """Return what the recipe does not allow of these files (and summaries) of a stage; `whole`: they are all of it."""
    match CHECKS.get(stage):
        case "licenses":
            found = [_license(lineage, *file) for file in files]
        case "retention":
            found = [_retention(lineage, stage, [file], file[0].partition) for file in files]
            if whole and files:
                found.append(_retention(lineage, stage, files, WHOLE))
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


def record(store: Store, gates: Iterable[Gate]) -> None:
    """Write gates that have no file yet."""
    for gate in gates:
        store.create(_path(gate.recipe, gate.name), _json(asdict(gate)))


def accept(store: Store, gates: Sequence[Gate], by: str, at: str, because: str) -> Acceptance:
    """Write down that somebody accepts these gates of one stage, and the gates."""
    record(store, gates)
    first = gates[0]
    names = tuple(sorted(gate.name for gate in gates))
    said = Acceptance(first.recipe, first.stage, by, at, because, names)
    store.create(_path(said.recipe, said.name), _json(asdict(said)))
    return said


def acceptances(recipe: Recipe, store: Store) -> dict[str, Acceptance]:
    """Return who accepted each gate, by its name; of several acceptances the one of the first name."""
    found: dict[str, Acceptance] = {}
    for name in sorted(_names(recipe, store)):
        if name.startswith(f"{_ACCEPTED}."):
            said = _acceptance(store, recipe.name, name)
            found |= {gate: said for gate in said.gates if gate not in found}
    return found


def in_force(lineage: Lineage) -> list[Gate]:
    """Return the gates on file whose finding still holds, by name; reads no footer, and judges nothing."""
    store, recipe = lineage.store, lineage.recipe
    names = [n for n in _names(recipe, store) if not n.startswith(f"{_ACCEPTED}.")]
    gates = [_gate(store, recipe.name, name) for name in sorted(names)]
    return [
        gate
        for gate in gates
        if gate.limits == _limits(recipe, gate.check)
        and gate.judged == _judged(lineage, gate.stage, gate.partition)
    ]


def accepted(lineage: Lineage) -> list[tuple[Gate, Acceptance]]:
    """Return the gates in force that somebody accepted: what a release must tell."""
    known = acceptances(lineage.recipe, lineage.store)
    return [(gate, known[gate.name]) for gate in in_force(lineage) if gate.name in known]


def waiting(lineage: Lineage, stage: str) -> list[Gate]:
    """Return the gates on file that hold a stage back; what was never judged is not known here."""
    known = acceptances(lineage.recipe, lineage.store)
    return [
        gate
        for gate in in_force(lineage)
        if gate.stage in BLOCKED.get(stage, ()) and gate.name not in known
    ]


def open_before(lineage: Lineage, stage: str) -> list[Gate]:
    """Return the gates that hold a stage back, judged now."""
    if stage in _PER_SHARD:
        return waiting(lineage, stage)
    known = acceptances(lineage.recipe, lineage.store)
    found = of_store(lineage, BLOCKED.get(stage, ()))
    return [gate for gate in found if gate.name not in known]


def refuse(lineage: Lineage, stage: str) -> None:
    """See that nothing holds a stage back; what does is written to the root.

    Raises:
        GateError: saying what failed, and what accepts it.
    """
    if found := open_before(lineage, stage):
        record(lineage.store, found)
        raise GateError(refusal(lineage.recipe, stage, found))


def refusal(recipe: Recipe, stage: str, gates: Sequence[Gate]) -> str:
    """Say why a stage is refused, and how somebody accepts it."""
    lines = [f"{stage}: refused, {counted(len(gates), 'gate')} failed:"]
    lines += [f"  {gate.said}" for gate in gates[:_SHOWN]]
    if len(gates) > _SHOWN:
        lines.append(f"  … and {len(gates) - _SHOWN:,} more: curate gates {recipe.name}")
    return "\n".join([*lines, "mend the recipe or the data; or, if this is right:", *how(gates)])


def how(gates: Sequence[Gate]) -> list[str]:
    """Write the commands that accept gates, one a stage."""
    stages = dict.fromkeys((gate.recipe, gate.stage) for gate in gates)
    return [f'  curate accept {recipe} {stage} --because "…"' for recipe, stage in stages]


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
    lineage: Lineage, stage: str, files: Sequence[tuple[Ref, dict[str, Any]]], partition: str
) -> Gate | None:
    band = lineage.recipe.gates
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
    past = history.past(lineage, stage, partition) if partition != WHOLE else []
    if moved := _moved(shares, past):
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


def _probes(lineage: Lineage, files: Sequence[tuple[Ref, dict[str, Any]]]) -> Gate | None:
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
    judged = _judged(lineage, stage, partition)
    return Gate(recipe.name, stage, check, partition, judged, _limits(recipe, check), found, said)


def _limits(recipe: Recipe, check: str) -> dict[str, Any]:
    """Return what the recipe says about a check, as it comes back from a file."""
    gates = recipe.gates
    if check == "licenses":
        return {"licenses": list(gates.licenses)}
    if check == "retention":
        names = ("min_retention", "max_retention", "min_documents")
        return {name: getattr(gates, name) for name in names}
    return recipe.decontaminate.probes.model_dump(mode="json")


def _judged(lineage: Lineage, stage: str, partition: str) -> str:
    """Return a digest of what is judged: a file's, all files', or what probes follow from; "" where it is not there."""
    if stage == "scanned":  # every shard's run probes the same cascade
        made = next((m for key in lineage.shards if (m := lineage.made_from(stage, key))), None)
        return short_hash([made["code"], made["libraries"], made["recipe"]]) if made else ""
    if partition != WHOLE:
        ref = lineage.current(stage, partition) if partition in lineage.shards else None
        return ref.output if ref else ""
    refs = [lineage.current(stage, key) for key in lineage.partitions(stage)]
    return short_hash([[r.partition, r.output] for r in refs if r]) if all(refs) else ""


def _names(recipe: Recipe, store: Store) -> list[str]:
    listed = store.names(f"{FOLDER}/{recipe.name}")
    return [name.removesuffix(".json") for name in listed if name.endswith(".json")]


def _path(recipe: str, name: str) -> str:
    return f"{FOLDER}/{recipe}/{name}.json"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


@functools.lru_cache(maxsize=65536)
def _gate(store: Store, recipe: str, name: str) -> Gate:
    """Read a gate; its file never changes."""
    return Gate(**json.loads(store.read(_path(recipe, name))))


@functools.lru_cache(maxsize=65536)
def _acceptance(store: Store, recipe: str, name: str) -> Acceptance:
    raw = json.loads(store.read(_path(recipe, name)))
    return Acceptance(**raw | {"gates": tuple(raw["gates"])})
