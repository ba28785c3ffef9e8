"""What every stage is made from, and so which file is current: the table of stages and the digest INPUT.

INPUT covers a stage's code version, the parts of the recipe it reads, the bytes of the files those
name, the versions of the libraries whose output it stores, and its parents' OUTPUTs. A stage that
reads a slice of an unpartitioned parent hashes that slice. Nothing here computes a stage; it says
what would be computed and why.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from curation_dagster import erased, gates, plan, retired, table
from curation_dagster.annotate import lid_model
from curation_dagster.decontaminate import judge_questions
from curation_dagster.dedup.minhash import Near, parameters
from curation_dagster.funnel import funnel
from curation_dagster.ingest.blocks import model
from curation_dagster.mix import weights
from curation_dagster.recipe_file import content, digest, short_hash
from curation_dagster.recipe_judges import Language
from curation_dagster.words import UNICODE_VERSION

if TYPE_CHECKING:
    from curation_dagster.recipe import Dedup, Recipe
    from curation_dagster.recipe_decontaminate import Decontaminate
    from curation_dagster.store import Ref, Store

ALL = "all"
RECORDS = "made"
State = Literal["current", "stale", "missing", "blocked"]


@dataclass(frozen=True)
class Stage:
    """One asset: its partitions and its parents, by how much of a parent a partition reads."""

    name: str
    code_version: str
    partitions: Literal["shard", "none", "output"]
    same: tuple[str, ...] = ()  # the same shard's file
    whole: tuple[str, ...] = ()  # every shard's file
    one: tuple[str, ...] = ()  # the file of an unpartitioned parent
    slice: tuple[str, ...] = ()  # this shard's slice of an unpartitioned parent
    follows: str | None = None  # the stage whose kept documents are this stage's rows
    suffix: str = "parquet"

    @property
    def parents(self) -> tuple[str, ...]:
        """Every stage this one reads."""
        return (*self.same, *self.whole, *self.one, *self.slice)


_TEXT = ("raw", "annotated", "deduped")
STAGES = (
    Stage("raw", "3", "shard"),
    Stage("annotated", "4", "shard", same=("raw",), follows="raw"),
    Stage("cleaned", "2", "shard", same=("annotated",), follows="annotated"),
    Stage("fingerprinted", "2", "shard", same=("raw", "annotated", "cleaned"), follows="cleaned"),
    Stage("duplicates", "2", "none", whole=("fingerprinted",)),
    Stage("repeats", "1", "none", whole=("fingerprinted",), one=("duplicates",)),
    Stage(
        "deduped",
        "2",
        "shard",
        same=("cleaned",),
        slice=("duplicates", "repeats"),
        follows="cleaned",
    ),
    Stage("classifier", "1", "none", whole=_TEXT, suffix="bin"),
    Stage("scored", "2", "shard", same=_TEXT, one=("classifier",), follows="deduped"),
    Stage("scanned", "2", "shard", same=_TEXT, follows="deduped"),
    Stage("trimmed", "1", "shard", same=(*_TEXT, "scanned")),
    Stage("mixture", "1", "none", whole=("scored", "scanned", "trimmed", "deduped")),
    Stage("mixed", "1", "shard", same=("scored", "deduped"), slice=("mixture",), follows="scored"),
    Stage("decontaminated", "2", "shard", same=("mixed", "scanned", "trimmed"), follows="mixed"),
    Stage(
        "exported",
        "1",
        "output",
        whole=(*_TEXT, "scored", "mixed", "decontaminated"),
        one=("mixture",),
    ),
    Stage("release", "3", "none", whole=("exported",), suffix="json"),
)
BY_NAME = {stage.name: stage for stage in STAGES}


def stages(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the stages of a recipe in order: some are only where a section asks for them."""
    return tuple(s for s in STAGES if s.name not in _unasked(recipe))


def _unasked(recipe: Recipe) -> set[str]:
    asked = {
        "classifier": recipe.score.classifier,
        "repeats": recipe.dedup.cuts,
        "trimmed": recipe.decontaminate.cuts,
    }
    return {name for name, section in asked.items() if not section}


def parents_of(recipe: Recipe, spec: Stage) -> tuple[str, ...]:
    """Return the stages that a stage reads under this recipe: `deduped` is mixed by only where cluster sizes weigh."""
    unread = _unasked(recipe)
    if recipe.mix.cluster_weights is None and spec.name in {"mixture", "mixed"}:
        unread.add("deduped")
    return tuple(parent for parent in spec.parents if parent not in unread)


def sections(recipe: Recipe, stage: str, partition: str) -> dict[str, Any]:  # noqa: C901, PLR0911, PLR0912 - one case a stage
    """Return the parts of the recipe that a partition of a stage reads, as plain values."""
    dedup, score, clean_of = recipe.dedup, recipe.score, recipe.decontaminate
    shape = {"threshold", "permutations", "seed", "verify"}
    unused: set[str] = set() if dedup.threshold is not None else {"permutations"}
    actions = {b.name: [b.action, b.passage_action] for b in clean_of.benchmarks}
    match stage:
        case "raw":
            source = recipe.source(partition.rsplit("-", 1)[0])
            return {
                "source": content(source) | {"shard_bytes": None},
                "ingest": content(recipe.ingest),
            }
        case "annotated":
            return {"steps": [_measured(step) for step in recipe.steps]}
        case "cleaned":
            return {"steps": [content(step) for step in recipe.steps]}
        case "fingerprinted":
            prints: dict[str, Any] = {"near": dedup.near, "quality_key": dedup.quality_key}
            if dedup.near:
                prints |= parameters(dedup)._replace(min_similarity=0)._asdict()
                prints |= {k: v for k, v in content(dedup).items() if k in shape - unused}
            return {"dedup": prints | _stored_pieces(dedup)}
        case "duplicates":
            unread = {"memory_gb", "remove", "max_removed_share", "max_removed", *_CUTTING, *unused}
            unread |= set() if dedup.near else shape | set(Near._fields) | {"preset"}
            near = parameters(dedup)._asdict() if dedup.near else {}
            return {"dedup": content(dedup) | near | dict.fromkeys(unread)}
        case "repeats":
            order = {"scope", "generations", "source_priority", "keep", "remove"}
            ranked = {k: v for k, v in content(dedup).items() if k in order}
            thin = {"min_left_terms": dedup.min_left_terms} if dedup.min_left_terms > 1 else {}
            return {"dedup": ranked | _cutting(dedup) | thin}
        case "deduped":
            left = {"min_left_terms": dedup.min_left_terms if dedup.cuts else None}
            return left if dedup.remove else left | {"remove": False}
        case "classifier":
            return {"classifier": content(score.classifier)}
        case "scored":
            read = score.classifier.max_doc_chars if score.classifier else None
            return {
                "tokenizer": content(score.tokenizer),
                "max_doc_chars": read,
                "signals": content(score.signals),
            }
        case "scanned":
            unasked = ("action", "passage_action", "version", "licence", "split")
            items = [content(b) | dict.fromkeys(unasked) for b in clean_of.benchmarks]
            of_hits = {"benchmarks": items, "cut": None, "judge": _judged(clean_of)}
            unsaid = dict.fromkeys(("max_false_positives", *clean_of.unnamed_steps))
            probes = {"probes": clean_of.probes.items}
            return {"decontaminate": content(clean_of) | unsaid | of_hits | probes}
        case "trimmed":
            return {
                "actions": actions,
                "cut": content(clean_of.cut),
                "tokenizer": content(score.tokenizer),
            }
        case "mixture":
            return {
                "mix": content(recipe.mix) | weights.said(recipe.mix),
                "shard_tokens": recipe.export.shard_tokens,
                "actions": actions,
            }
        case "mixed":
            least = {phase.name: phase.min_scores for phase in recipe.mix.phases}
            return {"seed": recipe.mix.seed, "min_scores": least} | weights.said(recipe.mix)
        case "decontaminated":
            return {"actions": actions}
        case "exported":
            return {"seed": recipe.export.seed, "shard_tokens": recipe.export.shard_tokens}
        case "release":
            return {"recipe": digest(recipe)}
    return {}


def libraries(recipe: Recipe, stage: str) -> dict[str, str]:
    """Return the versions of the libraries whose output a stage stores."""
    extractor = recipe.ingest.extractor
    packages: dict[str, tuple[str, ...]] = {
        "raw": ("resiliparse", "trafilatura") if extractor == "trafilatura" else ("resiliparse",),
        "annotated": ("fasttext-community",) if _asks_fasttext(recipe) else (),
        "fingerprinted": ("datasketch",) if recipe.dedup.near and recipe.dedup.threshold else (),
        "duplicates": ("datasketch",) if recipe.dedup.near and recipe.dedup.threshold else (),
        "classifier": ("fasttext-community",),
        "scored": ("fasttext-community", "gigatoken"),
        "scanned": ("numpy",) if recipe.decontaminate.runs("rerank") else (),
        "trimmed": ("gigatoken",),
    }
    used = {name: _version(name) for name in packages.get(stage, ())}
    if stage == "raw" and extractor == "blocks":
        used["blocks-model"] = model.digest()
    if stage in {"annotated", "fingerprinted", "scanned"} or (
        stage == "scored" and recipe.score.signals
    ):
        used["unicode"] = UNICODE_VERSION
    return used


def _judged(decontaminate: Decontaminate) -> dict[str, Any] | None:
    """Return what of [decontaminate.judge] changes a result; nothing where the step is not run."""
    judge = decontaminate.judge
    if judge is None or not decontaminate.runs("judge"):
        return None
    said = {k: v for k, v in content(judge).items() if k not in judge.asking}
    return said | {"prompts": judge_questions.VERSION}


_CUTTING = ("lines", "paragraphs", "substrings", "min_left_terms")


def _cutting(dedup: Dedup) -> dict[str, Any]:
    """Return the sections about cuts, as plain values."""
    return {name: content(getattr(dedup, name)) for name in _CUTTING[:3]}


def _stored_pieces(dedup: Dedup) -> dict[str, Any]:
    """Return what of them `fingerprinted` reads: windows and ratios are not its business."""
    said = _cutting(dedup)
    if dedup.paragraphs:
        by_terms = dedup.paragraphs.ngram is not None
        said["paragraphs"] |= {"ngram": by_terms, "max_seen_ratio": None}
    return said | {"substrings": bool(dedup.substrings)}


class Lineage:
    """The state of one recipe over one root, as of its first question; each stage is listed once."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        """Read the plan; stages are listed when first asked for."""
        self.recipe = recipe
        self.store = store
        self.shards = {shard.key: shard for shard in plan.shards(recipe, store)}
        self._listed: dict[str, dict[str, list[Ref]]] = {}
        self._made_from: dict[tuple[str, str], dict[str, Any] | None] = {}
        self.retired = {s: r for s, r in retired.of(store).items() if s in recipe.source_names}
        self.erasures = erased.Erasures.of(store)

    def partitions(self, stage: str) -> list[str]:
        """Return a stage's partition keys: shards in plan order, `all`, or the mixture's output shards."""
        kind = BY_NAME[stage].partitions
        if kind == "shard":
            return list(self.shards)
        if kind == "none":
            return [ALL]
        mixture = self.current("mixture", ALL)
        if mixture is None:
            return []
        counts: dict[str, int] = self.footer(mixture)["output_shards"]
        return [f"{phase}-{n:05d}" for phase, count in counts.items() for n in range(count)]

    def files(self, stage: str, partition: str) -> list[Ref]:
        """Return every file a partition has, current or not."""
        if stage not in self._listed:
            listed: dict[str, list[Ref]] = {}
            for ref in self.store.refs(stage):
                listed.setdefault(ref.partition, []).append(ref)
            self._listed[stage] = listed
        return self._listed[stage].get(partition, [])

    def current(self, stage: str, partition: str) -> Ref | None:
        """Return the file made from what the recipe says now, if there is one."""
        made_from = self.made_from(stage, partition)
        if made_from is None:
            return None
        wanted, suffix = short_hash(made_from), BY_NAME[stage].suffix
        files = self.files(stage, partition)
        return next((r for r in files if (r.input, r.suffix) == (wanted, suffix)), None)

    def state(self, stage: str, partition: str) -> State:
        """Say whether a partition is current, stale (made from something else), missing or blocked."""
        if self.current(stage, partition):
            return "current"
        if self.made_from(stage, partition) is None:
            return "blocked"
        return "stale" if self.files(stage, partition) else "missing"

    def made_from(self, stage: str, partition: str) -> dict[str, Any] | None:
        """Return what a partition would be made from now; None while a parent is not current."""
        key = (stage, partition)
        if key not in self._made_from:
            self._made_from[key] = self._ingredients(BY_NAME[stage], partition)
        return self._made_from[key]

    def parents(self, stage: str, partition: str) -> dict[str, list[Ref]] | None:
        """Return the parents' current files; None while one is missing."""
        spec = BY_NAME[stage]
        found: dict[str, list[Ref]] = {}
        for parent in parents_of(self.recipe, spec):
            keys = [partition] if parent in spec.same else self.keys_of(spec, parent)
            refs = [self.current(parent, key) for key in keys]
            if not all(refs) or not (refs or spec.name == "classifier"):
                return None
            found[parent] = [ref for ref in refs if ref]
        return found

    def why(self, stage: str, partition: str) -> str:
        """Say in a few words why a partition is not current."""
        made_from = self.made_from(stage, partition)
        if made_from is None:
            return "follows from its parents"
        files = self.files(stage, partition)
        if not files:
            return "new"
        before = min(map(self.record, files), key=lambda r: len(_differing(made_from, r)))
        changed = _differing(made_from, before)
        return "changed: " + ", ".join(
            _name_change(k, before.get(k), made_from[k]) for k in changed
        )

    def record(self, ref: Ref) -> dict[str, Any]:
        """Read what a file was made from; it lies beside the files, so that equal content has equal bytes."""
        name = record_name(ref.stage, ref.partition, ref.input)
        known = name.rsplit("/", 1)[1] in self.store.names(f"{RECORDS}/{ref.stage}")
        return dict(json.loads(self.store.read(name))) if known else {}

    def footer(self, ref: Ref) -> dict[str, Any]:
        """Read a partition's summary and what it was made from."""
        return _footer(self.store, ref, ref.bytes)

    def keys_of(self, spec: Stage, parent: str) -> list[str]:
        """Return which partitions of a parent a stage reads, where it is not the same shard's."""
        if spec.name == "classifier" and self.recipe.score.classifier:
            return list(self.recipe.training_shards)
        return self.partitions(parent)

    def _ingredients(self, spec: Stage, partition: str) -> dict[str, Any] | None:
        parents = self.parents(spec.name, partition)
        if parents is None or (spec.partitions == "shard" and partition not in self.shards):
            return None
        made_from: dict[str, Any] = {
            "stage": spec.name,
            "code": spec.code_version,
            "libraries": libraries(self.recipe, spec.name),
            "recipe": sections(self.recipe, spec.name, partition),
        }
        if spec.name == "raw":
            made_from["inputs"] = [i.said for i in self.shards[partition].inputs]
            base = erased.base_of(made_from)
            if applying := self.erasures.applying(self.shards[partition], base):
                made_from[erased.FOLDER] = applying
        if spec.name in {"duplicates", "repeats", "mixture"}:
            made_from["order"] = [[s.key, s.generation] for s in self.shards.values()]
        if spec.name == "release":  # what a manifest says besides the files
            mixture = self.current("mixture", ALL)
            made_from["funnel"] = short_hash(funnel(self)["stages"])
            made_from["mixture"] = mixture.output if mixture else None
            made_from["hits"] = short_hash(
                [
                    ref.output
                    for stage in ("scanned", "decontaminated")
                    for key in self.shards
                    if (ref := self.current(stage, key))
                ]
            )
            made_from["stages"] = {s.name: s.code_version for s in stages(self.recipe)}
            if accepted := gates.accepted(self):
                made_from["gates"] = [[gate.name, a.name] for gate, a in accepted]
        for parent, refs in parents.items():
            if parent in spec.slice:
                slices = self.footer(refs[0])["slices"]
                key = self.shards[partition].source if parent == "mixture" else partition
                made_from[f"parent {parent}"] = slices.get(key, "none")
            else:
                outputs = [[r.partition, r.output] for r in refs]
                made_from[f"parent {parent}"] = (
                    outputs if len(outputs) <= 1 else short_hash(outputs)
                )
        return made_from


def record_name(stage: str, partition: str, digest: str) -> str:
    """Name the small file that says what a partition was made from."""
    return f"{RECORDS}/{stage}/{partition}.{digest}.json"


@functools.lru_cache(maxsize=100_000)
def _footer(store: Store, ref: Ref, _bytes: int) -> dict[str, Any]:
    if ref.suffix == "json":
        return dict(json.loads(store.read(ref.name)))
    if ref.suffix == "bin":  # a model: what is known of it lies beside it
        beside = (r for r in store.refs(ref.stage) if (r.input, r.suffix) == (ref.input, "json"))
        return {k: v for r in beside for k, v in _footer(store, r, r.bytes).items()}
    with store.open(ref) as stream:
        return table.footer(stream, store.path(ref.name))


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"  # an extra; the stage that needs it says so


def _measured(step: Any) -> dict[str, Any]:  # noqa: ANN401 - any step
    """Reduce a step to what `annotate` does for it: what only `cleaned` reads is not its business."""
    fields = type(step).model_fields
    return {k: v for k, v in content(step).items() if not fields[k].json_schema_extra}


def _asks_fasttext(recipe: Recipe) -> bool:
    """Say whether a language model is one that the library computes, not we."""
    models = [step.model for step in recipe.steps if isinstance(step, Language) and step.model]
    return any(not lid_model.read_header(model.path).is_compiled for model in models)


def _differing(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    return sorted(k for k in now if now[k] != before.get(k))


def _name_change(key: str, before: Any, now: Any) -> str:  # noqa: ANN401 - plain values
    if not isinstance(before, dict) or not isinstance(now, dict):
        return key
    return f"{key} ({', '.join(sorted(k for k in now | before if now.get(k) != before.get(k)))})"
