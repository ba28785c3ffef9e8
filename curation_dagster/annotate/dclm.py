"""The Gopher rules as DCLM-Baseline applies them (Li et al., 2024, arXiv:2406.11794), and its edits before them.

As mlfoundations/dclm has them: `baselines_configs/dclm_baseline_refinedweb.yaml`, `mappers/filters/content_filters.py`,
`mappers/modifiers.py`. What differs from other variants:

- The word count is of runs between ASCII white space that start with a letter or digit. All other ratios are of words
  by white space: their mean length, "#", "...", ". . ." and U+2026 in the text, words without a letter. Stop words are
  counted every time, in any case, if nothing stands beside them.
- Lines are what lies between LFs, stripped, without empty ones; paragraphs between two LFs. A bullet is one of ● • * -,
  an ellipsis "...", ". . ." or U+2026. Of equal lines all count, the first too.
- n-grams are of the words of UAX #29 that start with a letter or digit (`segments`; DCLM: uniseg), without what stands
  between them. The top n-gram is the longest of the most frequent and must occur twice; characters of repeated n-grams
  are those of the words in any n-gram that occurs twice, counted once. Both are by the characters of these words.

The edit `dclm_text` removes urls and limits runs of LFs. A url is an optional scheme, a run of host characters that
ends in a dot and a top-level domain, and what follows it; an address of four numbers counts too; up to ten white spaces
before go with it. DCLM has 1,500 top-level domains, and looks for those urls only in texts that *start* with the
letters of one of them (a search that was written as a match); `pages = "dclm"` does the same. Ours are the two-letter
ones and the common others. A ratio without a denominator is null.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curation_dagster.annotate import ngrams, str_classes
from curation_dagster.annotate.family import Edit, Edited, Family, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation_dagster.annotate.family import Chunk
    from curation_dagster.recipe_edits import DclmText

_COUNTRIES = """
ac ad ae af ag ai al am an ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz
ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et eu fi fj fk fm fo fr
ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp
ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt
mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw
sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tp tr tt tv tw tz
ua ug uk um us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
"""
_GENERIC = """
com org net edu gov mil int info biz name pro aero coop museum arpa asia cat jobs mobi post tel travel xxx
academy agency app art associates auction audio auto baby band bank bar bargains beauty beer best bet bid bike bio black
blog blue book boutique build builders business buy buzz cab cafe camera camp capital car cards care career careers
cars casa cash casino center ceo chat cheap church city claims cleaning click clinic clothing cloud club coach codes
coffee college community company computer condos construction consulting contact contractors cooking cool country
coupons courses credit cruises dance data date dating day deals delivery democrat dental design dev diamonds diet
digital direct directory discount dog domains download earth eat eco education email energy engineer engineering
enterprises equipment estate events exchange expert exposed express fail faith family fan fans farm fashion film
finance financial fish fishing fit fitness flights florist flowers fly food football forsale forum foundation fun fund
furniture fyi gallery game games garden gift gifts gives glass global gmbh gold golf graphics gratis green gripe group
guide guitars guru haus health healthcare help here hiphop hockey holdings holiday homes horse hospital host hosting
hotels house how icu immo inc industries ink institute insurance insure international investments jetzt jewelry kids
kim kitchen kiwi land law lawyer lease legal life lighting like limited limo link live living llc loan loans lol love
ltd luxury management map market marketing markets mba media meet meme memorial men menu miami moda moe mom money
mortgage motorcycles movie music network new news next ngo ninja now nyc observer off one ong online open organic page
partners parts party pay pet phd photo photography photos physio pics pictures pink pizza place play plumbing plus
poker porn press productions promo properties property pub quest racing radio read realty recipes red rehab reise ren
rent rentals repair report rest restaurant review reviews rich rip rocks rodeo room run safe sale salon save school
science search seat security select services sex sexy shoes shop shopping show singles site ski skin smart smile soccer
social software solar solutions song space sport spot store stream studio study style sucks supplies supply support
surf surgery systems talk tax taxi team tech technology tennis theater tickets tips tires today tools top tours town
toys trade trading training trust tube university vacations vegas ventures vet video villas vip vision vodka vote
voting voyage watch weather webcam website wedding wiki win wine winners work works world wow wtf xyz yoga you zero zone
amsterdam barcelona bayern berlin boston brussels capetown cologne hamburg istanbul joburg koeln london madrid melbourne
moscow nagoya nrw osaka paris quebec ruhr scot swiss sydney tirol tokyo vlaanderen wales wien yokohama zuerich
amazon apple aws bbc bmw cern google goog ibm microsoft youtube
"""
DOMAINS = tuple(sorted({*_COUNTRIES.split(), *_GENERIC.split()}))

_NOTES = (
    Signal("dclm_url_count", pl.UInt32, "Urls and addresses that were removed."),
    Signal("dclm_removed_newline_count", pl.UInt32, "LFs beyond the most allowed in a row."),
)
_COUNTS = (
    Signal(
        "dclm_word_count",
        pl.UInt32,
        "Runs between ASCII white space that start with a letter or digit.",
    ),
    Signal("dclm_stop_word_count", pl.UInt32, "Stop words, every time, in any case."),
)
_RATIOS = (
    Signal("dclm_mean_word_chars", pl.Float64, "Mean code points of words by white space."),
    Signal("dclm_symbol_word_ratio", pl.Float64, "'#', '...', '. . .' and U+2026, by words."),
    Signal("dclm_bullet_line_ratio", pl.Float64, "Lines that start with ●, •, * or -."),
    Signal("dclm_ellipsis_line_ratio", pl.Float64, "Lines that end with '...', '. . .' or U+2026."),
    Signal("dclm_no_alpha_word_ratio", pl.Float64, "Words without a letter."),
    Signal("dclm_dup_line_ratio", pl.Float64, "Lines that have a copy."),
    Signal("dclm_dup_line_char_ratio", pl.Float64, "Code points in lines that have a copy."),
    Signal("dclm_dup_paragraph_ratio", pl.Float64, "Paragraphs that have a copy."),
    Signal(
        "dclm_dup_paragraph_char_ratio", pl.Float64, "Code points in paragraphs that have a copy."
    ),
    *(
        Signal(
            f"dclm_top_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of the longest of the most frequent word {n}-grams, times its count.",
        )
        for n in range(2, 5)
    ),
    *(
        Signal(
            f"dclm_dup_{n}gram_char_ratio",
            pl.Float64,
            f"Code points of words in word {n}-grams that have a copy.",
        )
        for n in range(5, 11)
    ),
)


@functools.cache
def domains() -> NDArray[np.uint64]:
    """Return the sorted hashes of the top-level domains."""
    from curation_dagster.annotate.splitter import hashes

    return hashes(DOMAINS)


def _text(chunk: Chunk, step: DclmText) -> Edited:
    from curation_dagster.annotate import dclm_kernel  # loads numba

    out = np.empty(chunk.offsets[-1] - chunk.offsets[0], np.uint8)
    ends = np.zeros(len(chunk) + 1, np.int64)
    counts = np.zeros((len(_NOTES), len(chunk)), np.uint32)
    dclm_kernel.text(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        domains(),
        (step.urls, step.pages == "dclm", step.max_newlines),
        out,
        ends,
        counts,
    )
    return Edited(out[: ends[-1]], ends, dict(zip(TEXT.columns, counts, strict=True)))


def _measure(chunk: Chunk, judge: object) -> dict[str, NDArray[Any]]:  # noqa: ARG001 - as every family's
    from curation_dagster.annotate import dclm_kernel  # loads numba

    counts = np.empty((len(_COUNTS), len(chunk)), np.uint32)
    ratios = np.empty((len(_RATIOS), len(chunk)))
    dclm_kernel.measure(
        chunk.data,
        chunk.offsets,
        str_classes.kinds(),
        chunk.segments,
        ngrams.scratch(chunk.segments.most, chunk.most_lines),
        counts,
        ratios,
    )
    return dict(zip(FAMILY.columns, (*counts, *ratios), strict=True))


_SOURCE = "Li et al., 2024, arXiv:2406.11794; mlfoundations/dclm, dclm_baseline_refinedweb.yaml"
TEXT = Edit("DCLM urls and newlines", _SOURCE, _NOTES, _text)
FAMILY = Family("DCLM-Baseline (Gopher rules)", _SOURCE, (*_COUNTS, *_RATIOS), _measure)
