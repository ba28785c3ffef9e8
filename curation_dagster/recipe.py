"""One TOML file is one complete run: the frozen models a recipe is read into.

Every field carries its unit, its default and where that comes from. Unknown keys, bad values and
missing files are refused here, before any work. Reading a file from disk is `recipe_file`; what
each stage makes of its section is the stage's business.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator
from pydantic_core import PydanticCustomError

from curation_dagster import schema
from curation_dagster.recipe_decontaminate import Decontaminate
from curation_dagster.recipe_edits import Mask, Normalize
from curation_dagster.recipe_repeats import (  # noqa: TC001 - pydantic reads them at run time
    Lines,
    Paragraphs,
    Substrings,
)
from curation_dagster.recipe_steps import Step  # noqa: TC001 - pydantic reads it at run time
from curation_dagster.section import File, Place, Section, Share

Engine = Literal["processes", "ray"]
NAME = r"^[a-z0-9][a-z0-9-]*$"


class Source(Section):
    """Where documents come from. A source belongs to the root: every recipe must name it the same way."""

    name: str = Field(pattern=NAME, description="First half of the partition key.")
    paths: tuple[Place, ...] = Field(min_length=1, description="Files or globs, local or s3://.")
    format: Literal["auto", "warc", "jsonl", "parquet", "html", "text"] = Field(
        default="auto",
        description="warc: WARC, WET and ARC; html, text: a file a document; auto: by the file name.",
    )
    text_field: str = Field(default="text", description="Text column of JSONL and Parquet.")
    url_field: str = Field(
        default="url", description="URL column of JSONL and Parquet; may be absent."
    )
    date_field: str = Field(default="crawled_at", description="Date column; may be absent.")
    license: str | None = Field(default=None, description="Licence of documents that declare none.")
    shard_bytes: int = Field(
        default=4 << 30, ge=1, description="Input bytes grouped into one shard (partition)."
    )


class Ingest(Section):
    """How records become text."""

    extractor: Literal["blocks", "fast", "trafilatura"] = Field(
        default="blocks",
        description="blocks: our own; fast: resiliparse's main content; trafilatura: an extra.",
    )
    markup: Literal["plain", "markdown"] = Field(
        default="plain",
        description="markdown: headings, code fences, tables and quotes are marked (blocks, trafilatura).",
    )
    comments: bool = Field(
        default=False, description="Keep readers' comments; the posts of a forum are kept anyway."
    )
    max_record_bytes: int = Field(
        default=64 << 20, ge=1, description="Larger decoded bodies are rejected, not read."
    )
    max_replaced_char_ratio: Share = Field(
        default=0.05,
        description="Share of characters that no charset could decode; above: rejected.",
    )
    on_damage: Literal["reject", "fail"] = Field(
        default="reject",
        description="reject: a damaged range of a file is a row; fail: it fails the shard.",
    )
    batch_text_bytes: int = Field(
        default=64 << 20,
        ge=1 << 16,
        description="Text per row group: the unit of memory everywhere.",
    )

    @model_validator(mode="after")
    def _markup_is_there(self) -> Self:
        if self.markup == "markdown" and self.extractor == "fast":
            msg = 'extractor "fast" gives plain text only; markup = "markdown" needs blocks or trafilatura'
            raise ValueError(msg)
        return self


class Dedup(Section):
    """Exact and near duplicates over the whole corpus."""

    exact: bool = Field(default=True, description="128-bit hash of the text's terms.")
    url: bool = Field(
        default=False,
        description="Documents of one address: without scheme, www, fragment, tracking parameters.",
    )
    near: bool = Field(default=True, description="MinHash-LSH (Broder, 1997).")
    preset: Literal[
        "default", "fineweb", "rpv2-0.7", "rpv2-0.8", "rpv2-0.9", "rpv2-1.0", "nemotron-cc",
        "slimpajama", "zyda-0.4", "refinedweb",
    ] = Field(default="default", description="A published setting of `near`; docs/dedup.md.")  # fmt: skip
    shingles: Literal["terms", "characters"] | None = Field(
        default=None, description="What a shingle is of; the preset says it otherwise."
    )
    ngram: int | None = Field(default=None, ge=1, description="Terms or characters per shingle.")
    bands: int | None = Field(default=None, ge=1, description="Keys per document.")
    rows: int | None = Field(default=None, ge=1, description="Permutations per key.")
    threshold: Share | None = Field(
        default=None,
        description="Choose bands and rows for this Jaccard similarity, of `permutations`, by datasketch.",
    )
    permutations: int = Field(default=128, ge=2, description="Used with `threshold` only.")
    min_similarity: Share | None = Field(
        default=None, description="Similarity below which a band match is no duplicate."
    )
    verify: Literal["signature", "jaccard"] = Field(
        default="signature",
        description="jaccard: exact, over stored shingles (four bytes each); signature: its estimate.",
    )
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    scope: Literal["global", "source"] = Field(
        default="global", description="source: documents of two sources are never duplicates."
    )
    generations: Literal["older_wins", "newer_wins", "equal"] = Field(
        default="older_wins",
        description="Of crawls planned one after the other; equal: the criteria alone decide.",
    )
    source_priority: tuple[str, ...] = Field(
        default=(), description="Sources named first win; unnamed ones come last."
    )
    quality_key: str | None = Field(
        default=None, description="Signal whose larger value wins, e.g. gopher_word_count."
    )
    keep: tuple[Literal["source", "quality", "date"], ...] = Field(
        default=("source", "quality", "date"),
        description="Order of the criteria after the generation and before doc_id.",
    )
    memory_gb: float = Field(
        default=4.0,
        gt=0,
        description="What `duplicates` and `repeats` may use, each; beyond it they work on disk.",
    )
    remove: bool = Field(
        default=True,
        description="false: near duplicates stay, marked; copies of a text or an address go all the same.",
    )
    max_removed_share: Share = Field(
        default=1.0,
        description="Share of a source's documents; a source that loses more fails a check.",
    )
    max_removed: dict[str, Share] = Field(
        default={}, description="The same for single sources, by name."
    )
    lines: Lines | None = None
    paragraphs: Paragraphs | None = None
    substrings: Substrings | None = None
    min_left_terms: int = Field(
        default=1,
        ge=1,
        description="A document that cuts leave with fewer terms goes, and holds no first occurrence.",
    )

    @model_validator(mode="after")
    def _one_way_to_bands(self) -> Self:
        if self.threshold is not None and (self.bands is not None or self.rows is not None):
            msg = "threshold chooses bands and rows; name it, or them"
            raise ValueError(msg)
        return self

    @property
    def cuts(self) -> bool:
        """Whether a section asks for cuts."""
        return bool(self.lines or self.paragraphs or self.substrings)


class TrainingText(Section):
    """Named training text: shards of this recipe (their kept documents after dedup) or files."""

    shards: tuple[str, ...] = Field(default=(), description="Partition keys, never 'all'.")
    files: tuple[File, ...] = Field(default=(), description="JSONL or Parquet with a text column.")
    max_docs: int = Field(default=20_000, ge=10, description="Keyed sample, per class.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.shards and not self.files:
            msg = "name shards or files"
            raise ValueError(msg)
        return self


class Classifier(Section):
    """fastText quality classifier: P(good). Trained on one thread with a seed."""

    good: TrainingText
    ordinary: TrainingText
    dim: int = Field(default=32, ge=1)
    epochs: int = Field(default=5, ge=1)
    lr: float = Field(default=0.1, gt=0, description="fastText's default; DCLM's too.")
    ngram_words: int = Field(
        default=2, ge=1, description="DCLM's released model is a bigram model."
    )
    buckets: int = Field(default=200_000, ge=1)
    held_out_share: Share = Field(default=0.2, description="Documents kept for the metrics.")
    max_doc_chars: int = Field(default=4_000, ge=100, description="Only the beginning is read.")
    seed: int = Field(default=0, ge=0)


class _ModelSignal(Section):
    """Base of signals by a model file: the recipe says how the signal is called."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="The column of `scored`.")
    model: File


class FastTextSignal(_ModelSignal):
    """A fastText classifier's probability of its best label; what is left of 1 if that is `ordinary` (RedPajama-V2)."""

    kind: Literal["fasttext"]
    ordinary: str = Field(
        default="__label__cc", description="Label of ordinary text; RedPajama-V2's, DCLM's too."
    )


class ImportanceSignal(_ModelSignal):
    """How much likelier a text is in one set of texts than in another (Xie et al., 2023); `curate fit` makes models."""

    kind: Literal["importance"]
    length_corrected: bool = Field(
        default=False, description="Add the log ratio of the likelihoods of its length in tokens."
    )


ModelSignal = Annotated[FastTextSignal | ImportanceSignal, Field(discriminator="kind")]


class Score(Section):
    """Signals that need a model: quality, token counts, and others by model files."""

    tokenizer: Literal["cl100k_base"] | File = Field(
        default="cl100k_base", description="cl100k_base, or a Hugging Face tokenizer.json."
    )
    classifier: Classifier | None = Field(default=None, description="Without one, quality is null.")
    signals: tuple[ModelSignal, ...] = Field(
        default=(), description="Signals by model files, each a column of `scored`."
    )


ClusterWeights = dict[
    Annotated[str, Field(pattern="^[1-9][0-9]{0,8}$")], Annotated[float, Field(ge=0, le=100)]
]
ClusterWeighting = Annotated[  # told apart first, so that a problem is told of once
    Annotated[Literal["fineweb2", "inverse"], Tag("name")]
    | Annotated[ClusterWeights, Tag("sizes")],
    Discriminator(lambda value: "sizes" if isinstance(value, dict) else "name"),
]


class Phase(Section):
    """One training phase and what it is mixed of."""

    name: str = Field(pattern=NAME)
    tokens: int = Field(ge=1, description="Token budget.")
    weights: dict[str, float] = Field(min_length=1, description="Source -> share; normalised to 1.")
    max_epochs: float = Field(default=4.0, gt=0, description="Muennighoff et al., 2023: about 4.")
    min_quality: Share | None = Field(default=None, description="Documents below it get no copy.")
    min_scores: dict[str, float] = Field(
        default={}, description="The same for signals of [[score.signals]], by name."
    )

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: dict[str, float]) -> dict[str, float]:
        if any(w < 0 for w in weights.values()) or sum(weights.values()) <= 0:
            msg = "weights must not be negative and must not all be zero"
            raise ValueError(msg)
        return weights


class Mix(Section):
    """How much of which source, in which phase."""

    phases: tuple[Phase, ...] = Field(min_length=1)
    seed: int = Field(default=0, ge=0, description="Keys which documents get the extra copy.")
    cluster_weights: ClusterWeighting | None = Field(
        default=None,
        description="Reads of a document an epoch, by its cluster's size: least size -> number; docs/dedup.md.",
    )

    @field_validator("cluster_weights", mode="after")
    @classmethod
    def _names_a_size(cls, weights: object) -> object:
        if weights == {}:
            msg = "name at least one cluster size, such as { 2 = 2 }"
            raise ValueError(msg)
        return weights


class Export(Section):
    """The shape of the training shards."""

    shard_tokens: int = Field(
        default=500_000_000, ge=1, description="Tokens per output shard, about."
    )
    jsonl: bool = Field(default=False, description="Also render the release as JSONL.zst.")
    seed: int = Field(default=0, ge=0, description="Keys the global shuffle.")


class Gates(Section):
    """Bands outside which a check fails; what fails of retention, licences and probes somebody must accept."""

    min_retention: Share = Field(default=0.02, description="Kept share of a stage's documents.")
    max_retention: Share = Field(default=1.0)
    min_documents: int = Field(
        default=100, ge=1, description="Shards with fewer are judged together with the others only."
    )
    licenses: tuple[str, ...] = Field(
        default=(),
        description="Allowed, * for any characters, undeclared for documents without one; empty: all.",
    )
    max_z: float = Field(
        default=3.5,
        gt=0,
        description="Distance from the source's own past at which a shard is named; Iglewicz and Hoaglin, 1993.",
    )
    min_past_shards: int = Field(
        default=5,
        ge=2,
        description="Earlier shards of the source without which nothing is compared.",
    )
    max_past_shards: int = Field(default=50, ge=2, description="Only the latest of them count.")

    @model_validator(mode="after")
    def _enough_past(self) -> Self:
        if self.max_past_shards < self.min_past_shards:
            message = f"is below min_past_shards, {self.min_past_shards}: nothing could be compared"
            raise _wrong(("gates", "max_past_shards"), message)
        return self


class Automation(Section):
    """What the sensor and the schedule do; docs/operations.md. No partition depends on it."""

    running: bool = Field(
        default=False, description="Start both with the code location, not by hand in the UI."
    )
    check_every_s: int = Field(default=300, ge=1, description="Seconds between two looks.")
    shards_per_run: int = Field(default=100, ge=1, description="Neighbouring shards in one run.")
    max_runs: int = Field(default=2, ge=1, description="Runs of this recipe at a time.")
    max_attempts: int = Field(
        default=3, ge=1, description="Failed runs of the same work, after which it is left alone."
    )
    release_cron: str | None = Field(
        default=None,
        description="When the mixture is computed anew: minute hour day month weekday.",
    )
    timezone: str = Field(default="UTC", description="Of release_cron, as Europe/Zurich.")
    max_age_days: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="Source -> days without a new file after which a check fails."
    )

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, name: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            msg = f"no such time zone: {name}"
            raise ValueError(msg) from error
        return name


class Recipe(Section):
    """One run, complete."""

    name: str = Field(pattern=NAME, description="Names the graph; the file's own name.")
    description: str = ""
    owners: tuple[str, ...] = Field(default=(), description="E-mail addresses or team:name.")
    root: Place = Field(
        description="Where partitions go: a folder or an fsspec url such as s3://b/p."
    )
    endpoint_url: Place | None = Field(
        default=None, description="S3 endpoint that is not Amazon's."
    )
    workers: int = Field(default=0, ge=0, description="Processes; 0 is one a core.")
    pilot: Share | None = Field(
        default=None, description="Only about this share of the shards, a keyed sample."
    )
    engine: Engine = Field(
        default="processes",
        description="ray: tasks on the cluster that RAY_ADDRESS names, an extra; docs/scale.md.",
    )
    sources: tuple[Source, ...] = Field(min_length=1)
    ingest: Ingest = Ingest()
    steps: tuple[Step, ...] = Field(min_length=1, description="Edits and judges, in order.")
    dedup: Dedup = Dedup()
    score: Score = Score()
    decontaminate: Decontaminate = Decontaminate()
    mix: Mix
    export: Export = Export()
    gates: Gates = Gates()
    automation: Automation = Automation()

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the sources, in the recipe's order."""
        return tuple(source.name for source in self.sources)

    @property
    def training_shards(self) -> tuple[str, ...]:
        """Keys of the shards that the classifier is trained on."""
        trained = self.score.classifier
        named = {*trained.good.shards, *trained.ordinary.shards} if trained else ()
        return tuple(sorted(named))

    @property
    def processes(self) -> int:
        """Workers on this machine; 0 is one a core. With Ray, `workers` counts tasks on all machines."""
        return self.workers if self.engine == "processes" else 0

    def source(self, name: str) -> Source:
        """Return the source called `name`."""
        return next(source for source in self.sources if source.name == name)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        judges = tuple(getattr(s, "judge", None) for s in self.steps)
        for what, where, names in (
            ("source", ("sources", "name"), self.source_names),
            ("phase", ("mix", "phases", "name"), tuple(p.name for p in self.mix.phases)),
            (
                "benchmark",
                ("decontaminate", "benchmarks", "name"),
                tuple(b.name for b in self.decontaminate.benchmarks),
            ),
            (
                "signal",
                ("score", "signals", "name"),
                tuple(signal.name for signal in self.score.signals),
            ),
            ("judge", ("steps", "judge"), judges),
        ):
            for i, name in enumerate(names):
                if name in names[:i] and name is not None:
                    raise _wrong((*where[:-1], i, where[-1]), f"{what} named twice: {name}")
        return self

    @model_validator(mode="after")
    def _edits_note_once(self) -> Self:
        """See that no two edits note the same signals: `normalize` notes none, `mask` one for each kind."""
        noted: set[str] = set()
        for i, step in enumerate(self.steps):
            edit = getattr(step, "edit", None)
            if edit is None or isinstance(step, Normalize):
                continue
            if isinstance(step, Mask):
                if twice := [kind for kind in step.kinds if f"mask {kind}" in noted]:
                    message = f"edit named twice: mask of {', '.join(twice)}; each kind is masked once, so say "
                    message += "here " + ", ".join(f"{kind} = false" for kind in twice)
                    raise _wrong(("steps", i, "edit"), message)
                noted |= {f"mask {kind}" for kind in step.kinds}
            elif edit in noted:
                raise _wrong(("steps", i, "edit"), f"edit named twice: {edit}")
            noted.add(edit)
        return self

    @model_validator(mode="after")
    def _bounds_are_noted(self) -> Self:
        """See that the edit which notes what a bound is on comes before the judge."""
        for i, step in enumerate(self.steps):
            before = {getattr(s, "edit", None) for s in self.steps[:i]}
            for field, info in type(step).model_fields.items():
                extra = info.json_schema_extra
                edit = extra.get("edit") if isinstance(extra, dict) else None
                if edit and edit not in before and getattr(step, field) is not None:
                    message = f'needs the step edit = "{edit}" before it; or say {field} = "off"'
                    raise _wrong(("steps", i, field), message)
        return self

    @model_validator(mode="after")
    def _sources_are_known(self) -> Self:
        named: list[tuple[tuple[str | int, ...], str]] = [
            (("mix", "phases", i, "weights", name), name)
            for i, phase in enumerate(self.mix.phases)
            for name in phase.weights
        ]
        named += [
            (("dedup", "source_priority", i), n) for i, n in enumerate(self.dedup.source_priority)
        ]
        named += [(("dedup", "max_removed", name), name) for name in self.dedup.max_removed]
        named += [
            (("automation", "max_age_days", name), name) for name in self.automation.max_age_days
        ]
        if trained := self.score.classifier:
            named += [
                (("score", "classifier", kind, "shards", i), shard.rpartition("-")[0] or shard)
                for kind in ("good", "ordinary")
                for i, shard in enumerate(getattr(trained, kind).shards)
            ]
        for where, name in named:
            if name not in self.source_names:
                message = f"no such source: {name}; sources are {list(self.source_names)}"
                raise _wrong(where, message)
        return self

    @model_validator(mode="after")
    def _clusters_are_weighed_once(self) -> Self:
        """See that a preset of weights fits what dedup leaves: one of a cluster, or all of it."""
        needs = {"fineweb2": True, "inverse": False}.get(str(self.mix.cluster_weights))
        if needs not in (None, self.dedup.remove):
            left = "one document of a cluster" if needs else "all documents of a cluster"
            message = f"is for {left}; it needs dedup.remove = {str(needs).lower()}"
            raise _wrong(("mix", "cluster_weights"), message)
        return self

    @model_validator(mode="after")
    def _quality_is_measured(self) -> Self:
        for i, phase in enumerate(self.mix.phases):
            if phase.min_quality is not None and self.score.classifier is None:
                message = "needs [score.classifier]: without one, quality is null"
                raise _wrong(("mix", "phases", i, "min_quality"), message)
        return self

    @model_validator(mode="after")
    def _scores_are_measured(self) -> Self:
        names = [signal.name for signal in self.score.signals]
        for i, name in enumerate(names):
            if name in schema.SCORED:
                message = f"`scored` has a column {name} already; call the signal something else"
                raise _wrong(("score", "signals", i, "name"), message)
        for i, phase in enumerate(self.mix.phases):
            for name in phase.min_scores:
                if name not in names:
                    message = f"no such signal in [[score.signals]]: {name}; there are {names}"
                    raise _wrong(("mix", "phases", i, "min_scores", name), message)
        return self


def _wrong(where: tuple[str | int, ...], message: str) -> PydanticCustomError:
    """Make an error about one key out of a check that looks at several; `recipe_file` reads `where`."""
    return PydanticCustomError("recipe", "{message}", {"message": message, "where": where})
