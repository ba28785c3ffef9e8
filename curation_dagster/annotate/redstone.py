"""RedStone-Web's rules, Gopher's and RefinedWeb's over sentences (Chang et al., 2024, arXiv:2412.03398).

As microsoft/RedStone has them (GeneralDomain/redstone_cc/algos/rule_based_filters). What differs from other variants:

- A sentence ends at LF; behind ? ! or several dots, quotes and brackets included, if spaces and a capital follow;
  behind a full stop if a capital, digit or quote follows, unless it belongs to a title ("Mr.") or an acronym
  ("U.S."). These are the rules of Koehn and Schroeder's splitter, which RedStone calls (the package
  sentence-splitter); the titles are ours. RedStone's paragraphs are lines, empty ones included, and so are empty
  sentences.
- Words are those between white space, in lower case; n-grams are of these. The top n-gram is the first of the most
  frequent and must occur twice; characters of repeated n-grams are those of the words in any that occurs twice, once.
- Symbols are "#" and "..." in the text, a bullet one of ten symbols (no "-" or "*"), an ellipsis "...". U+2026 is
  three dots. Of equal sentences or lines all count, the first too. Stop words are counted every time.
- RedStone measures all but capitals and copies on text in NFKC; here only U+2026 is unfolded, and case.

The edit `redstone_sentences` puts every sentence on a line of its own, with one space for several, and drops those in
which more than `max_uppercase_ratio` of the letters are capitals, that are numbers and blanks only, counters ("3
likes": digits, white space, one word of ASCII letters), of one word, and with `phrases` those that begin with "sign
in", "sign-in", "sign up" or "sign-up", end with "read more" and any three characters, or contain "items in cart".
The published code holds these patterns in a generator, which the first sentence uses up: they dropped nothing, so
the preset has them off. `redstone_removed_word_ratio` are the words of dropped sentences by all words. A ratio
without a denominator is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import ngrams, splitter, str_classes
from curation_dagster.annotate.family import Edit, Edited, Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_edits import RedStoneSentences

BULLETS = "\u2022\u2023\u25b6\u25c0\u25e6\u25a0\u25a1\u25aa\u25ab\u2013"
_TITLES = (
    "Adj Adm Adv Asst Bros Capt Cmdr Col Comdr Con Corp Cpl Dr Drs Ens Gen Gov Hon Insp Lt Maj Messrs Mlle Mme Mr Mrs "
    "Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc Sgt Sr St Supt Surg v vs i.e rev e.g Nos Nr"
).split()
TITLES = (*_TITLES, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")

_COUNTS = (
    Signal("redstone_word_count", pl.UInt32, "Words by white space."),
    Signal("redstone_stop_word_count", pl.UInt32, "Stop words among them, every time."),
)
_RATIOS = (
    Signal("redstone_mean_word_chars", pl.Float64, "Mean code points of the words."),
    Signal("redstone_symbol_word_ratio", pl.Float64, "'#' and '...' in the text, by words."),
    Signal("redstone_alpha_word_ratio", pl.Float64, "Words with at least one letter."),
    Signal("redstone_ellipsis_sentence_ratio", pl.Float64, "Sentences that end with '...'."),
    Signal("redstone_bullet_sentence_ratio", pl.Float64, "Sentences that start with a bullet."),
    Signal("redstone_dup_sentence_ratio", pl.Float64, "Sentences that have a copy."),
    Signal(
        "redstone_dup_sentence_char_ratio",
        pl.Float64,
        "Code points in sentences that have a copy.",
    ),
    Signal("redstone_dup_line_ratio", pl.Float64, "Lines that have a copy."),
    Signal("redstone_dup_line_char_ratio", pl.Float64, "Code points in lines that have a copy."),
    *(
        Signal(
            f"redstone_top_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of the words of the most frequent word {n}-gram, times its count.",
        )
        for n in range(2, 5)
    ),
    *(
        Signal(
            f"redstone_dup_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of words in word {n}-grams that have a copy.",
        )
        for n in range(5, 11)
    ),
)
_NOTES = (
    Signal("redstone_sentence_count", pl.UInt32, "Sentences before RedStone's corrections."),
    Signal("redstone_uppercase_sentence_count", pl.UInt32, "Sentences that are mostly capitals."),
    Signal("redstone_number_sentence_count", pl.UInt32, "Sentences of numbers and blanks only."),
    Signal("redstone_counter_sentence_count", pl.UInt32, "Sentences that are counters."),
    Signal("redstone_short_sentence_count", pl.UInt32, "Sentences of one word."),
    Signal("redstone_phrase_sentence_count", pl.UInt32, "Sentences with an excluded phrase."),
    Signal(
        "redstone_removed_word_ratio",
        pl.Float64,
        "Words of the sentences that were dropped, by all.",
    ),
)


def _spans(chunk: Chunk) -> NDArray[np.int64]:
    """Make room for the sentences of the longest text: each but the first has a space or LF before it."""
    sizes = np.diff(chunk.offsets)
    return np.empty((2, int(sizes.max(initial=0)) + 2), np.int64)


def _measure(chunk: Chunk, judge: object) -> dict[str, NDArray[Any]]:  # noqa: ARG001 - as every family's
    from curation_dagster.annotate import redstone_kernel  # loads numba

    counts = np.empty((len(_COUNTS), len(chunk)), np.uint32)
    ratios = np.empty((len(_RATIOS), len(chunk)))
    words = chunk.folded
    redstone_kernel.measure(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        splitter.hashes(TITLES),
        words,
        ngrams.scratch(words.most, words.most + chunk.most_lines),
        _spans(chunk),
        counts,
        ratios,
    )
    return dict(zip(FAMILY.columns, (*counts, *ratios), strict=True))


def _sentences(chunk: Chunk, step: RedStoneSentences) -> Edited:
    from curation_dagster.annotate import redstone_kernel  # loads numba

    # a sentence is a byte longer by its LF where it had no space: none of the breaks is without one
    out = np.empty(chunk.offsets[-1] - chunk.offsets[0], np.uint8)
    ends = np.zeros(len(chunk) + 1, np.int64)
    counts = np.zeros((len(_NOTES) - 1, len(chunk)), np.uint32)
    removed = np.empty(len(chunk))
    redstone_kernel.rewrite(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        splitter.hashes(TITLES),
        (step.max_uppercase_ratio, step.phrases),
        _spans(chunk),
        out,
        ends,
        counts,
        removed,
    )
    notes = dict(zip(SENTENCES.columns, (*counts, removed), strict=True))
    return Edited(out[: ends[-1]], ends, notes)


_SOURCE = "Chang et al., 2024, arXiv:2412.03398; microsoft/RedStone, GeneralDomain"
FAMILY = Family(
    "RedStone-Web (Gopher rules over sentences)", _SOURCE, (*_COUNTS, *_RATIOS), _measure
)
SENTENCES = Edit("RedStone-Web sentences", _SOURCE, _NOTES, _sentences)
