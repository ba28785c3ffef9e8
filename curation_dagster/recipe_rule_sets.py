"""More judges of a recipe: the rule sets of single corpora and toolkits.

Where thresholds come from is said in the presets; the defaults here are those of the source.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from curation_dagster.recipe_bounds import (
    CountBound,
    FloatBound,
    Listed,
    ShareBound,
    bound,
    listed,
    listed_bound,
)
from curation_dagster.section import File, Section


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
