"""The section `[decontaminate]`: the benchmarks, the steps that look for their items, what a hit does.

What each step computes, and where its thresholds come from, is in docs/decontamination.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import polars as pl
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from curation_dagster.section import File, GrowingFile, Section, Share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

StepName = Literal["exact", "ngrams", "rare_terms", "rerank", "judge"]
Part = Literal["question", "choices", "answer", "passage", "code"]
Kind = Literal["prose", "math", "code"]
Action = Literal["drop", "cut", "flag"]
Question = Literal["code", "math", "number_substitution", "knowledge"]
STEPS: tuple[StepName, ...] = get_args(StepName)
PARTS: tuple[Part, ...] = get_args(Part)
REPLIES: tuple[Part, ...] = ("choices", "answer")  # what answers a question, and alone tells less
WITH_MINILM: Mapping[str, float] = {
    "prose": 0.52,
    "math": 0.38,
    "code": 0.4,
}  # thresholds of rerank
BENCHMARK_NAME = r"^[a-z0-9][a-z0-9-]*$"

_FIELDS = "Fields of it, joined by line breaks; a dot goes into an object."


class Benchmark(Section):
    """One evaluation set whose items must not be in the corpus."""

    name: str = Field(pattern=BENCHMARK_NAME)
    version: str | None = Field(default=None, description="As its publisher calls it; recorded.")
    licence: str | None = Field(default=None, description="Of the items; recorded.")
    split: str | None = Field(default=None, description="test, validation ...; recorded.")
    language: str | None = Field(default=None, description="ISO 639-1 code; recorded.")
    file: File = Field(description="JSONL or CSV (plain, .gz, .zst), or Parquet.")
    has_header: bool = Field(
        default=True, description="CSV; false: fields are named by their number, from 1."
    )
    id_field: str | None = Field(
        default=None, description="Without one, an item's id is its record's number, from 0."
    )
    question: tuple[str, ...] = Field(
        default=(), description=f"{_FIELDS} Without any part: the field `question`."
    )
    choices: tuple[str, ...] = Field(default=(), description=_FIELDS)
    answer: tuple[str, ...] = Field(default=(), description=_FIELDS)
    passage: tuple[str, ...] = Field(default=(), description=f"{_FIELDS} Public text is read here.")
    code: tuple[str, ...] = Field(default=(), description=_FIELDS)
    kind: Kind = Field(default="prose", description="Which thresholds and which tokens fit it.")
    action: Action = Field(
        default="drop", description="What a hit on question, choices, answer or code does."
    )
    passage_action: Action = Field(
        default="flag",
        description="What a hit on the passage does: public text is no reason to drop.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_a_part(cls, values: Any) -> Any:  # noqa: ANN401 - TOML is anything
        """Read the field `question` where no part is named; tell who writes text_fields what to write."""
        if not isinstance(values, dict):
            return values
        if "text_fields" in values:
            said = (
                'is no setting; write question = ["question"], or choices, answer, passage, code: '
            )
            said += "the fields of each part"
            error = {"message": said, "where": ("text_fields",)}
            raise PydanticCustomError("recipe", "{message}", error)
        if not any(values.get(part) for part in PARTS):
            return values | {"question": ("question",)}
        return values

    @model_validator(mode="after")
    def _names_a_field_once(self) -> Self:
        named = [field for part in PARTS for field in self.fields(part)]
        if twice := sorted({field for field in named if named.count(field) > 1}):
            msg = f"a field belongs to one part, once: {twice}"
            raise ValueError(msg)
        return self

    def fields(self, part: Part) -> tuple[str, ...]:
        """Return the fields of a part."""
        fields: tuple[str, ...] = getattr(self, part)
        return fields

    def action_on(self, part: str) -> Action:
        """Say what a hit on a part does."""
        return self.passage_action if part == "passage" else self.action


class Exact(Section):
    """Whole items as they are: all terms of a part in a row, whatever case and punctuation."""

    min_bits: float = Field(
        default=80.0,
        ge=0,
        description="What an item's distinct terms tell, by their rarity in all benchmarks together.",
    )
    min_answer_bits: float = Field(
        default=240.0,
        ge=0,
        description="The same for an answer or choices alone: short ones are often public phrases.",
    )
    min_terms: int = Field(default=5, ge=5, description="Distinct terms of an item to look for.")


class Simple(Section):
    """The rule of AI2's decon: rare n-grams of a question in a cluster, answer and passage near it."""

    ngram: int = Field(default=5, ge=2, description="Terms of an n-gram of the question.")
    max_misses: int = Field(
        default=11, ge=1, description="N-grams in a row without a match that end a cluster."
    )
    threshold: Share = Field(default=0.8, description="Score of an item of `full_terms` or more.")
    strict_terms: int = Field(
        default=20, ge=0, description="Items of so few terms need a score of 1; linear in between."
    )
    full_terms: int = Field(default=50, ge=1, description="Items of so many need `threshold`.")
    min_terms: int = Field(
        default=20, ge=1, description="Items with fewer terms are not looked for."
    )
    min_unique_terms: int = Field(
        default=4, ge=1, description="Nor those with fewer distinct ones."
    )
    short_answer_terms: int = Field(
        default=3, ge=0, description="Answers of so many terms or fewer must be there exactly."
    )
    short_answer_distance: int = Field(default=50, ge=0, description="Terms from the cluster.")
    answer_ngram: int = Field(default=3, ge=1, description="Terms of an n-gram of a longer answer.")
    long_answer_distance: int = Field(
        default=100, ge=0, description="Terms from the cluster, or twice the answer's if more."
    )
    passage_ngram: int = Field(default=4, ge=1, description="Terms of an n-gram of the passage.")
    passage_max_misses: int = Field(default=2, ge=0, description="As `max_misses`.")
    passage_distance: int = Field(default=100, ge=0, description="Terms from the cluster.")


class NGrams(Section):
    """Word n-grams shared with an item; the policy says which count and how many make a hit."""

    policy: Literal["count", "gpt3", "datatrove", "dolma", "simple"] = Field(
        default="count", description="A published rule, or: `min_ngrams` distinct n-grams."
    )
    terms: int = Field(
        default=13,
        ge=2,
        description="Terms of an n-gram; GPT-3: 13, datatrove: 12 (its default under that policy); "
        "dolma: of a line.",
    )
    min_ngrams: int = Field(
        default=1, ge=1, description="Distinct n-grams of one part of an item that make a hit."
    )
    min_share: Share = Field(
        default=0.2,
        description="count: and this share of the part's n-grams, but of a passage; a page with the law "
        "that a question quotes does not hold the question.",
    )
    min_answer_ngrams: int = Field(
        default=8,
        ge=1,
        description="count: of an answer or choices alone, if that is more; shorter ones are often "
        "public phrases.",
    )
    enumerations: bool = Field(
        default=False,
        description="count: n-grams also count that have no term longer than two ASCII characters: "
        "alphabets, counting.",
    )
    max_items: int = Field(
        default=20,
        ge=1,
        description="N-grams that more parts of items share are templates: they tell no item. count: "
        "they do not count; gpt3, datatrove, dolma: they count for the first so many.",
    )
    min_terms: int = Field(
        default=8, ge=2, description="gpt3: n-grams of a benchmark of short items have so many."
    )
    length_quantile: Share = Field(
        default=0.05, description="gpt3: of its items' lengths, that an n-gram may have."
    )
    ignore: File | None = Field(
        default=None, description="Text, n-grams that do not count; `curate benchmarks common`."
    )
    query_ngrams: bool = Field(
        default=False, description="datatrove, find_query_ngrams: those of the question alone."
    )
    overlap_ngrams: bool = Field(
        default=True, description="datatrove, find_overlap_ngrams: from question into answer."
    )
    simple: Simple = Simple()

    @model_validator(mode="before")
    @classmethod
    def _own_terms(cls, values: Any) -> Any:  # noqa: ANN401 - TOML is anything
        if isinstance(values, dict) and values.get("policy") == "datatrove":
            return {"terms": 12} | values
        return values


class RareTerms(Section):
    """Windows of a document that hold the rare terms of an item, whatever their order."""

    window_terms: int = Field(
        default=100, ge=10, description="The weight of a term decays by e over so many terms."
    )
    min_mass: float = Field(
        default=3.0,
        ge=0,
        description="Nats; a window's rare terms of an item, by idf, times their share of it.",
    )
    max_items: int = Field(
        default=600, ge=1, description="A term of more items is not rare: it finds none."
    )
    item_terms: int = Field(
        default=20, ge=2, description="Terms of an item that find it; the rarest."
    )
    candidates: int = Field(default=4, ge=1, description="Items looked at in a window; best first.")
    prose: Share = Field(default=0.4, description="Likeness of a hit; docs/decontamination.md.")
    math: Share = Field(default=0.265, description="The same for benchmarks of kind math.")
    code: Share = Field(default=0.31, description="The same for benchmarks of kind code.")
    candidate: Share = Field(
        default=0.1, description="Likeness from which the steps rerank and judge are asked."
    )
    character_noise: bool = Field(
        default=False, description="Terms are four characters in a row: for text read by OCR."
    )


class StaticModel(Section):
    """A model2vec table: one vector a token."""

    weights: File = Field(description="model.safetensors.")
    tokenizer: File = Field(description="tokenizer.json, WordPiece.")


class SentenceModel(Section):
    """A BERT sentence model, such as all-MiniLM-L6-v2."""

    weights: File = Field(description="model.safetensors.")
    tokenizer: File = Field(description="tokenizer.json, WordPiece.")
    config: File = Field(description="config.json.")


class Rerank(Section):
    """Candidates compared again, by embeddings of the item and of the span."""

    static_model: StaticModel = Field(description="Fast; compares every candidate.")
    minilm: SentenceModel | None = Field(
        default=None, description="Slow and sharper; decides on what the first lets through."
    )
    dense: bool = Field(
        default=False, description="Compare every sentence with every item, too: slow; see docs."
    )
    static_least: Share = Field(
        default=0.45, description="Cosine by the static model from which the other is asked."
    )
    prose: Share = Field(
        default=0.43,
        description="Score of a hit that rare_terms is not sure of; by model, see docs.",
    )
    math: Share = Field(default=0.37, description="The same for benchmarks of kind math.")
    code: Share = Field(default=0.41, description="The same for benchmarks of kind code.")

    @model_validator(mode="before")
    @classmethod
    def _of_the_models(cls, values: Any) -> Any:  # noqa: ANN401 - TOML is anything
        """Ask what fits the models: a sentence model gives other scores."""
        if isinstance(values, dict) and values.get("minilm") is not None:
            return {**WITH_MINILM, **values}
        return values


class Judge(Section):
    """A model behind an OpenAI-compatible endpoint, asked about hits; no answer is not clean."""

    model: str = Field(min_length=1, description="As the endpoint calls it.")
    cache: GrowingFile = Field(
        description="Its answers, JSONL, an input; `curate benchmarks judge` fills it."
    )
    min_score: Share = Field(
        default=0.2, description="Of candidates with a lower score the threshold before decides."
    )
    max_score: Share = Field(default=1, description="Of those with a higher score too.")
    prose: Question = Field(default="knowledge", description="What is asked about kind prose.")
    math: Question = Field(
        default="math", description='The same for kind math; or "number_substitution".'
    )
    code: Question = Field(default="code", description="The same for kind code.")
    context_bytes: int = Field(default=300, ge=0, description="Sent on either side of a hit.")
    max_passage_bytes: int = Field(
        default=8000, ge=1, description="Sent at most; of a longer one the threshold decides."
    )
    url: str = Field(
        pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$",
        description="Endpoint, up to and without /chat/completions; no user, no query.",
    )
    key_variable: str | None = Field(
        default=None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="Environment variable that holds the endpoint's key.",
    )
    timeout_s: float = Field(default=60, gt=0, description="For one try, in seconds.")
    max_tries: int = Field(default=4, ge=1, description="Of one question.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Questions at a time.")
    max_questions: int = Field(
        default=10_000, ge=1, description="Asked by one call of the command."
    )
    max_answer_tokens: int = Field(default=64, ge=1, description="A model that thinks needs more.")

    @property
    def asking(self) -> set[str]:
        """Name the fields that only say how answers are got; they change no result."""
        return {
            "url", "key_variable", "timeout_s", "max_tries", "concurrency", "max_questions", "max_answer_tokens",
        }  # fmt: skip


class Cut(Section):
    """What action = "cut" leaves of a document (Brown et al., 2020, appendix C)."""

    around_chars: int = Field(
        default=200, ge=0, le=1_000_000, description="Cut on either side of a hit; code points."
    )
    min_fragment_chars: int = Field(default=200, ge=0, description="Shorter fragments go.")
    max_cuts: int = Field(
        default=10, ge=1, le=10_000, description="A document cut in more places goes whole."
    )


class Probes(Section):
    """Items planted in neutral text and searched for in every run; below these shares a check fails."""

    items: int = Field(default=8, ge=1, description="Planted of each benchmark, a keyed sample.")
    min_copied_share: Share = Field(
        default=0.9,
        description="Found of those copied, and of those in other letter case and spacing.",
    )
    min_edited_share: Share = Field(
        default=0.5,
        description="Found of those with words left out, and of those rewritten; of items found verbatim.",
    )
    max_clean_share: Share = Field(
        default=0.0, description="Of the neutral texts, taken for contaminated."
    )


class Decontaminate(Section):
    """Benchmark items found in documents: copied, in part, or rephrased."""

    steps: Annotated[tuple[StepName, ...], Field(min_length=1)] = Field(
        default=("exact", "ngrams", "rare_terms"),
        description="Those named run; always in the order exact, ngrams, rare_terms, rerank, judge.",
    )
    max_false_positives: Share = Field(
        default=0.02, description="Rate on clean text that `curate benchmarks calibrate` aims at."
    )
    exact: Exact = Exact()
    ngrams: NGrams = NGrams()
    rare_terms: RareTerms = RareTerms()
    rerank: Rerank | None = None
    judge: Judge | None = None
    cut: Cut = Cut()
    probes: Probes = Probes()
    benchmarks: tuple[Benchmark, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _says_ngrams_in_their_section(cls, values: Any) -> Any:  # noqa: ANN401 - TOML is anything
        for old, new in (("ngram_terms", "terms"), ("min_ngrams", "min_ngrams")):
            if isinstance(values, dict) and old in values:
                error = {"message": f"is now {new} in [decontaminate.ngrams]", "where": (old,)}
                raise PydanticCustomError("recipe", "{message}", error)
        return values

    @model_validator(mode="after")
    def _steps_have_what_they_need(self) -> Self:
        if len(set(self.steps)) < len(self.steps):
            msg = f"a step is named twice: {list(self.steps)}"
            raise ValueError(msg)
        for name in ("rerank", "judge"):
            if name in self.steps and getattr(self, name) is None:
                msg = f"the step {name!r} needs [decontaminate.{name}]"
                raise ValueError(msg)
        return self

    @property
    def cuts(self) -> bool:
        """Whether a hit can cut its document: on a part that some benchmark has."""
        return any(
            b.action_on(part) == "cut" for b in self.benchmarks for part in PARTS if b.fields(part)
        )

    def runs(self, step: StepName) -> bool:
        """Say whether a step is named."""
        return step in self.steps

    def benchmark(self, name: str) -> Benchmark:
        """Return the benchmark called `name`."""
        return next(benchmark for benchmark in self.benchmarks if benchmark.name == name)


def drops(benchmarks: Sequence[Benchmark]) -> pl.Expr:
    """Say of a hit (columns benchmark and part) whether it drops its document."""
    return doing(benchmarks, "drop")


def doing(benchmarks: Sequence[Benchmark], action: Action) -> pl.Expr:
    """Say of a hit (columns benchmark and part) whether this is what it does."""
    pairs = [
        f"{b.name}/{part}" for b in benchmarks for part in PARTS if b.action_on(part) == action
    ]
    return pl.concat_str("benchmark", "part", separator="/").is_in(pairs)
