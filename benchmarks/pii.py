"""How much personal data is found and how fast: spans of known text, MB/s beside datatrove, as JSON lines.

Accuracy: `pii/presidio-synth-v2.jsonl.gz` from the folder named by CURATE_DATA (default: ../shared/data beside the
clone), 1,500 sentences filled in from templates, each with its spans. A finding is right if it has the kind of a span
and overlaps it (or, "exact", has its ends). Spans of types that are not looked for (US social security numbers, …) are
neither asked for nor right.

Speed: CPU seconds on one thread over `bench/text-8000.parquet`, the least of three. `--peer PYTHON` names an
interpreter with `datatrove[processing]`: its PIIFormatter (e-mail and IPv4) then masks the same texts.

    python benchmarks/pii.py [--peer /path/to/python] [--missed]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[2] / "shared" / "data")
TYPES = {
    "EMAIL_ADDRESS": "email",
    "IP_ADDRESS": "ip",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "PHONE_NUMBER": "phone",
}
PEER = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.formatters import PIIFormatter
docs = [Document(text=json.loads(line), id="") for line in open(sys.argv[1])]
formatter = PIIFormatter()
began = time.process_time()
for doc in docs:
    formatter.format(doc.text)
print(json.dumps({"cpu_s": round(time.process_time() - began, 2)}))
"""

Span = tuple[str, int, int]


def main() -> None:
    """Score, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="a Python that can import datatrove")
    parser.add_argument("--missed", action="store_true", help="print what was missed or wrong")
    chosen = parser.parse_args()
    sentences = DATA / "pii" / "presidio-synth-v2.jsonl.gz"
    if not sentences.exists():
        print(json.dumps({"skipped": f"no data in {DATA}"}))
        sys.exit(0)
    accuracy(sentences, missed=chosen.missed)
    speed(pl.read_parquet(DATA / "bench" / "text-8000.parquet")["text"], chosen.peer)


def accuracy(path: Path, *, missed: bool) -> None:
    """Print precision, recall and F1 per kind, by overlap and by exact ends."""
    from curation_dagster.annotate.pii import KINDS, find

    with gzip.open(path, "rt", encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    gold: list[list[Span]] = [[] for _ in records]
    for i, record in enumerate(records):
        for span in record["spans"]:
            begin, end = (len(record["text"][: span[k]].encode()) for k in ("start", "end"))
            if span["type"] in TYPES:
                gold[i].append((TYPES[span["type"]], begin, end))
    found: list[list[Span]] = [[] for _ in records]
    for row, kind, begin, end in find(pl.Series([r["text"] for r in records]), KINDS).iter_rows():
        found[row].append((kind, begin, end))
    for kind in KINDS:
        line = {"kind": kind, "spans": sum(k == kind for spans in gold for k, _, _ in spans)}
        line["found"] = sum(k == kind for spans in found for k, _, _ in spans)
        for name, same in (("overlap", overlaps), ("exact", tuple.__eq__)):
            line |= {name: scores(gold, found, kind, same)}  # type: ignore[dict-item]
        print(json.dumps(line))
    if missed:
        show(records, gold, found)


def overlaps(one: Span, two: Span) -> bool:
    return one[0] == two[0] and one[1] < two[2] and two[1] < one[2]


def scores(
    gold: list[list[Span]], found: list[list[Span]], kind: str, same: Callable[[Span, Span], bool]
) -> dict[str, float | None]:
    """Return precision, recall and F1 of one kind; null where there is nothing to divide by."""
    asked = [(g, f) for gs, f in zip(gold, found, strict=True) for g in gs if g[0] == kind]
    given = [(f, g) for g, fs in zip(gold, found, strict=True) for f in fs if f[0] == kind]
    hit = sum(any(same(g, f) for f in fs) for g, fs in asked)
    right = sum(any(same(f, g) for g in gs) for f, gs in given)
    precision = right / len(given) if given else None
    recall = hit / len(asked) if asked else None
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else None
    named = {"precision": precision, "recall": recall, "f1": f1}
    return {k: v if v is None else round(v, 3) for k, v in named.items()}


def show(records: list[dict[str, str]], gold: list[list[Span]], found: list[list[Span]]) -> None:
    """Print each span that was missed, and each finding that is no span."""
    for record, gs, fs in zip(records, gold, found, strict=True):
        raw = record["text"].encode()
        for what, some, others in (("missed", gs, fs), ("wrong", fs, gs)):
            for span in some:
                if not any(overlaps(span, o) for o in others):
                    around = raw[max(0, span[1] - 40) : span[2] + 20].decode(errors="replace")
                    value = raw[span[1] : span[2]].decode()
                    print(json.dumps({what: span[0], "value": value, "around": around}))


def speed(texts: pl.Series, peer: str | None) -> None:
    """Print MB/s of text for masking and for counting, and how many times datatrove's speed that is."""
    from curation_dagster.annotate import bad_words, pii
    from curation_dagster.annotate.mask import mask
    from curation_dagster.recipe_judges import BadWords
    from curation_dagster.section import File

    megabytes = texts.str.len_bytes().sum() / 1e6
    tasks: dict[str, Callable[[pl.Series], object]] = {
        "mask e-mail and IPv4": mask,
        "mask all kinds": lambda t: mask(t, pii.KINDS),
        "count all kinds": pii.measure,
    }
    words = DATA / "lists" / "ldnoobw.jsonl.gz"
    if words.exists():
        step = BadWords(judge="bad_words", files=(File(path=words),))
        tasks["count LDNOOBW's words, all languages"] = lambda t: bad_words.measure(t, step)
    took = {name: least(task, texts) for name, task in tasks.items()}
    for name, seconds in took.items():
        rate = {"cpu_s": round(seconds, 3), "mb_per_cpu_s": round(megabytes / seconds)}
        print(json.dumps({"task": name} | rate), flush=True)
    if peer:
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as lines:
            lines.writelines(json.dumps(text) + "\n" for text in texts)
            lines.flush()
            command = [peer, "-c", PEER, lines.name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        line = json.loads(done.stdout.splitlines()[-1])
        rate = {"mb_per_cpu_s": round(megabytes / line["cpu_s"], 1)}
        print(json.dumps({"task": "datatrove PIIFormatter"} | line | rate))
        times = round(line["cpu_s"] / took["mask e-mail and IPv4"], 1)
        print(json.dumps({"ratio": "mask e-mail and IPv4", "times_datatrove": times}))


def least(task: Callable[[pl.Series], object], texts: pl.Series) -> float:
    """Return the CPU seconds of the fastest of three runs; the first, which compiles, is not counted."""
    task(texts.head(10))
    seconds = []
    for _ in range(3):
        began = time.process_time()
        task(texts)
        seconds.append(time.process_time() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
