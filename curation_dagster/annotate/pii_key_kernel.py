"""Secrets: access tokens with a published form, JSON Web Tokens (RFC 7519), private keys in PEM (RFC 7468).

Walks end at a known length, or at the first byte that cannot belong to a token; a token that may hold dashes does not
begin after one, and the end of a key block is looked for once, so each byte is read a bounded number of times.
"""
# The arguments of compiled functions are arrays and scalars whose types numba infers.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator"

import numpy as np

from curation_dagster.annotate.pii import KEY_FORMS
from curation_dagster.annotate.pii_text_kernel import (
    DASH,
    DOT,
    SPACE,
    UNDERSCORE,
    is_alpha,
    is_digit,
    is_word,
    letter_at,
    starts_with,
    word_at,
)
from curation_dagster.compiled import njit

UPPER, ALNUM, WORD, URL = range(4)
PREFIXES = np.zeros((len(KEY_FORMS), 16), np.uint8)
FORMS = np.zeros((len(KEY_FORMS), 4), np.int64)  # bytes of the prefix, class, fewest, most
for _k, (_prefix, _class, _fewest, _most) in enumerate(KEY_FORMS):
    PREFIXES[_k, : len(_prefix)] = np.frombuffer(_prefix.encode(), np.uint8)
    FORMS[_k] = len(_prefix), ("upper", "alnum", "word", "url").index(_class), _fewest, _most
BEGIN, END = np.frombuffer(b"-----BEGIN ", np.uint8), np.frombuffer(b"-----END ", np.uint8)
NAME = np.frombuffer(b"PRIVATE KEY", np.uint8)
BLOCK, DASHES = np.frombuffer(b" BLOCK", np.uint8), np.frombuffer(b"-----", np.uint8)
EXAMPLE = np.frombuffer(b"EXAMPLE", np.uint8)  # Amazon's documentation ends its keys so
MAX_LABEL = 40  # bytes before PRIVATE KEY: "RSA ", "ENCRYPTED ", …
OURS = np.frombuffer(b"KEY_", np.uint8)
OURS_PRIVATE = np.frombuffer(b"PRIVATE_KEY_", np.uint8)
TAG_BYTES = 8
MIN_JWT_PART = 8


@njit
def _belongs(c, kind):
    if kind == UPPER:
        return 65 <= c <= 90 or is_digit(c)
    if is_alpha(c) or is_digit(c):
        return True
    return (kind >= WORD and c == UNDERSCORE) or (kind == URL and c == DASH)


@njit
def _ours_end(data, i, high, name):
    """Return the end of `name` and eight letters g to v, what `mask` puts in a secret's place; or -1."""
    end = i + len(name) + TAG_BYTES
    if end > high or not starts_with(data, i, high, name):
        return -1
    for k in range(end - TAG_BYTES, end):
        if not 103 <= data[k] <= 118:
            return -1
    return end if end == high or not is_word(data[end]) else -1


@njit
def _mixed(data, begin, end):
    """Say if letters of both cases and digits are there, as in what chance makes and names are not."""
    upper = small = digit = False
    for i in range(begin, end):
        c = data[i]
        upper |= 65 <= c <= 90
        small |= 97 <= c <= 122
        digit |= 48 <= c <= 57
    return upper and small and digit


@njit
def _jwt_end(data, begin, high):
    """Return the end of three parts in base64url between dots, the first two JSON objects; or -1."""
    i = begin
    for part in range(3):
        start = i
        while i < high and _belongs(data[i], URL):
            i += 1
        if i - start < MIN_JWT_PART:
            return -1
        if part < 2:
            if not (data[start] == 101 and data[start + 1] == 121):  # ey: {"
                return -1
            if i >= high or data[i] != DOT:
                return -1
            i += 1
    return i


@njit
def _key_end(data, begin, low, high):
    """Return where the token that begins at `begin` ends, or -1."""
    after_dash = begin > low and data[begin - 1] == DASH
    if data[begin] == 101:
        return -1 if after_dash else _jwt_end(data, begin, high)
    for k in range(len(FORMS)):
        length, kind, fewest, most = FORMS[k]
        if not starts_with(data, begin, high, PREFIXES[k, :length]):
            continue
        if kind == URL and after_dash:
            continue
        body = i = begin + length
        while i < high and i - body <= most and _belongs(data[i], kind):
            i += 1
        if i - body < fewest or i - body > most or (i < high and is_word(data[i])):
            continue
        if kind == UPPER and starts_with(data, i - 7, high, EXAMPLE):
            continue
        if length == 3 and kind == URL and not _mixed(data, body, i):  # sk-
            continue
        return i
    return -1


@njit
def keys(data, places, found):
    """Write begin, end and whether masked of every token; return how many."""
    n = 0
    past = 0
    for p in range(len(places)):
        begin, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if begin < past or letter_at(data, begin - 1, low, high, edges):
            continue
        end = _ours_end(data, begin, high, OURS)
        ours = end >= 0
        if not ours:
            end = _key_end(data, begin, low, high)
        if end < 0:
            continue
        found[n, 0], found[n, 1], found[n, 3] = begin, end, ours
        n += 1
        past = end
    return n


@njit
def _armor_end(data, i, high, opening):
    """Return the end of `-----BEGIN … PRIVATE KEY-----` (or END) at `i`, or -1."""
    if not starts_with(data, i, high, opening):
        return -1
    i += len(opening)
    stop = min(high, i + MAX_LABEL)
    while i < stop and not starts_with(data, i, high, NAME):
        if not (65 <= data[i] <= 90 or is_digit(data[i]) or data[i] == SPACE):
            return -1
        i += 1
    if not starts_with(data, i, high, NAME):
        return -1
    i += len(NAME)
    if starts_with(data, i, high, BLOCK):  # PGP
        i += len(BLOCK)
    return i + len(DASHES) if starts_with(data, i, high, DASHES) else -1


@njit
def private_keys(data, places, found):
    """Write begin, end and whether masked of every closed key block; return how many."""
    n = 0
    past = searched = 0  # the last finding's end; up to where no end of a block is
    for p in range(len(places)):
        at, low, high, edges = places[p, 0], places[p, 1], places[p, 2], places[p, 3]
        if at < past:
            continue
        if data[at] != DASH:
            end = _ours_end(data, at, high, OURS_PRIVATE)
            if end >= 0 and not word_at(data, at - 1, low, high, edges):
                found[n, 0], found[n, 1], found[n, 3] = at, end, 1
                n += 1
                past = end
            continue
        begin = at - 3
        if begin < max(low, past) or word_at(data, begin - 1, low, high, edges):
            continue
        after = _armor_end(data, begin, high, BEGIN)
        if after < 0 or searched >= high:
            continue
        i = max(after, searched)
        end = -1
        while i < high and end < 0:
            if data[i] == DASH:
                end = _armor_end(data, i, high, END)
            i += 1
        if end < 0:
            searched = high
        elif not word_at(data, end, low, high, edges):
            found[n, 0], found[n, 1], found[n, 3] = begin, end, 0
            n += 1
            past = end
        else:
            searched = i
    return n
