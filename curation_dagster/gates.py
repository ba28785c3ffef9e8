"""What a person must accept before a corpus goes on: `ROOT/gates/RECIPE/`, a file a finding, a file an acceptance.

A gate is one finding about one partition (`all`: the stage) that the recipe does not allow: the share of documents
kept, licences, probes that missed. Its name has a digest over what was judged, the recipe's limits and the figures: a
shard of other bytes or another limit is another gate, which no earlier acceptance covers. A file never changes once
written. Not here: what makes a gate (`gate_judge`), and the command that accepts (`commands.accept`).
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from curation_dagster.counted import counted
from curation_dagster.errors import IntegrityError
from curation_dagster.recipe_file import short_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curation_dagster.lineage import Lineage
    from curation_dagster.recipe import Recipe
    from curation_dagster.store import Store

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
_ACCEPTED: Final = "accepted"
_SHOWN: Final = 5


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
    """Return who accepted each gate, by its name; of several acceptances the one of the first name.

    Raises:
        IntegrityError: when a file is not what its name says.
    """
    found: dict[str, Acceptance] = {}
    for name in sorted(_names(recipe, store)):
        if name.startswith(f"{_ACCEPTED}."):
            said = _acceptance(store, recipe.name, name)
            found |= {gate: said for gate in said.gates if gate not in found}
    return found


def in_force(lineage: Lineage) -> list[Gate]:
    """Return the gates on file whose finding still holds, by name; reads no footer, and judges nothing.

    Raises:
        IntegrityError: when a file is not what its name says.
    """
    store, recipe = lineage.store, lineage.recipe
    names = [n for n in _names(recipe, store) if not n.startswith(f"{_ACCEPTED}.")]
    gates = [_gate(store, recipe.name, name) for name in sorted(names)]
    return [
        gate
        for gate in gates
        if gate.limits == limits_of(recipe, gate.check)
        and gate.judged == judged_of(lineage, gate.stage, gate.partition)
    ]


def accepted(lineage: Lineage) -> list[tuple[Gate, Acceptance]]:
    """Return the gates in force that somebody accepted: what a release must tell."""
    known = acceptances(lineage.recipe, lineage.store)
    return [(gate, known[gate.name]) for gate in in_force(lineage) if gate.name in known]


def waiting(lineage: Lineage, stage: str) -> list[Gate]:
    """Return the gates on file that hold a stage back; what was never judged is not known here."""
    if stage not in BLOCKED:
        return []
    known = acceptances(lineage.recipe, lineage.store)
    return [
        gate
        for gate in in_force(lineage)
        if gate.stage in BLOCKED[stage] and gate.name not in known
    ]


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


def limits_of(recipe: Recipe, check: str) -> dict[str, Any]:
    """Return what the recipe says about a check, as it comes back from a file."""
    gates = recipe.gates
    if check == "licenses":
        return {"licenses": list(gates.licenses)}
    if check == "retention":
        names = ("min_retention", "max_retention", "min_documents")
        return {name: getattr(gates, name) for name in names}
    return recipe.decontaminate.probes.model_dump(mode="json")


def judged_of(lineage: Lineage, stage: str, partition: str) -> str:
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
    found = Gate(**json.loads(store.read(_path(recipe, name))))
    _verify(store, recipe, name, found.name)
    return found


@functools.lru_cache(maxsize=65536)
def _acceptance(store: Store, recipe: str, name: str) -> Acceptance:
    raw = json.loads(store.read(_path(recipe, name)))
    found = Acceptance(**raw | {"gates": tuple(raw["gates"])})
    _verify(store, recipe, name, found.name)
    return found


def _verify(store: Store, recipe: str, name: str, found: str) -> None:
    if found != name:
        msg = f"{store.path(_path(recipe, name))}: was changed: what it says is called {found}. Remove it."
        raise IntegrityError(msg)
