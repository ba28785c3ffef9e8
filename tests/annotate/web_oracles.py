"""The published web filters as their authors define them, in plain Python: what the kernels must return."""

from __future__ import annotations

import gzip
import json
import re
import statistics
import unicodedata
from collections import Counter

import polars as pl
from hypothesis import strategies as st

from tests.shared_data import DATA

Row = dict[str, "float | None"]
STOPS = {"the", "be", "to", "of", "and", "that", "have", "with"}
ODD = [
    "",
    " ",
    "word",
    "\n\n\n",
    "?!.,;:" * 40,
    "\u2026",
    "1.2.3.4",
    "a " * 30_000,
    "x" * 1_000_000,
    "READ MORE...\n3 likes\n\n12345\nSign-in",
    "\u4e00\u4e8c\u4e09\u3042\u30ab\u30bf\u0e01\u0e32",
    "\U0001f600\U0001f1e9\U0001f1ea\u200d\u2764\ufe0f",
    "\xa0Hello\xa0\u2028world \x1f x",
    "- - - " * 200,
    "the the\n" * 60,
]
_PIECES = """
the The THE be, that a b Mr. U.S. etc.) "Quoted" (In) ... \u2026 # #1 - * \u2022 \u25cf \u2013 ABC \u00c9T\u00c9
3 likes 1.2k views 5 M Likes! l\u0130kes 7 \u212a followers 12,5 follower 12345 \u0663\u0664 1,234 \u00bd
don't can\u2019t 3.14 1,2 foo_bar _x \u05d0\u05d1\u05f4\u05d2 \u30ab\u30bf \u6771\u4eac e\u0301 e\u200db
\u2764 \U0001f600
\u0e01\u0e32 x.com http://x.org/a?b=c ftp://a.b.co.uk)- https://1.2.3.4/x 10.0.0.1 312.1.1.1 1.2.3.456 a@b.net
..com end.The e.g. v1.2.3.4 x.com\u00e9 XML.com-x x/y.io
"""
_PHRASES = (
    ". . .",
    "3 likes",
    "items in cart",
    "\u0131tems in cart",
    "\u0130tems In Cart",
    "Read more...",
    "read more >>",
    "read more abc",
    "Sign-in",
    "\u017fign-in",
    "sign up",
)
PIECES = st.sampled_from([*_PIECES.split(), *_PHRASES])
GAPS = st.sampled_from(
    [" ", " ", " ", "  ", "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\t", "\xa0", "\u2028", "\x1f", ""]
)
TEXTS = st.lists(
    st.lists(st.tuples(PIECES, GAPS).map("".join), max_size=50).map("".join) | st.text(max_size=30),
    max_size=5,
)


def real_texts(most: int) -> list[str]:
    """Return web pages and CCNet documents; none where the shared data is absent."""
    texts: list[str] = []
    if (pages := DATA / "bench/text-8000.parquet").exists():
        texts += pl.read_parquet(pages, columns=["text"])["text"].head(most).to_list()
    for path in sorted((DATA / "text").glob("dolma-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for _, line in zip(range(most), lines, strict=False)]
    return texts


def over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def copies(pieces: list[str]) -> tuple[int, int]:
    """Count the pieces that have a copy, and their characters."""
    counts = Counter(pieces)
    same = [piece for piece in pieces if counts[piece] > 1]
    return len(same), sum(map(len, same))


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def size(gram: tuple[str, ...]) -> int:
    return sum(map(len, gram))


def covered_chars(words: list[str], n: int) -> int:
    counts = Counter(grams(words, n))
    places = {i + k for i, g in enumerate(grams(words, n)) if counts[g] > 1 for k in range(n)}
    return sum(len(words[i]) for i in places)


def alphas(words: list[str]) -> int:
    return sum(any(c.isalpha() for c in word) for word in words)


# ---------------------------------------------------------------- Dolma


def periodic(words: list[str]) -> int:
    """Find the most repetitions in a row of a sequence of 1 to 13 words, of three or more."""
    best = 0
    for period in range(1, min(13, len(words) // 3) + 1):
        run = 0
        for a, b in zip(words, words[period:], strict=False):
            run = run + 1 if a == b else 0
            best = max(best, run // period + 1)
    return best if best > 2 else 0


def dolma(text: str) -> Row:
    words, lines = text.split(), text.split("\n")
    chars = sum(map(len, words))
    same, same_chars = copies(lines)
    row: Row = {
        "dolma_word_count": len(words),
        "dolma_stop_word_count": sum(word in STOPS for word in words),
        "dolma_repetition_count": periodic(words),
        "dolma_median_word_chars": statistics.median(map(len, words)) if words else None,
        "dolma_symbol_word_ratio": over(sum("#" in w or "\u2026" in w for w in words), len(words)),
        "dolma_alpha_word_ratio": over(alphas(words), len(words)),
        "dolma_bullet_line_ratio": sum(x.startswith(("*", "-")) for x in lines) / len(lines),
        "dolma_ellipsis_line_ratio": sum(x.endswith("\u2026") for x in lines) / len(lines),
        "dolma_dup_line_ratio": same / len(lines),
        "dolma_dup_line_char_ratio": over(same_chars, chars),
    }
    for n in range(2, 11):
        counts = Counter(grams(words, n))
        if n < 5:
            gram, count = next(iter(counts.most_common(1)), ((), 0))
            row[f"dolma_top_{n}gram_char_ratio"] = over(count * size(gram), chars)
        else:
            whole = sum(c * size(g) for g, c in counts.items()) or chars
            part = sum(c * size(g) for g, c in counts.items() if c > 1)
            row[f"dolma_dup_{n}gram_char_ratio"] = over(part, whole)
    return row


# ---------------------------------------------------------------- DCLM


def counted(text: str) -> list[str]:
    """Split as fastText's tokenizer does, and keep what starts with a letter or digit."""
    return [w for w in re.split("[ \n\r\t\v\f\0]+", text) if w and w[0].isalnum()]


def stripped(text: str, separator: str) -> list[str]:
    return [piece for part in text.split(separator) if (piece := part.strip())]


def dclm(text: str, segments: list[str]) -> Row:
    """Measure a text whose words of UAX #29 are given."""
    words, lines, paragraphs = text.split(), stripped(text, "\n"), stripped(text, "\n\n")
    bullets = sum(line.startswith(("\u25cf", "\u2022", "*", "-")) for line in lines)
    ellipses = sum(line.endswith(("...", ". . .", "\u2026")) for line in lines)
    same, same_chars = copies(lines)
    same_p, same_p_chars = copies(paragraphs)
    chars = sum(map(len, segments))
    symbols = sum(text.count(symbol) for symbol in ("#", "...", ". . .", "\u2026"))
    row: Row = {
        "dclm_word_count": len(counted(text)),
        "dclm_stop_word_count": sum(word.lower() in STOPS for word in words),
        "dclm_mean_word_chars": over(sum(map(len, words)), len(words)),
        "dclm_symbol_word_ratio": over(symbols, len(words)),
        "dclm_bullet_line_ratio": over(bullets, len(lines)),
        "dclm_ellipsis_line_ratio": over(ellipses, len(lines)),
        "dclm_no_alpha_word_ratio": over(len(words) - alphas(words), len(words)),
        "dclm_dup_line_ratio": over(same, len(lines)),
        "dclm_dup_line_char_ratio": over(same_chars, sum(map(len, lines))),
        "dclm_dup_paragraph_ratio": over(same_p, len(paragraphs)),
        "dclm_dup_paragraph_char_ratio": over(same_p_chars, sum(map(len, paragraphs))),
    }
    for n in range(2, 5):
        counts = Counter(grams(segments, n))
        times = max(counts.values(), default=0)
        longest = max((size(g) for g, c in counts.items() if c == times), default=0)
        row[f"dclm_top_{n}gram_char_ratio"] = over(longest * times * (times > 1), chars)
    for n in range(5, 11):
        row[f"dclm_dup_{n}gram_char_ratio"] = over(covered_chars(segments, n), chars)
    return row


COUNTER = re.compile(
    r"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|"
    r"downvotes|downloads|views|followers)\W*$"
)


def _phrase(lines: list[str], pattern: str, *, substring: bool) -> list[str]:
    kept = []
    for line in lines:
        changed = re.sub(pattern, "", line, flags=re.IGNORECASE)
        if len(line.split()) > 10:
            kept.append(line)
        elif substring:
            if not (line and (not changed or changed.isspace())):
                kept.append(changed)
        elif changed == line and not (line and line.isspace()):
            kept.append(line)
    return "\n".join(kept).strip().split("\n")


def refinedweb(text: str, *, substring: bool = True) -> tuple[str, float | None]:
    """Apply DCLM's line modifiers one after another, each to the whole text."""
    lines = text.split("\n")
    for drops in (
        lambda line: line and sum(c.isupper() for c in line) / len(line) > 0.5,
        lambda line: line and sum(c.isdigit() for c in line) / len(line) > 0.999999,
        lambda line: COUNTER.search(line.lower()),
    ):
        lines = "\n".join(line for line in lines if not drops(line)).strip().split("\n")
    lines = [line for line in lines if len(line.split()) >= 2 or not line]
    lines = _phrase(lines, r"\s?(?:items in cart)", substring=substring)
    lines = _phrase(lines, r"\s?(?:read more...)$", substring=substring)
    lines = _phrase(lines, r"^(?:sign-in)\s?", substring=substring)
    left = "\n".join(lines)
    words = len(counted(text))
    return left, over(words - len(counted(left)), words)


def without_urls(text: str, domains: tuple[str, ...], *, everywhere: bool) -> str:
    longest_first = "|".join(sorted(domains, key=len, reverse=True))
    url = rf"\s{{0,10}}(?:((https?|ftp)://))?[-a-zA-Z0-9@:%._\+~#=]{{1,256}}\.({longest_first})\b([-a-zA-Z0-9()@:%_\+.~#?&//=]*)"
    address = r"\s{0,10}\b((https?|ftp)://)?(?:[0-2]?[0-9]{1,2}\.){3}[0-2]?[0-9]{1,2}[-a-zA-Z0-9()@:%_\+.~#?&//=]*"
    if everywhere or re.match(longest_first, text, re.IGNORECASE):
        text = re.sub(url, "", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(address, "", text))


# ---------------------------------------------------------------- RedStone

_OPEN = "['\"(\\[\u00bf\u00a1\u00ab\u2018\u201b\u201c\u201f\u2039]"
_CLOSED = "['\")\\]\u00bb\u2019\u201d\u203a]"


def starts(word: str) -> str:
    """Tell how a word goes on behind quotes and brackets: category of the character, or nothing."""
    left = re.sub(f"^{_OPEN}+", "", word)
    return unicodedata.category(left[0]) if left else ""


def breaks(before: str, word: str, titles: set[str]) -> bool:
    """Tell whether a sentence ends between two words that spaces separate."""
    opening = re.match(f"^{_OPEN}*", word)
    opened = opening[0] if opening else ""
    capital = starts(word) in {"Lu", "Lo"}
    if re.search(rf"[?!.]{_CLOSED}+$", before) or re.search(r"[?!]$|\.\.$", before):
        if capital:
            return True
        if not re.search(r"\.$", before):
            return False
    if before.endswith(".") and capital and opened and "(" not in opened:
        return True
    match = re.search(r"([\w.\-]*)(['\")\]%\u00bb\u2019\u201d\u203a]*)(\.+)$", before)
    if not match or not (capital or re.match(f"^{_OPEN}*[0-9]", word)):
        return False
    if match[1] in titles and not match[2]:
        return False
    tail = re.search(r"\.([^.]+)\.+$", before)
    return not (tail and all(c == "-" or unicodedata.category(c) in {"Lu", "Lo"} for c in tail[1]))


def sentences(text: str, titles: set[str]) -> list[str]:
    found = []
    for line in text.strip().split("\n"):
        words = [word for word in line.strip(" ").split(" ") if word]
        part: list[str] = []
        for i, word in enumerate(words):
            if i and breaks(words[i - 1], word, titles):
                found.append(" ".join(part))
                part = []
            part.append(word)
        found.append(" ".join(part))
    return found


def lowered(text: str) -> str:
    """Lower every code point that has one of its own; three dots for U+2026."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text).replace("\u2026", "...")


def redstone(text: str, titles: set[str]) -> Row:
    words, sents, lines = lowered(text).split(), sentences(text, titles), text.split("\n")
    chars = sum(map(len, words))
    ends = [lowered(s).strip() for s in sents]
    same, same_chars = copies(sents)
    same_l, same_l_chars = copies(lines)
    sent_chars, line_chars = sum(map(len, sents)), sum(map(len, lines))
    bullets = tuple("\u2022\u2023\u25b6\u25c0\u25e6\u25a0\u25a1\u25aa\u25ab\u2013")
    symbols = lowered(text).count("#") + lowered(text).count("...")
    row: Row = {
        "redstone_word_count": len(words),
        "redstone_stop_word_count": sum(word in STOPS for word in words),
        "redstone_mean_word_chars": over(chars, len(words)),
        "redstone_symbol_word_ratio": over(symbols, len(words)),
        "redstone_alpha_word_ratio": over(alphas(words), len(words)),
        "redstone_ellipsis_sentence_ratio": sum(s.endswith("...") for s in ends) / len(sents),
        "redstone_bullet_sentence_ratio": sum(s.startswith(bullets) for s in ends) / len(sents),
        "redstone_dup_sentence_ratio": over(same, len(sents) if sent_chars else 0),
        "redstone_dup_sentence_char_ratio": over(same_chars, sent_chars),
        "redstone_dup_line_ratio": over(same_l, len(lines) if line_chars else 0),
        "redstone_dup_line_char_ratio": over(same_l_chars, line_chars),
    }
    for n in range(2, 5):
        gram, times = next(iter(Counter(grams(words, n)).most_common(1)), ((), 0))
        row[f"redstone_top_{n}gram_char_ratio"] = over(size(gram) * times * (times > 1), chars)
    for n in range(5, 11):
        row[f"redstone_dup_{n}gram_char_ratio"] = over(covered_chars(words, n), chars)
    return row


def is_excluded(sentence: str, *, phrases: bool) -> bool:
    letters = [c for c in sentence if c.isalpha()]
    capitals = sum(unicodedata.category(c) == "Lu" for c in letters)
    text = sentence.strip()
    ascii_lower = re.sub("[A-Z]", lambda m: m[0].lower(), text)
    said = "^sign in|^sign-in|^sign up|^sign-up|read more[^\\n]{3}$|items in cart"
    return (
        (bool(letters) and capitals / len(letters) > 0.6)
        or (text != "" and all(unicodedata.category(c)[0] in "NZC" for c in text))
        or re.fullmatch(r"\d+\s+[a-zA-Z]+", text) is not None
        or len(text.split()) == 1
        or (phrases and re.search(said, ascii_lower) is not None)
    )


def redstone_text(text: str, titles: set[str], *, phrases: bool) -> tuple[str, float | None]:
    sents = sentences(text, titles)
    kept = [s for s in sents if not is_excluded(s, phrases=phrases)]
    words = sum(len(s.split()) for s in sents)
    return "\n".join(kept), over(words - sum(len(s.split()) for s in kept), words)
