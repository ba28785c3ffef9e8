"""The word rule of `annotate.splitter` once more, slowly, over strings."""

from __future__ import annotations

import re
import unicodedata

from curation_dagster.annotate.splitter import (
    ABBREVIATIONS,
    SEGMENT,
    TERMINALS,
    UNITS,
    classes,
)
from curation_dagster.annotate.splitter import UNSPACED as UNSPACED_BIT

EDGES = set(
    "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪—–'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧"
)
QUOTES = set("'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧")


def unspaced(char: str) -> bool:
    return bool(ord(char) < 0x32400 and classes()[ord(char)] & UNSPACED_BIT)


def category(char: str) -> str:
    # Beyond the tables (private planes, variation selectors) a code point is nothing.
    return unicodedata.category(char) if ord(char) < 0x32400 else "Cn"


def is_alpha(char: str) -> bool:
    return ord(char) < 0x32400 and char.isalpha()


def is_digit(char: str) -> bool:
    return ord(char) < 0x32400 and char.isdigit()


def is_lower(char: str) -> bool:
    """A letter that is no capital, in scripts without case too."""
    return category(char) in ("Ll", "Lo", "Lm")


def is_edge(char: str) -> bool:
    return char in EDGES or category(char) == "So"


def front(s: str) -> int:
    if dots := len(s) - len(s.lstrip(".")):
        return dots if dots > 1 else 0
    if is_edge(s[0]) or s[0] in "§%=" or category(s[0]) == "Sc":
        return 1
    return int(s[0] == "+" and not (s[1:] and is_digit(s[1])))


def back(s: str) -> int:  # noqa: C901, PLR0911, PLR0912 - one case a rule
    last, before = s[-1], s[-2:-1]
    if last == ".":
        if before == ".":
            return len(s) - len(s.rstrip("."))
        if not before:
            return 0
        lower, upper = is_lower(before), category(before) == "Lu"
        ends = lower or is_digit(before) or before in EDGES or before in "%²-+"
        ends = ends or (upper and len(s) > 2 and category(s[-3]) == "Lu")
        if not ends or (len(s) == 2 and lower):
            return 0
        return int(s not in ABBREVIATIONS)
    if is_edge(last):
        return 1
    if not before:
        return 0
    if (last == "+" or category(last) == "Sc") and is_digit(before):
        return 1
    if is_lower(last) or category(last) == "Lu" or last == "%":
        if len(s) > 3 and re.search(r"n['’]t$", s, re.IGNORECASE):
            return 3
        if len(s) > 2 and re.search(r"['’]s$", s, re.IGNORECASE):
            return 2
        if len(s) > 2 and re.search(r"['’][dm]$", s, re.IGNORECASE) and is_alpha(s[-3]):
            return 2
        if len(s) > 3 and re.search(r"['’](ll|re|ve)$", s, re.IGNORECASE) and is_alpha(s[-4]):
            return 3
        for length in range(1, min(5, len(s))):
            if is_digit(s[-length - 1]):
                return length if s[-length:] in UNITS else 0
    return 0


def is_url(s: str) -> bool:
    if "." not in s:
        return False
    _, found, rest = s.partition("://")
    rest = rest if found else s
    rest = rest.split("@", 1)[1] if "@" in rest else rest
    host = ""
    for char in rest:
        if not (char in ".-_" or is_alpha(char) or is_digit(char) or ord(char) >= 0xA1):
            break
        host += char
    labels = host.split(".")
    if len(labels) < 2 or any(not label or label[-1] in "-_" for label in labels[:-1]):
        return False
    if len(labels[-1]) < 2 or any(not is_lower(c) for c in labels[-1]):
        return False
    path = rest[len(host) :]
    if path.startswith(":"):
        path = path[1:]
        while path and is_digit(path[0]):
            path = path[1:]
    return not path or path[0] in "/?#"


def split_at(s: str, i: int) -> int:  # noqa: C901, PLR0911 - one case a rule
    char, before, after = s[i], s[i - 1 : i] if i else "", s[i + 1 : i + 2]
    if char == "…" or category(char) == "So":
        return 1
    if char == ".":
        dots = len(s[i:]) - len(s[i:].lstrip("."))
        if dots > 1:
            return dots
    if not before:
        return 0
    if char == ".":
        left = is_lower(before) or before in QUOTES
        return int(left and bool(after) and (category(after) == "Lu" or after in QUOTES))
    if char == ",":
        return int(is_alpha(before) and bool(after) and is_alpha(after))
    if char in "-–—~":
        run = 1
        while char in "-—" and run < 3 and s[i + run : i + run + 1] == char:
            run += 1
        if (
            (is_alpha(before) or is_digit(before))
            and s[i + run : i + run + 1]
            and is_alpha(s[i + run])
        ):
            return run
    if char in ":<>=/":
        left = is_alpha(before) or is_digit(before)
        return int(left and bool(after) and is_alpha(after))
    if char in "+-*^":
        return int(is_digit(before) and bool(after) and (is_digit(after) or after == "-"))
    return 0


def middle(s: str) -> list[str]:
    if is_url(s):
        return [s]
    words, at, i = [], 0, 0
    while i < len(s):
        length = 0 if is_alpha(s[i]) or is_digit(s[i]) else split_at(s[at:], i - at)
        if length:
            words += [s[at:i]] if at < i else []
            words.append(s[i : i + length])
            i += length
            at = i
        else:
            i += 1
    return words + ([s[at:]] if at < len(s) else [])


def split_segment(s: str) -> list[str]:
    if len(s) > SEGMENT:
        return [s]
    heads, tails = [], []
    while s and (length := front(s)):
        heads.append(s[:length])
        s = s[length:]
    while s and (length := back(s)):
        tails.append(s[-length:])
        s = s[:-length]
    return [*heads, *(middle(s) if s else []), *reversed(tails)]


def split(text: str) -> list[str]:
    words: list[str] = []
    for segment in text.split():
        run, behind_unspaced = "", False
        for char in segment:
            if not unspaced(char):
                run, behind_unspaced = run + char, False
            elif behind_unspaced and not is_alpha(char):
                words[-1] += char
            else:
                words += split_segment(run) if run else []
                words.append(char)
                run, behind_unspaced = "", True
        words += split_segment(run) if run else []
    return words


def sentences(words: list[str]) -> int:
    count, ended = 0, True
    for i, word in enumerate(words):
        mark = word in TERMINALS
        if i == 0 or (ended and not mark and not is_punct(word)):
            count += 1
            ended = False
        if mark:
            ended = True
    return count


def is_punct(word: str) -> bool:
    return all(category(char)[0] == "P" for char in word)
