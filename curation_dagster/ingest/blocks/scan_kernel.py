"""One pass over a page's bytes: its text with white space collapsed, its elements, its blocks of text.

A *block* is the text between two borders: a tag of a block element, `hr`, two `br` in a row. Elements
are in document order, so a child's number is above its parent's. Entities stay as they are, but
no-break spaces count as white space. Every loop is linear in the page: what has no end is searched
for once. Import inside the function that needs it: this loads numba.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.compiled import njit
from curation_dagster.ingest.blocks import markup
from curation_dagster.ingest.blocks.bytes_kernel import (
    AMP,
    BANG,
    CR,
    DASH,
    GT,
    LF,
    LT,
    QUESTION,
    SLASH,
    behind,
    entity,
    is_sign,
    lower,
    starts,
    wide,
)
from curation_dagster.ingest.blocks.markup import (
    BLOCK,
    CHARS,
    COMMA,
    DIGIT,
    FLAG,
    INLINE,
    JSON_LD,
    KINDS,
    LETTER,
    OWN_FLAGS,
    PUNCTUATION,
    RAW,
    SPACE,
    STOP,
    TAG,
    TAG_KEYS,
    TAG_NUMBERS,
    TITLE,
    UNSPACED,
    UPPER,
    VOID,
)
from curation_dagster.ingest.blocks.tag_kernel import (
    ALTTEXT,
    ARIA_HIDDEN,
    CLASS,
    HIDDEN,
    ID,
    ITEMPROP,
    N_ATTRIBUTES,
    OFFSET,
    PRIME,
    ROLE,
    SHIFT,
    STYLE_ATTR,
    TYPE,
    WORD_BITS,
    WORD_SHIFT,
    add_fact,
    attributes,
    class_words,
    copy_math,
    end_of_comment,
    end_of_raw,
    is_out_of_sight,
    state_fact,
    tex_of,
)

U = np.uint64
TAG_SLOTS = U(markup.TAG_SLOTS)

# columns of `blocks`
(
    START, END, ELEMENT, WORDS, LINK_WORDS, LINK_BYTES, BYTES, UPPERS, DIGITS, PUNCTUATIONS, COMMAS, STOPS,
    WIDE, LINKS, BREAKS, IMAGES, INLINES, INPUTS, FIRST_HASH, LAST_HASH, DIGEST, CAPITALISED, UNSPACEDS, MATHS,
    SIGN_START, SIGN_END,  # text of the last link that is a permalink's sign, for rendering
) = range(26)  # fmt: skip
N_COLUMNS = 26

MAX_DEPTH = 400
MAX_HASHES = 40  # words of a block that are compared with the title and the like
MAX_FACTS = 1024
OK, TOO_MANY_ELEMENTS, TOO_MANY_BLOCKS = 0, 1, 2

A, BR, CODE_PRE, DD, DL, DT, HR, HTML, BODY, IMG, INPUT, LI, MATH, OL, OPTION, P, SCRIPT, STYLE, TABLE = (
    TAG[n] for n in
    "a br pre dd dl dt hr html body img input li math ol option p script style table".split()
)  # fmt: skip
TD, TH, TITLE_TAG, TR, UL, LINK_TAG, META_TAG, MENU = (
    TAG[n] for n in "td th title tr ul link meta menu".split()
)
HIDDEN_FLAG, ARIA_FLAG = np.uint32(FLAG["hidden"]), np.uint32(FLAG["aria_hidden"])
LD_JSON = np.frombuffer(b"application/ld+json", np.uint8)
MATH_TEX = np.frombuffer(b"math/tex", np.uint8)
KATEX_HTML = np.frombuffer(b"katex-html", np.uint8)
MATHJAX = np.frombuffer(b"MathJax", np.uint8)
MATHJAX_TAG = np.frombuffer(b"mjx-", np.uint8)


@njit(inline="always")
def add_hash(hashes, n_hashes, first, key):
    """Keep the hash of a word of the block whose hashes begin at `first`; return how many there are."""
    if n_hashes - first < MAX_HASHES and n_hashes < len(hashes):
        hashes[n_hashes] = np.int32((key >> WORD_SHIFT) & WORD_BITS)
        return n_hashes + 1
    return n_hashes


@njit(inline="always")
def implied_end(tag, innermost, depth):
    """Return how deep the stack stays when this tag opens, ending a sibling it cannot be inside of."""
    if tag == LI:
        z = innermost[LI]
        stop = max(innermost[UL], innermost[OL], innermost[MENU])
    elif tag == DT or tag == DD:
        z = max(innermost[DT], innermost[DD])
        stop = innermost[DL]
    elif tag == TR:
        z = innermost[TR]
        stop = innermost[TABLE]
    elif tag == TD or tag == TH:
        z = max(innermost[TD], innermost[TH])
        stop = max(innermost[TR], innermost[TABLE])
    elif tag == OPTION:
        z = innermost[OPTION]
        stop = depth - 2
    else:
        return depth
    return z if z > stop and z >= 0 else depth


@njit(inline="always")
def closing_depth(tag, kind, innermost, block):
    """Return the place on the stack that an end tag closes; -1 if it closes nothing."""
    z = innermost[tag]
    if kind == INLINE and tag != A and block > z:
        return -1  # an inline end tag closes no block
    if tag != TABLE and tag != TR and tag != TD and max(innermost[TD], innermost[TABLE]) > z:
        return -1  # a stray end tag stays in its cell
    return z


@njit(inline="always")
def close_block(blocks, n_blocks, current, element, end, n_hashes, digest, stopped):
    """Write the block that ends at byte `end` of the text; return how many there are."""
    if stopped:
        current[STOPS] += 1
    current[END] = end
    current[ELEMENT] = element
    current[LAST_HASH] = n_hashes
    current[DIGEST] = np.int64(digest >> U(33))
    for k in range(N_COLUMNS):
        blocks[n_blocks, k] = current[k]
    return n_blocks + 1


@njit(cache=True, nogil=True)
def scan(
    html,
    text,
    blocks,
    element_tags,
    parents,
    flags,
    signatures,
    class_from,
    class_to,
    classes,
    hashes,
    facts,
):
    """Fill the tables of a page; return (blocks, elements, facts, class words, bytes of text, deeper, status).

    `html` is valid UTF-8. Scratch: text len(html) + 64; elements and classes len(html) // 3 + 16,
    hashes len(html) // 2 + 16; `blocks` and the elements may be shorter, which the status says. Elements
    below MAX_DEPTH are left out and counted: `deeper`.
    """
    n = len(html)
    i = o = n_blocks = n_classes = n_hashes = n_facts = deeper = 0
    n_elements = 1
    depth = links = pre = breaks = 0
    link = 0  # where the text of the innermost link begins
    muted = -1  # the depth from which text is another rendering of a formula
    formula = False  # ... whose source is inside (MathJax 3) and not beside it (KaTeX, MathJax 2)
    stack = np.zeros(MAX_DEPTH, np.int32)
    innermost = np.full(len(KINDS), -1, np.int32)  # place on the stack, by tag; what it was is in
    outer = np.full(MAX_DEPTH, -1, np.int32)
    block = -1  # innermost block, likewise
    outer_block = np.full(MAX_DEPTH, -1, np.int32)
    spans = np.full((N_ATTRIBUTES, 2), -1, np.int64)
    endless = np.zeros(len(KINDS), np.bool_)  # raw elements whose end was searched for in vain
    comment_ends = True
    has_title = False
    element_tags[0], parents[0], flags[0], signatures[0] = 0, -1, 0, U(0)
    class_from[0] = class_to[0] = 0
    current = np.zeros(N_COLUMNS, np.int64)
    digest = word = OFFSET
    in_word, spaced, stopped = False, True, False
    while i < n:
        c = html[i]
        if c != LT:
            size = 1
            if c < 128:
                kind = CHARS[c]
                if kind & (LETTER | DIGIT) and muted < 0:
                    if not in_word:
                        in_word = True
                        word = OFFSET
                        current[WORDS] += 1
                        if links > 0:
                            current[LINK_WORDS] += 1
                        if kind & UPPER:
                            current[CAPITALISED] += 1
                    first = i
                    uppers = digits = 0
                    while True:
                        if kind & UPPER:
                            uppers += 1
                        elif kind & DIGIT:
                            digits += 1
                        text[o] = c
                        o += 1
                        digest = (digest ^ U(c)) * PRIME
                        word = (word ^ U(c | 32)) * PRIME
                        i += 1
                        if i >= n:
                            break
                        c = html[i]
                        kind = CHARS[c]
                        if not kind & (LETTER | DIGIT):
                            break
                    current[UPPERS] += uppers
                    current[DIGITS] += digits
                    current[BYTES] += i - first
                    if links > 0:
                        current[LINK_BYTES] += i - first
                    breaks = 0
                    spaced = stopped = False
                    continue
                if c == AMP:
                    size, is_space = entity(html, i, n)
                    if is_space:
                        kind = SPACE
                        c = 32
                    elif size > 1:  # a letter inside a word, a sign elsewhere
                        kind = LETTER if in_word else PUNCTUATION
            else:
                kind, size = wide(html, i)
                if kind == SPACE:
                    c = 32
            if muted >= 0 or c == 0:  # HTML drops NUL
                i += size
                continue
            if in_word and (kind & UNSPACED or not kind & (LETTER | DIGIT)):
                n_hashes = add_hash(hashes, n_hashes, current[FIRST_HASH], word)
                in_word = False
            if kind & SPACE:
                if stopped:
                    current[STOPS] += 1
                    stopped = False
                if pre > 0:
                    if c == CR and not (i + 1 < n and html[i + 1] == LF):
                        c = LF
                    if c == LF and current[BYTES] == 0:
                        o = current[START]  # code begins at its first line that is not blank
                    elif c != CR:
                        text[o] = c
                        o += 1
                    spaced = True
                elif not spaced:
                    text[o] = 32
                    o += 1
                    spaced = True
                i += size
                continue
            breaks = 0
            spaced = stopped = False
            current[BYTES] += size
            if links > 0:
                current[LINK_BYTES] += size
            if kind & UNSPACED:  # two code points count as a word
                current[UNSPACEDS] += 1
                word = OFFSET
                if current[UNSPACEDS] & 1:
                    current[WORDS] += 1
                    if links > 0:
                        current[LINK_WORDS] += 1
            elif kind & (LETTER | DIGIT):
                if not in_word:
                    in_word = True
                    word = OFFSET
                    current[WORDS] += 1
                    if links > 0:
                        current[LINK_WORDS] += 1
                    if kind & UPPER:
                        current[CAPITALISED] += 1
                if kind & UPPER:
                    current[UPPERS] += 1
                elif kind & DIGIT:
                    current[DIGITS] += 1
            else:
                current[PUNCTUATIONS] += 1
                if kind & COMMA:
                    current[COMMAS] += 1
                elif kind & STOP:
                    stopped = True
                    if c >= 128:  # no space follows
                        current[STOPS] += 1
                        stopped = False
            if c >= 128:
                current[WIDE] += size
            for k in range(size):
                b = html[i + k]
                text[o] = b
                o += 1
                digest = (digest ^ U(b)) * PRIME
                word = (word ^ U(lower(b))) * PRIME
            i += size
            if kind & UNSPACED:
                n_hashes = add_hash(hashes, n_hashes, current[FIRST_HASH], word)
            continue

        if in_word:
            n_hashes = add_hash(hashes, n_hashes, current[FIRST_HASH], word)
            in_word = False
        if i + 1 >= n:
            break
        c = html[i + 1]
        if c == BANG:
            if i + 3 < n and html[i + 2] == DASH and html[i + 3] == DASH and comment_ends:
                j = end_of_comment(html, i + 2, n)
                if j >= 0:
                    i = j
                    continue
                comment_ends = False
            i = behind(html, i + 2, n)
            continue
        if c == QUESTION:
            i = behind(html, i + 2, n)
            continue
        is_end = c == SLASH
        j = i + 2 if is_end else i + 1
        c = lower(html[j]) if j < n else 0
        if not 97 <= c <= 122:
            if is_end:
                i = behind(html, j, n)
            else:  # a lone "<" is text
                if muted < 0:
                    text[o] = LT
                    o += 1
                    current[BYTES] += 1
                    spaced = False
                i += 1
            continue
        key = OFFSET
        name = j
        custom = False
        while j < n:
            c = html[j]
            if c == GT or c == SLASH or CHARS[c] & SPACE:
                break
            custom = custom or c == DASH
            key = (key ^ U(lower(c))) * PRIME
            j += 1
        name_size = j - name
        tag = 1 if custom and not starts(html, name, j, MATHJAX_TAG) else 0
        slot = (key >> SHIFT) % TAG_SLOTS
        while TAG_KEYS[slot] != U(0):
            if TAG_KEYS[slot] == key:
                tag = TAG_NUMBERS[slot]
                break
            slot = (slot + U(1)) % TAG_SLOTS
        kind = KINDS[tag]
        self_closing = False
        if is_end:
            j = behind(html, j, n)
        else:
            j, self_closing = attributes(html, j, n, spans)
            if tag == META_TAG or tag == LINK_TAG or tag == A or tag == HTML:
                n_facts = state_fact(html, tag, spans, facts, n_facts)

        if kind == RAW:
            i = j
            if is_end or (self_closing and tag != SCRIPT):
                continue
            stop = -1 if endless[tag] else end_of_raw(html, j, n, name, name_size)
            if stop < 0:
                endless[tag] = True
                if tag == SCRIPT or tag == STYLE:
                    break
                continue  # without an end it hides nothing
            if tag == TITLE_TAG and not has_title:
                has_title = True
                n_facts = add_fact(facts, n_facts, TITLE, 0, 0, j, stop)
            t0, t1 = spans[TYPE, 0], spans[TYPE, 1]
            first = last = -1
            is_tex = False
            if tag == SCRIPT and t0 >= 0:
                if starts(html, t0, t1, LD_JSON):
                    n_facts = add_fact(facts, n_facts, JSON_LD, 0, 0, j, stop)
                elif starts(html, t0, t1, MATH_TEX):
                    first, last, is_tex = j, stop, True
            elif tag == MATH:
                first, last = tex_of(html, j, stop, spans[ALTTEXT, 0], spans[ALTTEXT, 1])
                is_tex = first >= 0
                if not is_tex:
                    first, last = j, stop
            if first >= 0 and (muted < 0 or formula):
                before = o
                o = copy_math(html, first, last, text, o, is_tex)
                if o > before:
                    current[MATHS] += 1
                    current[WORDS] += 1
                    current[BYTES] += o - before
                    spaced = False
                    breaks = 0
            elif not spaced and pre == 0 and muted < 0:
                text[o] = 32
                o += 1
                spaced = True
            i = behind(html, stop, n)
            continue

        i = j
        border = kind == BLOCK or tag == HR
        if tag == BR:
            if muted >= 0:
                continue
            current[BREAKS] += 1
            breaks += 1
            if not spaced or pre > 0:
                text[o] = LF
                o += 1
                spaced = True
            elif current[BYTES] > 0 and text[o - 1] == 32:
                text[o - 1] = LF
            border = breaks >= 2
        elif tag == IMG:
            current[IMAGES] += 1
        elif tag == INPUT:
            current[INPUTS] += 1
        elif kind == INLINE and not is_end:
            current[INLINES] += 1
            if tag == A:
                current[LINKS] += 1
        if border:
            if current[BYTES] > 0:
                if n_blocks >= len(blocks):
                    return n_blocks, n_elements, n_facts, n_classes, o, deeper, TOO_MANY_BLOCKS
                element = stack[depth - 1] if depth > 0 else 0
                n_blocks = close_block(
                    blocks, n_blocks, current, element, o, n_hashes, digest, stopped
                )
                current[IMAGES] = 0
            images = current[IMAGES]
            current[:] = 0
            current[IMAGES] = images
            current[START] = o
            current[FIRST_HASH] = n_hashes
            digest = OFFSET
            spaced, stopped = True, False
        if kind == VOID:
            continue

        keep = depth
        if not is_end:
            if kind == BLOCK:
                keep = implied_end(tag, innermost, depth)
                z = block if keep == depth else outer_block[keep]
                if z >= 0 and element_tags[stack[z]] == P:
                    keep = z
            elif tag == A and links > 0 and element_tags[stack[depth - 1]] == A:
                keep = depth - 1
        elif tag != BODY and tag != HTML:
            z = closing_depth(tag, kind, innermost, block)
            keep = z if z >= 0 else depth
        while depth > keep:
            depth -= 1
            t = element_tags[stack[depth]]
            innermost[t] = outer[depth]
            block = outer_block[depth]
            if t == A:
                links -= 1
                if link >= current[START] and is_sign(text, link, o):
                    current[SIGN_START], current[SIGN_END] = link, o
            elif t == CODE_PRE:
                pre -= 1
        if depth <= muted:
            muted = -1
        if is_end or (self_closing and tag < 2):
            continue
        if depth >= MAX_DEPTH:
            deeper += 1
            continue
        if n_elements >= len(element_tags):
            return n_blocks, n_elements, n_facts, n_classes, o, deeper, TOO_MANY_ELEMENTS
        own = OWN_FLAGS[tag]
        signature = U(tag)
        class_from[n_elements] = n_classes
        for number in (CLASS, ID, ROLE, ITEMPROP):
            if spans[number, 0] >= 0:
                n_classes, found, mixed = class_words(
                    html, spans[number, 0], spans[number, 1], classes, n_classes, signature
                )
                own |= found
                if number == CLASS:
                    signature = mixed
        c0, c1 = spans[CLASS, 0], spans[CLASS, 1]
        if (
            muted < 0
            and c0 >= 0
            and (starts(html, c0, c1, KATEX_HTML) or starts(html, c0, c1, MATHJAX))
        ):
            muted = depth
            formula = custom
        class_to[n_elements] = n_classes
        if spans[STYLE_ATTR, 0] >= 0 and is_out_of_sight(
            html, spans[STYLE_ATTR, 0], spans[STYLE_ATTR, 1]
        ):
            own |= HIDDEN_FLAG
        if spans[HIDDEN, 0] >= 0:
            own |= HIDDEN_FLAG
        if spans[ARIA_HIDDEN, 0] >= 0 and spans[ARIA_HIDDEN, 1] - spans[ARIA_HIDDEN, 0] == 4:
            own |= ARIA_FLAG
        parent = stack[depth - 1] if depth > 0 else 0
        element_tags[n_elements] = tag
        parents[n_elements] = parent
        flags[n_elements] = flags[parent] | own
        signatures[n_elements] = signature
        outer[depth] = innermost[tag]
        innermost[tag] = depth
        outer_block[depth] = block
        if kind == BLOCK:
            block = depth
        stack[depth] = n_elements
        depth += 1
        n_elements += 1
        if tag == A:
            links += 1
            link = o
        elif tag == CODE_PRE:
            pre += 1
    if in_word:
        n_hashes = add_hash(hashes, n_hashes, current[FIRST_HASH], word)
    if current[BYTES] > 0:
        if n_blocks >= len(blocks):
            return n_blocks, n_elements, n_facts, n_classes, o, deeper, TOO_MANY_BLOCKS
        element = stack[depth - 1] if depth > 0 else 0
        n_blocks = close_block(blocks, n_blocks, current, element, o, n_hashes, digest, stopped)
    return n_blocks, n_elements, n_facts, n_classes, o, deeper, OK
