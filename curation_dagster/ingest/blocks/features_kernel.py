"""Measure the blocks of a scanned page: `features.SIGHT`.

Sums over subtrees need one loop backwards, because a child's number is above its parent's. Import
inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,assignment"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks.bytes_kernel import char_at, find, lower, starts
from curation_dagster.ingest.blocks.features import (
    FIRST,
    LEVELS,
    PER_ANCESTOR,
    PER_NEIGHBOUR,
    PER_WINDOW,
)
from curation_dagster.ingest.blocks.markup import (
    CHARS,
    DIGIT,
    FLAG,
    FLAGS,
    INLINE,
    JSON_LD,
    KINDS,
    LETTER,
    META,
    SPACE,
    TAG,
    TITLE,
    UNSPACED,
    fnv,
)
from curation_dagster.ingest.blocks.scan_kernel import (
    BREAKS,
    BYTES,
    CAPITALISED,
    COMMAS,
    DIGEST,
    DIGITS,
    ELEMENT,
    END,
    FIRST_HASH,
    IMAGES,
    INLINES,
    INPUTS,
    LAST_HASH,
    LINK_BYTES,
    LINK_WORDS,
    LINKS,
    MATHS,
    PUNCTUATIONS,
    START,
    STOPS,
    UNSPACEDS,
    UPPERS,
    WIDE,
    WORDS,
)
from curation_dagster.ingest.blocks.tag_kernel import OFFSET, PRIME, WORD_BITS, WORD_SHIFT

U = np.uint64
GOLDEN, STIR = U(0x9E3779B97F4A7C15), U(0xBF58476D1CE4E5B9)
SLOT_SHIFT = U(30)
H1, ARTICLE = TAG["h1"], TAG["article"]
IN_ARTICLE, IN_MAIN, IN_LI, IN_HEADING, IN_P, IN_COMMENT = (
    np.uint32(FLAG[n]) for n in "article main li heading p comment".split()
)
N_FLAGS = len(FLAGS)
AT_FLAGS, AT_CLASSES, AT_TEXT, AT_PLACE = (FIRST[n] for n in ("flags", "classes", "text", "place"))
AT_ANCESTORS, AT_PAGE, AT_NEIGHBOURS, AT_WINDOWS = (
    FIRST[n] for n in ("ancestors", "page", "neighbours", "windows")
)
LONG_WORDS, SHORT_WORDS = 20, 5
IN_TITLE, IN_DESCRIPTION, IN_JSON_LD = np.uint8(1), np.uint8(2), np.uint8(4)
_BORDERS = (
    "p li div td h1 h2 h3 h4 h5 h6 span a pre blockquote dd dt section article button option label figcaption th "
    "footer nav header aside main form summary details noscript body center ?- address legend caption ul ol"
).split()
BORDERS = np.zeros(len(KINDS), np.int32)  # the tag a block lies in, as a small number
for _number, _name in enumerate(_BORDERS):
    BORDERS[TAG.get(_name, 0)] = _number + 1
BORDERS[1] = _BORDERS.index("?-") + 1
BORDERS[0] = 0
DESCRIPTION = np.frombuffer(b"description", np.uint8)
OG_DESCRIPTION = np.frombuffer(b"og:description", np.uint8)
OG_TYPE = np.frombuffer(b"og:type", np.uint8)
AT_TYPE = np.frombuffer(b'"@type"', np.uint8)
ARTICLE_WORD, PRODUCT_WORD, WEBSITE_WORD = (
    np.frombuffer(w, np.uint8) for w in (b"article", b"product", b"website")
)
_SCHEMAS = {
    0: "product productgroup individualproduct offer aggregateoffer",
    1: "article newsarticle blogposting techarticle scholarlyarticle reportagenewsarticle recipe report howto",
    2: "discussionforumposting qapage question socialmediaposting faqpage",
    3: "itemlist collectionpage searchresultspage offercatalog imagegallery",
}
SCHEMA_KEYS = np.array([fnv(w) for names in _SCHEMAS.values() for w in names.split()], np.uint64)
SCHEMA_KINDS = np.array([k for k, names in _SCHEMAS.items() for _ in names.split()], np.int64)


@njit
def mark_words(html, start, end, marks, bit):
    """Set `bit` for every word of html[start:end], as the scanner hashes words."""
    i = start
    while i < end:
        kind, size = char_at(html, i)
        if not kind & (LETTER | DIGIT):
            i += size
            continue
        key = OFFSET
        alone = kind & UNSPACED  # such a character is a word
        while True:
            for k in range(size):
                key = (key ^ U(lower(html[i + k]))) * PRIME
            i += size
            if alone or i >= end:
                break
            kind, size = char_at(html, i)
            if not kind & (LETTER | DIGIT) or kind & UNSPACED:
                break
        marks[(key >> WORD_SHIFT) & WORD_BITS] |= bit


@njit
def schema_kinds(html, start, end, kinds):
    """Set which kinds of thing a JSON-LD script describes by its `@type`."""
    i = find(html, start, end, AT_TYPE)
    while i >= 0:
        i += len(AT_TYPE)
        while i < end and not CHARS[html[i]] & LETTER:
            i += 1
        key = OFFSET
        while i < end and CHARS[html[i]] & LETTER:
            key = (key ^ U(lower(html[i]))) * PRIME
            i += 1
        for k in range(len(SCHEMA_KEYS)):
            if SCHEMA_KEYS[k] == key:
                kinds[SCHEMA_KINDS[k]] = 1.0
        i = find(html, i, end, AT_TYPE)


@njit
def page_facts(html, facts, n_facts, marks, kinds):
    """Mark the words of title, descriptions and JSON-LD; return what og:type says (0 none .. 4 other)."""
    og_type = 0.0
    for f in range(n_facts):
        kind, k0, k1, v0, v1 = facts[f]
        if kind == TITLE:
            mark_words(html, v0, min(v1, v0 + 500), marks, IN_TITLE)
        elif kind == JSON_LD:
            mark_words(html, v0, min(v1, v0 + 200_000), marks, IN_JSON_LD)
            schema_kinds(html, v0, v1, kinds)
        elif kind == META:
            if (k1 - k0 == 11 and starts(html, k0, k1, DESCRIPTION)) or (
                k1 - k0 == 14 and starts(html, k0, k1, OG_DESCRIPTION)
            ):
                mark_words(html, v0, min(v1, v0 + 2000), marks, IN_DESCRIPTION)
            elif k1 - k0 == 7 and starts(html, k0, k1, OG_TYPE):
                og_type = 4.0
                if starts(html, v0, v1, ARTICLE_WORD):
                    og_type = 1.0
                elif find(html, v0, min(v1, v0 + 40), PRODUCT_WORD) >= 0:
                    og_type = 2.0
                elif starts(html, v0, v1, WEBSITE_WORD):
                    og_type = 3.0
    return og_type


@njit(inline="always")
def border_of(tags, parents, e):
    """Return the innermost element that is no inline element."""
    while e > 0 and KINDS[tags[e]] == INLINE:
        e = parents[e]
    return e


@njit(inline="always")
def slot_of(keys, mask, key):
    slot = np.int64(key >> SLOT_SHIFT) & mask
    while keys[slot] != U(0) and keys[slot] != key:
        slot = (slot + 1) & mask
    keys[slot] = key
    return slot


@njit
def subtree_sums(values, parents):
    for e in range(len(parents) - 1, 0, -1):
        values[parents[e]] += values[e]


@njit
def power_above(n):
    size = 64
    while size < 2 * n:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def see(
    html, text, blocks, tags, parents, flags, signatures, class_from, class_to, classes, hashes,
    facts, n_facts, class_weights, out,
):  # fmt: skip
    """Fill `out`, float32 (blocks, len(SIGHT))."""
    n, n_elements = len(blocks), len(tags)
    marks = np.zeros(1 << 16, np.uint8)
    kinds = np.zeros(4, np.float32)
    og_type = page_facts(html, facts, n_facts, marks, kinds)

    sums = np.zeros((n_elements, 4), np.float32)  # words, link words, blocks, punctuation
    total = link_total = punctuation_total = 0.0
    p_words = article_words = main_words = li_words = comment_words = headings = long_words = 0.0
    for k in range(n):
        b = blocks[k]
        e, w = b[ELEMENT], b[WORDS]
        sums[e, 0] += w
        sums[e, 1] += b[LINK_WORDS]
        sums[e, 2] += 1
        sums[e, 3] += b[PUNCTUATIONS]
        total += w
        link_total += b[LINK_WORDS]
        punctuation_total += b[PUNCTUATIONS]
        f = flags[e]
        p_words += w if f & IN_P else 0
        article_words += w if f & IN_ARTICLE else 0
        main_words += w if f & IN_MAIN else 0
        li_words += w if f & IN_LI else 0
        comment_words += w if f & IN_COMMENT else 0
        headings += 1 if f & IN_HEADING else 0
        long_words += w if w >= LONG_WORDS else 0
    for e in range(n_elements - 1, 0, -1):
        p = parents[e]
        for q in range(4):
            sums[p, q] += sums[e, q]
    class_scores = np.zeros(n_elements, np.float32)
    for e in range(n_elements):
        if sums[e, 2] > 0:
            for q in range(class_from[e], class_to[e]):
                class_scores[e] += class_weights[classes[q]]

    mask = power_above(n_elements) - 1
    keys = np.zeros(mask + 1, np.uint64)
    sibling_counts = np.zeros(mask + 1, np.float32)
    sibling_words = np.zeros(mask + 1, np.float32)
    slots = np.zeros(n_elements, np.int64)
    article_numbers = np.zeros(n_elements, np.float32)
    articles = most_siblings = 0.0
    for e in range(1, n_elements):
        article_numbers[e] = article_numbers[parents[e]]
        if sums[e, 2] == 0:
            continue
        if tags[e] == ARTICLE:
            articles += 1
            article_numbers[e] = articles
        key = (signatures[e] ^ (U(parents[e]) * GOLDEN)) | U(1)
        slot = slot_of(keys, mask, (key * STIR) | U(1))
        sibling_counts[slot] += 1
        sibling_words[slot] += sums[e, 0]
        slots[e] = slot
        most_siblings = max(most_siblings, sibling_counts[slot])

    copy_mask = power_above(n) - 1
    copy_keys = np.zeros(copy_mask + 1, np.uint64)
    copies = np.zeros(copy_mask + 1, np.float32)
    copy_slots = np.zeros(n, np.int64)
    for k in range(n):
        slot = slot_of(copy_keys, copy_mask, (U(blocks[k, DIGEST]) * STIR) | U(1))
        copies[slot] += 1
        copy_slots[k] = slot
    h1 = -1
    for k in range(n):
        e = blocks[k, ELEMENT]
        while e > 0 and tags[e] != H1:
            e = parents[e]
        if e > 0:
            h1 = k
            break

    words_so_far = headings_before = short_run = 0.0
    last_heading = -1
    total1 = max(total, 1.0)
    for k in range(n):
        b = blocks[k]
        x = out[k]
        e = b[ELEMENT]
        f = flags[e]
        w = np.float32(b[WORDS])
        w1 = max(w, np.float32(1.0))
        size = np.float32(max(b[BYTES], 1))
        x[0] = np.log2(np.float64(1 + size))
        x[1] = w
        x[2] = b[LINK_WORDS] / w1 if w > 0 else b[LINK_BYTES] / size
        x[3] = b[LINK_WORDS]
        x[4] = b[UPPERS] / size
        x[5] = b[DIGITS] / size
        x[6] = b[PUNCTUATIONS] / w1
        x[7] = b[COMMAS] / w1
        x[8] = b[STOPS]
        x[9] = b[WIDE] / size
        x[10] = size / w1
        x[11] = b[CAPITALISED] / w1
        z = b[END] - 1
        while z > b[START] and CHARS[text[z]] & SPACE:
            z -= 1
        c = text[z]
        x[12] = (
            1.0
            if c == 46 or c == 33 or c == 63 or (c == 130 and z > 1 and text[z - 1] == 128)
            else 0.0
        )
        if c == 58:
            x[12] = 0.5
        elif c == 62 or c == 124:
            x[12] = -1.0
        x[13] = b[LINKS]
        x[14] = b[BREAKS]
        x[15] = b[IMAGES]
        x[16] = b[INLINES]
        x[17] = b[INPUTS]
        border = border_of(tags, parents, e)
        x[18] = BORDERS[tags[border]]
        deep = 0
        z = e
        low = high = chain = np.float32(0.0)
        while z > 0:
            deep += 1
            score = class_scores[z]
            chain += score
            low = min(low, score)
            high = max(high, score)
            z = parents[z]
        x[19] = deep
        c = text[b[START]]
        x[20] = 1.0 if 97 <= c <= 122 else (2.0 if c >= 128 else (3.0 if 48 <= c <= 57 else 0.0))
        x[21] = w / (1.0 + b[LINKS])
        x[22] = 3.0 * b[UNSPACEDS] / size
        x[23] = b[MATHS]
        for bit in range(N_FLAGS):
            x[AT_FLAGS + bit] = 1.0 if (f >> np.uint32(bit)) & np.uint32(1) else 0.0
        x[AT_CLASSES] = class_scores[border]
        x[AT_CLASSES + 1] = chain
        x[AT_CLASSES + 2] = low
        x[AT_CLASSES + 3] = high
        title = described = listed = 0.0
        for q in range(b[FIRST_HASH], b[LAST_HASH]):
            m = marks[hashes[q]]
            title += m & IN_TITLE
            described += (m & IN_DESCRIPTION) >> 1
            listed += (m & IN_JSON_LD) >> 2
        n_hashes = max(b[LAST_HASH] - b[FIRST_HASH], 1)
        x[AT_TEXT] = copies[copy_slots[k]]
        x[AT_TEXT + 1] = title / n_hashes
        x[AT_TEXT + 2] = described / n_hashes
        x[AT_TEXT + 3] = listed / n_hashes
        words_so_far += w
        x[AT_PLACE] = k / n
        x[AT_PLACE + 1] = words_so_far / total1
        x[AT_PLACE + 2] = k - h1 if h1 >= 0 else -999
        if f & IN_HEADING:
            last_heading = k
            headings_before += 1
        x[AT_PLACE + 3] = k - last_heading if last_heading >= 0 else 999
        x[AT_PLACE + 4] = headings_before
        short_run = short_run + 1 if w < SHORT_WORDS else 0.0
        x[AT_PLACE + 6] = short_run
        z = border
        level = 0
        score = np.float32(0.0)
        while level < LEVELS:
            score += class_scores[z]
            up = parents[z]
            if z == 0 or sums[up, 2] > sums[z, 2]:
                a = AT_ANCESTORS + level * PER_ANCESTOR
                words1 = max(sums[z, 0], np.float32(1.0))
                x[a] = sums[z, 0] / total1
                x[a + 1] = sums[z, 1] / words1
                x[a + 2] = np.log2(np.float64(sums[z, 2] + 1))
                x[a + 3] = sums[z, 0] / max(sums[z, 2], np.float32(1.0))
                x[a + 4] = sums[z, 3] / words1
                x[a + 5] = sibling_counts[slots[z]] if z > 0 else 0.0
                x[a + 6] = score
                x[a + 7] = sibling_words[slots[z]] / total1 if z > 0 else 0.0
                level += 1
                score = np.float32(0.0)
            if z == 0:
                x[AT_ANCESTORS + level * PER_ANCESTOR : AT_ANCESTORS + LEVELS * PER_ANCESTOR] = -1.0
                break
            z = up
        g = AT_PAGE
        x[g] = np.log2(np.float64(1 + total))
        x[g + 1] = np.log2(np.float64(1 + n))
        x[g + 2] = link_total / total1
        x[g + 3] = p_words / total1
        x[g + 4] = article_words / total1
        x[g + 5] = main_words / total1
        x[g + 6] = articles
        x[g + 7] = li_words / total1
        x[g + 8] = total / n
        x[g + 9] = headings / n
        x[g + 10] = punctuation_total / total1
        x[g + 11] = most_siblings
        x[g + 12] = long_words / total1
        x[g + 13] = article_numbers[e]
        x[g + 14] = np.log2(np.float64(n_elements))
        x[g + 15] = comment_words / total1
        x[g + 16] = og_type
        for q in range(4):
            x[g + 17 + q] = kinds[q]
    ahead = np.float32(0.0)
    for k in range(n - 1, -1, -1):
        out[k, AT_PLACE + 5] = ahead
        ahead = np.float32(0.0) if flags[blocks[k, ELEMENT]] & IN_HEADING else ahead + out[k, 1]
    for k in range(n):
        x = out[k]
        e = blocks[k, ELEMENT]
        for place in range(6):
            j = k + (place - 3 if place < 3 else place - 2)
            a = AT_NEIGHBOURS + place * PER_NEIGHBOUR
            if j < 0 or j >= n:
                x[a : a + PER_NEIGHBOUR] = -1.0
                continue
            y = out[j]
            near = blocks[j, ELEMENT]
            x[a] = y[0]
            x[a + 1] = y[2]
            x[a + 2] = y[6]
            x[a + 3] = y[AT_CLASSES + 1]
            x[a + 4] = 1.0 if flags[near] & IN_HEADING else 0.0
            x[a + 5] = 1.0 if signatures[near] == signatures[e] else 0.0
            x[a + 6] = 1.0 if parents[near] == parents[e] else 0.0
    prefix = np.zeros((n + 1, 4), np.float64)
    for k in range(n):
        prefix[k + 1, 0] = prefix[k, 0] + blocks[k, WORDS]
        prefix[k + 1, 1] = prefix[k, 1] + blocks[k, LINK_WORDS]
        prefix[k + 1, 2] = prefix[k, 2] + blocks[k, PUNCTUATIONS]
        prefix[k + 1, 3] = prefix[k, 3] + out[k, AT_CLASSES + 1]
    for k in range(n):
        for place in range(2):
            width = 5 if place == 0 else 15
            lo, hi = max(0, k - width), min(n, k + width + 1)
            a = AT_WINDOWS + place * PER_WINDOW
            words1 = max(prefix[hi, 0] - prefix[lo, 0], 1.0)
            out[k, a] = (prefix[hi, 0] - prefix[lo, 0]) / (hi - lo)
            out[k, a + 1] = (prefix[hi, 1] - prefix[lo, 1]) / words1
            out[k, a + 2] = (prefix[hi, 2] - prefix[lo, 2]) / words1
            out[k, a + 3] = (prefix[hi, 3] - prefix[lo, 3]) / (hi - lo)
