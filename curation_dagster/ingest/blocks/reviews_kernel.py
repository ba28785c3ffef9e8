"""Customers' reviews of what a page sells: comments below the text, not the text.

A section of them is an outermost element named as reviews that is not around the page's h1, with many elements
in it that are named so. A page that is a review, or about reviews, has its h1 inside, or few of them. Import
inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.markup import FLAG, TAG, fnv
from curation_dagster.ingest.blocks.scan_kernel import ELEMENT
from curation_dagster.ingest.blocks.tag_kernel import WORD_BITS, WORD_SHIFT

REVIEW = np.uint32(FLAG["review"])
H1 = TAG["h1"]
ONE, SOME = (
    np.int32((fnv(word) >> int(WORD_SHIFT)) & int(WORD_BITS)) for word in ("review", "reviews")
)
MANY = 10  # elements named as reviews, about three a review: what an article or a listing has stays below


@njit(cache=True, nogil=True)
def reviews(blocks, tags, parents, flags, class_from, class_to, classes):
    """Mark the blocks that lie in a section of customers' reviews."""
    n = len(tags)
    section = np.zeros(n, np.int32)  # the outermost element named as reviews, or as testimonials
    named = np.zeros(n, np.int32)  # elements named as reviews, by section
    for e in range(1, n):
        if not flags[e] & REVIEW:
            continue
        section[e] = section[parents[e]] if section[parents[e]] > 0 else e
        for q in range(class_from[e], class_to[e]):
            if classes[q] == ONE or classes[q] == SOME:
                named[section[e]] += 1
                break
    for e in range(1, n):
        if tags[e] == H1:
            named[section[e]] = 0
    found = np.zeros(len(blocks), np.bool_)
    for k in range(len(blocks)):
        found[k] = named[section[blocks[k, ELEMENT]]] >= MANY
    return found
