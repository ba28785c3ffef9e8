"""A corpus of 200 documents written for the tests: prose from templates, and everything a pipeline must notice.

Deterministic: the text of document n depends on n alone. Holds English prose of two registers, exact and near
duplicates, other languages, fragments, repetition, personal data, a benchmark question, and malformed records.
"""

import gzip
import json
from pathlib import Path

PLACES = [
    "harbour",
    "orchard",
    "library",
    "quarry",
    "bakery",
    "observatory",
    "mill",
    "station",
    "garden",
    "workshop",
]
PEOPLE = [
    "gardener",
    "teacher",
    "sailor",
    "carpenter",
    "doctor",
    "clerk",
    "painter",
    "engineer",
    "miller",
    "singer",
]
THINGS = [
    "lantern",
    "ledger",
    "compass",
    "basket",
    "violin",
    "telescope",
    "hammer",
    "kettle",
    "map",
    "ladder",
]
DEEDS = [
    "repaired",
    "carried",
    "measured",
    "painted",
    "forgot",
    "borrowed",
    "weighed",
    "described",
    "hid",
    "sold",
]
TIMES = [
    "before dawn",
    "after the storm",
    "in early spring",
    "at noon",
    "during the fair",
    "on a cold evening",
]
OPENINGS = [
    "Nobody recalled why",
    "It was said that",
    "In the end",
    "Without a word",
    "For a whole week",
    "Twice that year",
]
JOINTS = ["because", "although", "while", "until", "so that", "as if", "long before", "just when"]
OTHERS = [
    "the two cousins",
    "a stranger",
    "her brother",
    "the old mayor",
    "most travellers",
    "their neighbour",
    "a boy",
]
VERBS = [
    "waited for",
    "spoke about",
    "counted",
    "argued over",
    "dreamed of",
    "laughed at",
    "paid for",
    "followed",
]
OBJECTS = [
    "the slow ferry",
    "a broken clock",
    "new bread",
    "the price of coal",
    "three letters",
    "that narrow bridge",
    "an honest answer",
    "the first snow",
    "lost keys",
    "every second wagon",
    "the choir",
    "salted fish",
]
CLOSES = [
    "and went home",
    "to the end of the street",
    "with great patience",
    "in plain sight",
    "against all advice",
    "for the last time",
    "as the rules demand",
    "near the well",
    "without any hurry",
]
FRENCH = (
    "Le boulanger ouvre sa boutique avant le lever du soleil et prépare le pain pour tout le village. "
    "Les habitants viennent chaque matin, parlent du temps et de la récolte, puis retournent à leur travail. "
)
GERMAN = (
    "Der Müller trägt die Säcke in die Mühle und wartet, bis der Wind sich dreht und die Flügel sich bewegen. "
    "Am Abend sitzen die Leute zusammen und erzählen, was sie auf dem Markt gehört und gesehen haben. "
)
CHINESE = "清晨的港口很安静，渔民们把船推到水里，然后等待潮水上涨。傍晚时，他们带着鱼回到村子，大家一起吃饭。"
QUESTION = (
    "A beekeeper moves three hives every second day and rests on each seventh day; if she begins with forty "
    "hives on a Monday, on which weekday does she move the last of them?"
)


def prose(n: int, sentences: int = 9) -> str:
    """Write document n: plain English sentences in paragraphs of three."""
    state = n * 2_654_435_761 + 12_345
    lines = []
    for _ in range(sentences):
        picked = []
        for choices in (
            OPENINGS,
            PEOPLE,
            PLACES,
            DEEDS,
            THINGS,
            JOINTS,
            OTHERS,
            VERBS,
            OBJECTS,
            CLOSES,
            TIMES,
        ):
            state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
            picked.append(choices[(state >> 33) % len(choices)])
        opening, person, place, deed, thing, joint, other, verb, what, close, when = picked
        lines.append(
            f"{opening} the {person} of the {place} {deed} a {thing}, "
            f"{joint} {other} {verb} {what} {close} {when}."
        )
    return "\n\n".join(" ".join(lines[i : i + 3]) for i in range(0, len(lines), 3))


def other_register(text: str) -> str:
    """Rewrite prose so that a classifier can tell it: what the source beta is mostly made of."""
    return text.replace(" the ", " that same ").replace("Without a word", "As everybody knows")


def documents() -> list[dict[str, str]]:
    """Return the 200 documents: id, text, url, source."""
    texts = [other_register(prose(n)) if n % 3 == 0 and n > 70 else prose(n) for n in range(120)]
    texts += [prose(n) for n in (3, 14, 15)]  # exact copies
    texts += [prose(n).replace("  ", " ").upper().capitalize() for n in (26, 53)]  # the same terms
    texts += [prose(n) + f" A last remark, number {n}." for n in range(58, 68)]  # near copies
    texts += [FRENCH * 4, GERMAN * 4, CHINESE * 6] * 4
    texts += [f"Too short to keep, number {n}." for n in range(15)]
    texts += [("Click here to read more.\n" * 40) + str(n) for n in range(8)]
    texts += [
        prose(n) + f"\n\nWrite to keeper.{n}@harbour.org or ask 8.8.4.{n}." for n in range(150, 160)
    ]
    texts += [f"{prose(n, 6)}\n\n{QUESTION}\n\n{prose(n + 500, 3)}" for n in range(170, 174)]
    texts += [f"def f{n}(x):\n    return {{'a': x + {n}}}\n" * 30 for n in range(6)]
    rest = range(len(texts), 200)
    texts += [
        other_register(prose(n + 200, 12)) if n % 3 == 0 else prose(n + 200, 12) for n in rest
    ]
    return [
        {
            "text": text,
            "url": f"https://{'a' if n % 3 else 'b'}.test/{n}",
            "crawled_at": f"2026-0{1 + n % 9}-01T00:00:00Z",
            "source": "alpha" if n % 3 else "beta",
        }
        for n, text in enumerate(texts)
    ]


def write(folder: Path) -> None:
    """Write the corpus as JSONL of two sources, two files each, with two records that are malformed."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in ("alpha", "beta"):
        docs = [d for d in documents() if d["source"] == source]
        half = len(docs) // 2
        for number, part in enumerate((docs[:half], docs[half:])):
            lines = [json.dumps(d, ensure_ascii=False) for d in part]
            if source == "alpha":
                lines.insert(5, '{"text": "cut off in the mid')
            (folder / f"{source}-{number}.jsonl.gz").write_bytes(
                gzip.compress("\n".join(lines).encode(), mtime=0)
            )
    item = {"id": "bees", "question": QUESTION}
    (folder / "benchmark.jsonl").write_text(json.dumps(item) + "\n", "utf-8")


RECIPE = """
root = "store"
workers = {workers}

[[sources]]
name = "alpha"
paths = ["corpus/alpha-*.jsonl.gz"]
shard_bytes = 1

[[sources]]
name = "beta"
paths = ["corpus/beta-*.jsonl.gz"]
shard_bytes = 1

[[steps]]
edit = "normalize"
[[steps]]
judge = "language"
languages = ["en"]
min_prob = 0.5
[[steps]]
preset = "gopher-2021"
[steps.gopher_quality]
min_words = {min_words}
[steps.gopher_repetition]
max_top_2gram_char_ratio = 0.3
[[steps]]
edit = "mask"

[dedup]
quality_key = "gopher_word_count"

[score.classifier]
good = {{ shards = ["alpha-00000"] }}
ordinary = {{ shards = ["beta-00000"] }}
dim = 8
buckets = 2000

[decontaminate]
[[decontaminate.benchmarks]]
name = "bees"
file = {{ path = "corpus/benchmark.jsonl" }}
id_field = "id"

[[mix.phases]]
name = "main"
tokens = 30000
weights = {{ alpha = 0.6, beta = 0.4 }}
max_epochs = 2

[export]
shard_tokens = 10000
jsonl = true
"""


def project(folder: Path, *, name: str = "tiny", workers: int = 1, min_words: int = 50) -> Path:
    """Write corpus and recipe into a folder; return the recipe's path."""
    if not (folder / "corpus").exists():
        write(folder / "corpus")
    path = folder / f"{name}.toml"
    path.write_text(RECIPE.format(workers=workers, min_words=min_words), "utf-8")
    return path
