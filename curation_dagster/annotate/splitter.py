r"""How text becomes words: the one splitting that every signal over words shares.

The rule follows what published filters were tuned with (spaCy's English tokenizer, in datatrove),
without its list of exceptions. White space (`str.isspace`) separates segments. In a segment:

1. Two dots or more, and U+2026, are a word wherever they stand; so is an icon (category So).
2. From the front go, one character a word: brackets, quotes, sentence marks, currency, § % = — – and a plus
   without a digit behind it.
3. From the back go brackets, quotes, sentence marks, — –; 's; a full stop behind a letter that is no
   capital, a digit, one of % ² - +, punctuation, or two capitals, unless the rest is an abbreviation; + and
   currency and units behind a digit; the contractions n't 'll 're 've 'd 'm.
4. The rest is one word if it is a url or an e-mail address. Else it is split at a hyphen, dash or
   tilde before a letter and behind a letter or digit, a comma between letters, : < > = / before a
   letter and behind a letter or digit, + - * ^ between digits, and a full stop before a capital and
   behind another letter.
5. A letter of a script written without spaces (Han, hiragana, Thai, Lao, Khmer, Burmese) is a word of its
   own, together with the marks that follow it.

A segment of more than SEGMENT characters (base64, say) is one word. A *sentence* ends with a word that is a sentence
mark; the next begins at the next word that is not punctuation. Words are hashed to 64 bits over
code points, so nothing depends on the batch. Compiled loops: `splitter_kernel`. Not here: terms
(`curation_dagster.words`), which fold case and drop punctuation.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curation_dagster.words import MASK, TABLE_SIZE, UNSPACED_RANGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SEGMENT = 4096
WORD_BASE = 0x9E3779B97F4A7C15  # odd; the base of the polynomial that a word's hash is

# What a code point is.
SPACE, ALPHA, LOWER, UPPER, DIGIT, UNSPACED = 1, 2, 4, 8, 16, 32
EDGE, LEAD, CURRENCY, QUOTE, ICON, HYPHEN = 64, 128, 256, 512, 1024, 2048
SYMBOL, TERMINAL, PUNCT, LINE_END = 4096, 8192, 16384, 32768

# What a word is.
HAS_ALPHA, IS_SYMBOLS, IS_TERMINAL, IS_PUNCT = 1, 2, 4, 8

LINE_ENDS = "\n\x0b\x0c\r\x1c\x1d\x1e\x85\u2028\u2029"
# Sentence marks: Unicode's Sentence_Terminal and a few more, as datatrove 0.10.1 lists them.
_TERMINALS = """
21 2E 3F 589 61D 61E 61F 6D4 700 701 702 7F9 837 839 83D 83E 964 965 104A 104B 1362 1367 1368 166E 1735
1736 17D4 17D5 17D6 17D9 17DA 1803 1809 1944 1945 1AA8 1AA9 1AAA 1AAB 1B5A 1B5B 1B5E 1B5F 1B7D 1B7E 1C3B
1C3C 1C7E 1C7F 203C 203D 2047 2048 2049 2E2E 2E3C 2E53 2E54 3002 A4FF A60E A60F A6F3 A6F7 A876 A877 A8CE
A8CF A92F A9C8 A9C9 AA5D AA5E AA5F AAF0 AAF1 ABEB FE52 FE56 FE57 FF01 FF0E FF1F FF61 10A56 10A57 10F55
10F56 10F57 10F58 10F59 10F86 10F87 10F88 10F89 11047 11048 110BE 110BF 110C0 110C1 11141 11142 11143
111C5 111C6 111CD 111DE 111DF 11238 11239 1123B 1123C 112A9 1144B 1144C 115C2 115C3 115C9 115CA 115CB
115CC 115CD 115CE 115CF 115D0 115D1 115D2 115D3 115D4 115D5 115D6 115D7 11641 11642 1173C 1173D 1173E
11944 11946 11A42 11A43 11A9B 11A9C 11C41 11C42 11EF7 11EF8 11F43 11F44 16A6E 16A6F 16AF5 16B37 16B38
16B44 16E98 1BC9F 1DA88
"""
TERMINALS = "".join(chr(int(code, 16)) for code in _TERMINALS.split())
# A word of nothing but these is a symbol to datatrove's Gopher filter: these, the terminals and the controls.
_SYMBOLS = (
    "\"#$%&'()*+,-/:;<=>@[\\]^_`{|}~«´»–—’“”„…∶━►、〈〉《》「」【】％（），１：；～"
    + "".join(map(chr, (*range(9), *range(11, 32), *range(127, 160))))
)
_EDGES = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪—–"
_QUOTES = "'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_HYPHENS = "-–—~"
_KATAKANA = range(0x30A0, 0x3100)  # mostly loanwords: a run of it is a word

UNITS = (
    "km m dm cm mm ha nm yd in ft kg g mg t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb TB T G M K %"
).split()
ABBREVIATIONS = (
    "a.m. p.m. e.g. E.g. E.G. i.e. I.e. I.E. vs. v.s. Mr. Mrs. Ms. Dr. Prof. Sr. Jr. St. Mt. Inc. Ltd. Co. co. Corp. "
    "Bros. Gen. Gov. Rep. Rev. Sen. Adm. Messrs. Md. Mo. Mont. Ph.D. Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. "
    "Oct. Nov. Dec. Ala. Ariz. Ark. Calif. Colo. Conn. Del. Fla. Ga. Ia. Id. Ill. Ind. Kan. Kans. Ky. La. Mass. "
    "Mich. Minn. Miss. Neb. Nebr. Nev. Okla. Ore. Pa. Tenn. Va. Wash. Wis."
).split()


class Words(NamedTuple):
    """The words of a run of texts, as arrays that kernels read; text d has the words first[d] to first[d + 1]."""

    first: NDArray[np.int64]
    start: NDArray[np.int64]  # byte in the data
    end: NDArray[np.int64]
    hash: NDArray[np.uint64]  # a polynomial over code points: those of joined words follow from it
    chars: NDArray[np.int32]  # code points
    flags: NDArray[np.uint8]

    def upto(self, n: int) -> Words:
        """Return the first n words."""
        return Words(
            self.first, self.start[:n], self.end[:n], self.hash[:n], self.chars[:n], self.flags[:n]
        )


@functools.cache
def classes() -> NDArray[np.uint16]:
    """Return what each code point below TABLE_SIZE is, as a sum of the bits above."""
    table = np.fromiter((_class_of(chr(c)) for c in range(TABLE_SIZE)), np.uint16, TABLE_SIZE)
    for first, last in UNSPACED_RANGES:
        for code in range(first, last + 1):
            is_letter = unicodedata.category(chr(code))[0] in "LM" and code not in _KATAKANA
            table[code] |= UNSPACED * is_letter
    for bits, chars in (
        (EDGE, _EDGES),
        (EDGE | QUOTE, _QUOTES),
        (LEAD, "§%="),
        (HYPHEN, _HYPHENS),
        (SYMBOL, _SYMBOLS),
        (TERMINAL | SYMBOL, TERMINALS),
        (LINE_END, LINE_ENDS),
    ):
        table[[ord(c) for c in chars]] |= bits
    return table


def _class_of(char: str) -> int:
    category = unicodedata.category(char)
    kind = PUNCT if category[0] == "P" else {"So": ICON, "Sc": CURRENCY}.get(category, 0)
    kind |= SPACE * char.isspace() | ALPHA * char.isalpha() | DIGIT * char.isdigit()
    return kind | LOWER * (category in {"Ll", "Lo", "Lm"}) | UPPER * (category == "Lu")


@functools.cache
def known() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the sorted hashes of the abbreviations and of the units."""
    return hashes(ABBREVIATIONS), hashes(UNITS)


def word_hash(word: str) -> int:
    """Hash a word: the polynomial over its code points plus one, in WORD_BASE, modulo 2 to the 64."""
    h = 0
    for char in word:
        h = (h * WORD_BASE + ord(char) + 1) & MASK
    return h


def hashes(words: Iterable[str]) -> NDArray[np.uint64]:
    """Hash words as the splitter does, sorted."""
    return np.array(sorted(word_hash(word) for word in words), np.uint64)


def split(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Words:
    """Split the texts data[offsets[d]:offsets[d + 1]] into words."""
    from curation_dagster.annotate import splitter_kernel  # loads numba

    scratch = [np.empty(SEGMENT + 1, kind) for kind in (np.int64, np.uint16, *[np.int64] * 3)]
    room = int(offsets[-1] - offsets[0]) // 3 + 16  # prose has a word in six bytes
    while True:
        words = _room(len(offsets), room)
        found = splitter_kernel.split(data, offsets, classes(), *known(), words, *scratch)
        if found <= room:
            return words.upto(found)
        room = found


def _room(ends: int, words: int) -> Words:
    return Words(
        np.empty(ends, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.uint64),
        np.empty(words, np.int32),
        np.empty(words, np.uint8),
    )


def words_of(texts: Sequence[str], words: Sequence[Sequence[str]]) -> Words:
    """Make the words of texts that were split by something else; each is looked for behind the one before.

    Raises:
        ValueError: when a word is not in the text.

    >>> words_of(["Hello!"], [["Hello", "!"]]).flags.tolist()
    [1, 14]
    """
    table = classes()
    rows = []
    offset = 0
    for text, of_text in zip(texts, words, strict=True):
        at = 0
        for word in of_text:
            start = text.index(word, at)
            before, at = offset + len(text[:start].encode()), start + len(word)
            kinds = [int(table[ord(c)]) if ord(c) < TABLE_SIZE else 0 for c in word]
            flags = (
                HAS_ALPHA * any(k & ALPHA for k in kinds)
                | IS_SYMBOLS * all(k & SYMBOL for k in kinds)
                | IS_TERMINAL * (len(kinds) == 1 and kinds[0] & TERMINAL > 0)
                | IS_PUNCT * all(k & PUNCT for k in kinds)
            )
            size = len(word.encode())
            rows.append((before, before + size, word_hash(word), len(word), flags))
        offset += len(text.encode())
    starts, ends, hashed, chars, kinds_of = zip(*rows, strict=True) if rows else ((),) * 5
    return Words(
        np.cumsum([0, *map(len, words)]),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        np.array(hashed, np.uint64),
        np.array(chars, np.int32),
        np.array(kinds_of, np.uint8),
    )
