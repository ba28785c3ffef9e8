"""IPv4 and IPv6 addresses: global unicast ones that stand alone and are not the number of a version or section.

A dotted quad is no address if it has a leading zero or a fifth part, hangs on a letter (`v1.2.3.4`, `nginx-1.2.3.4`,
`Firefox/3.0.0.10`, `1.2.3.4-rc1`, `8.8.8.8.example`) or numbers a heading ("1.2.3.4. On" at the start of a line). If
none of its parts is larger than `MAX_NUMBER_PART` it is also none after a word of `NUMBERED` or "§", after a date and a
bracket (a change log), before a title in quotes (`REFERRED`: a cross reference), and as the number of a list item. Each
byte is walked over once, words before aside.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

from ipaddress import IPv4Network

import numpy as np

from curation_dagster.annotate.pii import (
    MAX_NUMBER_PART,
    NUMBERED,
    REFERRED,
    SPECIAL_NETWORKS,
    word_hashes,
)
from curation_dagster.annotate.pii_text_kernel import (
    AT,
    CLOSE,
    COLON,
    DASH,
    DOT,
    HASH,
    LF,
    OPEN,
    PLUS,
    SLASH,
    SPACE,
    back,
    is_among,
    is_digit,
    is_hex,
    letter_at,
    starts_with,
    word_at,
    word_hash,
)
from curation_dagster.compiled import njit
from curation_dagster.words import LETTER, TABLE_SIZE, tables
from curation_dagster.words_kernel import U, decode

NOT_PUBLIC = np.array(
    [
        (int(network.network_address), int(network.netmask))
        for network in map(IPv4Network, SPECIAL_NETWORKS)
    ],
    np.uint64,
)
NUMBERED_HASHES = word_hashes(NUMBERED)
LETTERS = (tables()[0] & LETTER).astype(np.bool_)
REFERRED_BYTES = np.zeros((len(REFERRED), 8), np.uint8)
REFERRED_LENGTHS = np.array([len(text.encode()) for text in REFERRED])
for _k, _text in enumerate(REFERRED):
    REFERRED_BYTES[_k, : REFERRED_LENGTHS[_k]] = np.frombuffer(_text.encode(), np.uint8)
MAX_LABEL_BYTES = 40
MAX_GAP_BYTES = 4  # spaces between a word and the number after it
IS_NO_QUAD, IS_PRIVATE, IS_OURS, IS_PUBLIC = range(4)


@njit
def _quad(data, begin, end):
    """Read digits and dots; return what they are as an IPv4 address, and the largest part."""
    address = part = largest = U(0)
    parts = digits = 0
    for i in range(begin, end + 1):
        c = data[i] if i < end else DOT
        if c == DOT:
            if parts == 4 or part > U(255):
                return IS_NO_QUAD, U(0)
            address = address << U(8) | part
            parts += 1
            largest = max(largest, part)
            digits, part = 0, U(0)
        else:
            # 010 is 8 for some readers, 10 for others
            if digits == 3 or (digits > 0 and part == U(0)):
                return IS_NO_QUAD, U(0)
            part = part * U(10) + U(c - 48)
            digits += 1
    if parts != 4:
        return IS_NO_QUAD, U(0)
    network = address >> U(8)
    if network in (U(0xC00002), U(0xC63364), U(0xCB0071)):
        return IS_OURS, largest
    for k in range(len(NOT_PUBLIC)):
        if address & NOT_PUBLIC[k, 1] == NOT_PUBLIC[k, 0]:
            return IS_PRIVATE, largest
    return IS_PUBLIC, largest


@njit
def _stands_alone(data, begin, end, low, high, edges):
    """Say if what is beside the digits lets them be an address."""
    before = begin - 1
    if word_at(data, before, low, high, edges) or word_at(data, end, low, high, edges):
        return False
    if before >= low and data[before] == DOT:
        return False
    if before >= low and data[before] in (DASH, SLASH):
        if letter_at(data, before - 1, low, high, edges):
            return False
    if end < high and data[end] == DOT:
        opens_line = (before < low) or data[before] == LF
        if opens_line and end + 1 < high and data[end + 1] == SPACE:  # a heading, "1.2.3.4. On"
            return False
        return not word_at(data, end + 1, low, high, edges)
    return not (end < high and data[end] == DASH and letter_at(data, end + 1, low, high, edges))


@njit
def _before_spaces(data, i, low):
    """Return where the white space before `i` begins, no further back than a few bytes."""
    for _ in range(MAX_GAP_BYTES):
        if i > low and (data[i - 1] == SPACE or 9 <= data[i - 1] <= 13):
            i -= 1
        elif i > low + 1 and data[i - 1] == 0xA0 and data[i - 2] == 0xC2:  # no-break space
            i -= 2
        else:
            break
    return i


@njit
def _follows_label(data, begin, low, lower):
    """Say if "version", "section", "§" or the like stands before `begin`, brackets aside."""
    i = _before_spaces(data, begin, low)
    if i > low and data[i - 1] == OPEN:
        i = _before_spaces(data, i - 1, low)
    if i > low + 1 and data[i - 1] == 0xA7 and data[i - 2] == 0xC2:  # §
        return True
    if i > low and data[i - 1] in (DOT, COLON):
        i -= 1
    end = i
    while i > low:
        previous = back(data, i)
        code, _ = decode(data, previous)
        if not (code < TABLE_SIZE and LETTERS[code]):
            break
        i = previous
        if end - i > MAX_LABEL_BYTES:
            return False
    if i > low and data[i - 1] == DASH:  # an option: nc -v 8.8.8.8
        return False
    return i < end and is_among(word_hash(data, i, end, lower), NUMBERED_HASHES)


@njit
def _precedes_title(data, end, high):
    """Say if one of `REFERRED` stands at `end`, a blank aside."""
    for k in range(len(REFERRED_LENGTHS)):
        text = REFERRED_BYTES[k, : REFERRED_LENGTHS[k]]
        if starts_with(data, end, high, text):
            return True
        if end < high and data[end] == SPACE and starts_with(data, end + 1, high, text):
            return True
    return False


@njit
def _follows_date(data, begin, low):
    """Say if `2014-10-29 (` stands before `begin`."""
    if begin - low < 12 or data[begin - 1] != OPEN or data[begin - 2] != SPACE:
        return False
    i = begin - 12
    for k in range(10):
        if (data[i + k] != DASH) if k in (4, 7) else (not is_digit(data[i + k])):
            return False
    return True


@njit
def _numbers_item(data, begin, end, low, high, edges):
    """Say if the digits are the number of an item: `- 1.2.3.4. On`, `# 1.2.3.4 On`, `1.2.3.4 On`."""
    i = _before_spaces(data, begin, low)
    if i < begin and i > low and data[i - 1] in (DASH, HASH, PLUS, 0x2A):
        while i > low and data[i - 1] == data[i]:
            i -= 1
        i -= 1
        while i > low and data[i - 1] == HASH and data[i] == HASH:
            i -= 1
        i = max(i, low)
        marked = True
    else:
        i, marked = begin, False
    i = _line_start(data, i, low)
    if i > low and data[i - 1] != LF:
        return False
    if i == low and edges & 1:
        return False
    if end >= high or data[end] in (LF, CLOSE):
        return marked and end < high
    if data[end] == DOT:
        return end + 1 >= high or data[end + 1] in (SPACE, LF)
    if data[end] != SPACE or end + 1 >= high:
        return False
    c = data[end + 1]
    return 65 <= c <= 90 or c >= 0x80 or (marked and 97 <= c <= 122)


@njit
def _line_start(data, i, low):
    """Step back over blanks."""
    while i > low and data[i - 1] == SPACE:
        i -= 1
    return i


@njit
def ipv4(data, places, found, lower):
    """Write begin, end and whether masked of every address; return how many."""
    n = 0
    past = 0
    for p in range(len(places)):
        at, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if at < past:
            continue
        begin = at
        while begin > low and begin > past:
            c = data[begin - 1]
            if not (is_digit(c) or (c == DOT and is_digit(data[begin]))):
                break
            begin -= 1
        if data[begin] == DOT:
            begin += 1
        end = at + 1
        while end < high:
            if not (is_digit(data[end]) or (data[end] == DOT and is_digit(data[end - 1]))):
                break
            end += 1
        if data[end - 1] == DOT:
            end -= 1
        past = end
        kind, largest = _quad(data, begin, end)
        if kind < IS_OURS or not _stands_alone(data, begin, end, low, high, edges):
            continue
        if kind == IS_PUBLIC and largest <= U(MAX_NUMBER_PART):
            if (
                _follows_label(data, begin, low, lower)
                or _follows_date(data, begin, low)
                or _precedes_title(data, end, high)
                or _numbers_item(data, begin, end, low, high, edges)
            ):
                continue
        found[n, 0], found[n, 1], found[n, 3] = begin, end, kind == IS_OURS
        n += 1
    return n


@njit
def _groups(data, begin, end):
    """Read an IPv6 address; return its first 32 bits, or -1. The last 32 bits may be a dotted quad."""
    first = second = np.int64(0)
    n = digits = 0
    value = np.int64(0)
    gap = False
    i = begin
    while i < end:
        c = data[i]
        if c == COLON:
            double = i + 1 < end and data[i + 1] == COLON
            if digits == 0 and not double:
                return -1
            if double:
                if gap:
                    return -1
                gap = True
                i += 1
            if digits:
                first, second = (value, second) if n == 0 else (first, value if n == 1 else second)
                n += 1
            if i + 1 == end and not double:
                return -1
            value, digits = np.int64(0), 0
        elif c == DOT:
            kind, _ = _quad(data, i - digits, end)
            if kind == IS_NO_QUAD or n < 2:
                return -1
            n += 2
            digits = 0
            break
        else:
            digits += 1
            if digits > 4:
                return -1
            value = value << 4 | (c - 48 if is_digit(c) else (c | 0x20) - 87)
        i += 1
    if digits:
        second = value if n == 1 else second
        first = value if n == 0 else first
        n += 1
    if n != 8 and not (gap and n < 8):
        return -1
    return first << 16 | second


@njit
def ipv6(data, places, found):
    """Write begin, end and whether masked of every global unicast address (2000::/3); return how many."""
    n = 0
    past = 0
    for p in range(len(places)):
        at, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if at < past:
            continue
        begin = at
        while begin > max(low, past) and (is_hex(data[begin - 1]) or data[begin - 1] == COLON):
            begin -= 1
        end = at + 1
        while end < high and (is_hex(data[end]) or data[end] in (COLON, DOT)):
            end += 1
        past = end
        while end > at and data[end - 1] == DOT:
            end -= 1
        if end - at > 2 and data[end - 1] == COLON and data[end - 2] != COLON:
            end -= 1
        before = begin - 1
        if word_at(data, before, low, high, edges) or word_at(data, end, low, high, edges):
            continue
        if before >= low and data[before] in (DOT, DASH, AT):
            continue
        if end < high and data[end] == DASH and word_at(data, end + 1, low, high, edges):
            continue
        bits = _groups(data, begin, end)
        if bits >> 29 != 1:
            continue
        ours = bits == 0x20010DB8
        special = (
            (bits >> 9 == 0x20010000 >> 9) or (bits >> 16 == 0x2002) or (bits >> 12 == 0x3FFF0)
        )
        if ours or not special:
            found[n, 0], found[n, 1], found[n, 3] = begin, end, ours
            n += 1
    return n
