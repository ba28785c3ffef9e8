"""The compiled loop of `fineweb`: lines, their ends, their lengths and their copies.

Import this module inside the function that needs it: it loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from curation_dagster.annotate.gopher_kernel import mask_for, ratio
from curation_dagster.annotate.lines import ENDS_SENTENCE, IS_BLANK
from curation_dagster.compiled import njit
from curation_dagster.words_kernel import put


@njit(nogil=True, cache=True)
def measure(lines, first_word, short_line_chars, keys, stamps, ratios):
    """Fill ratios[4, docs] in the order of `fineweb.FAMILY`; the set holds twice the lines of any text."""
    first, _, _, hashes, chars, flags = lines
    for d in range(len(first) - 1):
        mask = mask_for(first[d + 1] - first[d])
        written = ended = short = copied = points = 0
        for k in range(first[d], first[d + 1]):
            points += chars[k]
            if not flags[k] & IS_BLANK:
                written += 1
                ended += flags[k] & ENDS_SENTENCE > 0
                short += chars[k] <= short_line_chars
                _, seen = put(keys, stamps, d + 1, mask, hashes[k])
                copied += chars[k] * seen
        ratios[0, d] = ratio(ended, written)
        ratios[1, d] = ratio(short, written)
        ratios[2, d] = ratio(copied, points)
        ratios[3, d] = ratio(first[d + 1] - first[d] - 1, first_word[d + 1] - first_word[d])
