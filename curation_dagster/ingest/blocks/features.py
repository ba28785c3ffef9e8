"""The names of what is measured of a block, in the order of the model's columns.

Two sets: what the page shows (stage 1), and what stage 1 said about the blocks around (stage 2).
The values are computed in `features_kernel`.
"""

from __future__ import annotations

from typing import Final

from curation_dagster.ingest.blocks.markup import FLAGS

LEVELS: Final = 5  # effective ancestors: wrappers that add no block are one
NEIGHBOURS: Final = (-3, -2, -1, 1, 2, 3)
WINDOWS: Final = (5, 15)
_OWN: Final = (
    "log_bytes words link_word_share link_words upper_share digit_share punctuation_per_word comma_per_word stops "
    "wide_share bytes_per_word capitalised_share ends_with links breaks images inlines inputs tag depth starts_with "
    "words_per_link unspaced_share maths"
).split()
_CLASSES: Final = "class_own class_sum class_min class_max".split()
_TEXT: Final = "copies title_overlap description_overlap json_ld_overlap".split()
_PLACE: Final = (
    "position word_position blocks_since_h1 blocks_since_heading headings_before words_to_heading short_run"
).split()  # fmt: skip
_ANCESTOR: Final = (
    "word_share link_density log_blocks words_per_block punctuation siblings class_score sibling_word_share"
).split()  # fmt: skip
_PAGE: Final = (
    "log_words log_blocks link_density p_share article_share main_share articles li_share words_per_block headings "
    "punctuation most_siblings long_share article_number log_elements comment_share og_type ld_product ld_article "
    "ld_forum ld_list"
).split()
_NEIGHBOUR: Final = (
    "log_bytes link_word_share punctuation class_sum heading same_class same_parent".split()
)
_WINDOW: Final = "words link_density punctuation class_sum".split()

SIGHT: Final = (
    *_OWN,
    *(f"in_{flag}" for flag in FLAGS),
    *_CLASSES,
    *_TEXT,
    *_PLACE,
    *(f"ancestor{level}_{name}" for level in range(LEVELS) for name in _ANCESTOR),
    *(f"page_{name}" for name in _PAGE),
    *(f"at{offset:+d}_{name}" for offset in NEIGHBOURS for name in _NEIGHBOUR),
    *(f"around{width}_{name}" for width in WINDOWS for name in _WINDOW),
)
FIRST: Final = {
    "flags": SIGHT.index(f"in_{FLAGS[0]}"),
    "classes": SIGHT.index("class_own"),
    "text": SIGHT.index("copies"),
    "place": SIGHT.index("position"),
    "ancestors": SIGHT.index("ancestor0_word_share"),
    "page": SIGHT.index("page_log_words"),
    "neighbours": SIGHT.index("at-3_log_bytes"),
    "windows": SIGHT.index("around5_words"),
}
PER_ANCESTOR, PER_NEIGHBOUR, PER_WINDOW = len(_ANCESTOR), len(_NEIGHBOUR), len(_WINDOW)

HINDSIGHT: Final = (
    "p",
    *(f"p_at{offset:+d}" for offset in (-4, -3, -2, -1, 1, 2, 3, 4)),
    *(f"p_around{width}" for width in (3, 8, 20)),
    *(f"p_ancestor{level}" for level in range(LEVELS)),
    *(f"p_alike{level}" for level in range(3)),
    "p_page",
    "p_most",
    "p_log_sum",
    "p_most_before",
    "p_most_behind",
    "p_most_ancestor",
    "expected_before",
    "expected_behind",
    "words_since_likely",
    "words_to_likely",
    "p_section",
    "p_heading",
    "p_twins",
    "expected_words",
)
