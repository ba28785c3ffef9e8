"""What `stems_kernel`, `code_kernel` and `likeness_kernel` must return, slowly and obviously."""

import math
import re
from collections import Counter

from curation_dagster.decontaminate.stems import (
    ENDINGS,
    LOOK_ALIKES,
    MAX_STEMMED_CHARS,
    MIN_STEM_CHARS,
    NUMBER_WORDS,
)
from curation_dagster.words import (
    DIGIT,
    LETTER,
    MASK,
    TABLE_SIZE,
    UNSPACED,
    UPPER,
    mix_oracle,
    tables,
    term_hash_oracle,
)


def kind_of(char):
    return int(tables()[0][ord(char)]) if ord(char) < TABLE_SIZE else 0


def lowered(char):
    return chr(tables()[1][ord(char)])


def stem(word):
    """Return a lower-cased word less its ending, or `#` and its number."""
    if word in NUMBER_WORDS:
        return f"#{NUMBER_WORDS[word]}"
    if len(word) > MAX_STEMMED_CHARS:
        return word
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM_CHARS:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > MIN_STEM_CHARS else word


def stems(text):  # noqa: C901 - one branch a kind of character
    """Return (stem, first character, last + 1) of each stem."""
    found, i = [], 0
    while i < len(text):
        kind, start = kind_of(text[i]), i
        if kind & UNSPACED:
            found.append((text[i], i, i + 1))
            i += 1
        elif kind & LETTER:
            while i < len(text) and kind_of(text[i]) & LETTER and not kind_of(text[i]) & UNSPACED:
                rises = kind_of(text[i]) & UPPER and i > start and not kind_of(text[i - 1]) & UPPER
                if rises:
                    break
                i += 1
            found.append((stem("".join(map(lowered, text[start:i]))), start, i))
        elif kind & DIGIT:
            digits, fraction = "", None
            while i < len(text):
                ascii_after = re.match(r"[0-9]+", text[i + 1 :])
                if kind_of(text[i]) & DIGIT:
                    digits, fraction = (
                        (digits + text[i], None)
                        if fraction is None
                        else (digits, fraction + text[i])
                    )
                elif (
                    text[i] == "," and fraction is None and ascii_after and len(ascii_after[0]) == 3
                ):
                    pass
                elif text[i] == "." and fraction is None and ascii_after:
                    fraction = ""
                else:
                    break
                i += 1
            fraction = (fraction or "").rstrip("0")
            found.append((f"#{digits}.{fraction}" if fraction else f"#{digits}", start, i))
        else:
            i += 1
    return found


def noisy_stems(text):
    """Return every four letters or digits in a row, look-alikes as one."""
    chars = [lowered(c) for c in text if kind_of(c) & (LETTER | DIGIT)]
    chars = [LOOK_ALIKES.get(c, c) for c in chars]
    return [packed(chars[i : i + 4]) for i in range(len(chars) - 3)]


def packed(chars):
    value = 0
    for char in chars:
        value = (value << 16) & MASK ^ ord(char)
    return mix_oracle(value)


def pairs(text):
    words = [term_hash_oracle(word) for word, *_ in stems(text)]
    found = []
    for i in range(len(words)):
        found += [mix_oracle(words[i] + words[j] & MASK) for j in (i + 1, i + 2) if j < len(words)]
    return found


def char_grams(text):
    line = " " + "".join("".join(map(lowered, text[a:b])) + " " for _, a, b in stems(text))
    return [packed(line[i : i + 4]) for i in range(len(line) - 3)]


def cosine(first, second, idf):
    """Return the cosine of two bags of grams, each weighing (1 + ln count) times its idf."""
    a, b = Counter(first), Counter(second)
    weigh = lambda bag: {g: (1 + math.log(min(c, 255))) * idf(g) for g, c in bag.items()}  # noqa: E731
    x, y = weigh(a), weigh(b)
    both = sum(w * y[g] for g, w in x.items() if g in y)
    lengths = math.sqrt(sum(w * w for w in x.values()) * sum(w * w for w in y.values()))
    return both / lengths if both else 0.0


_COMMENT = re.compile(
    r'"""(.*?)(?:"""|\Z)|\'\'\'(.*?)(?:\'\'\'|\Z)|/\*(.*?)(?:\*/|\Z)|(?://|#)([^\n]*)', re.DOTALL
)


def documentation(program):
    lines = []
    for match in _COMMENT.finditer(program):
        for line in next(g for g in match.groups() if g is not None).split("\n"):
            bare = line.strip(" \t\r\n")
            words = re.findall(r"[A-Za-z\x80-\U0010ffff]+", bare)
            letters = len("".join(words).encode())
            shown = any(sign in bare for sign in (">>", "==", "->", "=>", "➞"))
            if len(words) >= 2 and 2 * letters >= len(bare.encode()) and not shown:
                lines.append(line)
    return lines


_TOKEN = re.compile(
    r'([A-Za-z_][A-Za-z_0-9]*)|([0-9]+(?:\.[0-9]+)?)|("[^"\n]*"|\'[^\'\n]*\')|([-+*/%=<>!&|^]+)|([\[\](),])'
)


def skeleton(program):
    """Return x, N, S, operators and brackets."""
    found = []
    for name, number, text, operator, bracket in _TOKEN.findall(program):
        folded = re.sub(r"^([=!]=)=", r"\1", operator)
        found.append("x" if name else "N" if number else "S" if text else folded or bracket)
    return found
