"""What belongs to kept text whatever the forests say: the title that opens it, the terms of its definitions.

Gold texts often leave titles out, and hold few definition lists, so both are judged worse than the text they
name. On the pages with gold this changes next to nothing; pages of reference documentation keep their
titles and signatures. Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.markup import TAG
from curation_dagster.ingest.blocks.scan_kernel import ELEMENT, WORDS

H1, DT, DD = (TAG[name] for name in ("h1", "dt", "dd"))
OPENED_SHARE = 0.9  # of the kept words that lie in the element around a title, for it to open them
NONE = -1


@njit(cache=True, nogil=True)
def complete(blocks, tags, parents, p, keep):
    """Keep the title and the terms of what is kept; blocks with p = 0 (twins, out of sight) stay out."""
    _keep_title(blocks, tags, parents, p, keep)
    for tag in tags:
        if tag == DT:
            _keep_terms(blocks, tags, parents, p, keep)
            return


@njit
def _keep_title(blocks, tags, parents, p, keep):
    """Keep an `h1` directly before the first kept block, if that is its sibling and their parent holds nearly all.

    Where a container lies between them, a news article's say, gold texts leave the title out as often as not.
    """
    first = 0
    while first < len(keep) and not keep[first]:
        first += 1
    if first == 0 or first == len(keep) or p[first - 1] <= 0:
        return
    title = blocks[first - 1, ELEMENT]
    while title > 0 and tags[title] != H1:
        title = parents[title]
    around = parents[title] if title > 0 else 0
    opened = blocks[first, ELEMENT]
    if around <= 0 or (opened != around and parents[opened] != around):
        return
    inside = total = 0
    for k in range(first, len(keep)):
        if keep[k]:
            e = blocks[k, ELEMENT]
            while e > around:  # a parent's number is below its child's
                e = parents[e]
            total += blocks[k, WORDS]
            inside += blocks[k, WORDS] if e == around else 0
    if inside >= OPENED_SHARE * total:
        keep[first - 1] = True


@njit
def _keep_terms(blocks, tags, parents, p, keep):
    """Keep the terms (`dt`) of every definition (`dd`) of which something is kept; together they are a group."""
    n = len(tags)
    has_kept = np.zeros(n, np.bool_)
    for k in range(len(keep)):
        if keep[k]:
            has_kept[blocks[k, ELEMENT]] = True
    for e in range(n - 1, 0, -1):
        if has_kept[e]:
            has_kept[parents[e]] = True
    group = np.full(n, NONE, np.int32)  # the first term of a group
    latest = np.full(n, NONE, np.int32)  # by parent: its latest term or definition
    is_kept = np.zeros(n, np.bool_)  # of groups
    own = np.zeros(n, np.int32)  # the innermost term around an element
    for e in range(1, n):
        own[e] = e if tags[e] == DT else 0 if tags[e] == DD else own[parents[e]]
        if tags[e] != DT and tags[e] != DD:
            continue
        before = latest[parents[e]]
        begins = tags[e] == DT and (before == NONE or tags[before] == DD)
        group[e] = e if begins else NONE if before == NONE else group[before]
        latest[parents[e]] = e
        if tags[e] == DD and group[e] != NONE and has_kept[e]:
            is_kept[group[e]] = True
    for k in range(len(keep)):
        term = own[blocks[k, ELEMENT]]
        if term > 0 and is_kept[group[term]] and p[k] > 0:
            keep[k] = True
