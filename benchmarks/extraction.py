"""How good and how fast the extractors are, as JSON lines; regenerates the tables of docs/extraction.md.

Reads the three sets of `shared/data/extraction` (CURATE_EXTRACTION names another folder); says so and
stops where they are absent. `blocks` was made from these very pages, so its quality is cross-validated by
site: a joint model a fold, which takes some minutes. Speed is of the shipped model, in CPU seconds of one
process, every extractor on the same decoded pages. What reference documentation loses is counted over
`pages/python-docs.warc.gz` beside that folder, which the model was not fitted to: titles (`h1`) and signatures (`dt` of
class `sig`) whose words do not stand in a row in the text.

    python benchmarks/extraction.py [--folds 5] [--seed 0] [--speed-only]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation_dagster.recipe import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.pages import Example

FOLDER = Path(
    os.environ.get("CURATE_EXTRACTION")
    or Path(__file__).parents[2] / "shared" / "data" / "extraction"
)
RUNS = 3
TITLE = re.compile(rb"<h1[^>]*>(.*?)</h1>", re.DOTALL)
SIGNATURE = re.compile(rb'<dt class="sig [^>]*>(.*?)</dt>', re.DOTALL)
TAG = re.compile(rb"<[^>]*>")


def main() -> None:
    """Measure quality, then speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the assignment of sites to folds")
    parser.add_argument("--speed-only", action="store_true")
    chosen = parser.parse_args()
    if not (FOLDER / "wcxb-dev.warc.gz").exists():
        print(json.dumps({"skipped": f"no pages in {FOLDER}"}))
        sys.exit(0)
    from training.crossvalidate import crossvalidate
    from training.lessons import gold_text
    from training.pages import SETS, load
    from training.scores import report

    sets = {name: load(FOLDER, name) for name in SETS}
    if not chosen.speed_only:
        for extractor in ("trafilatura", "fast"):
            for name, examples in sets.items():
                texts = [extract(example.utf8, extractor) for example in examples]
                line = {"extractor": extractor, "set": name}
                print(json.dumps(line | report(examples, texts, gold_text)), flush=True)
        for name, scores in crossvalidate(sets, folds=chosen.folds, seed=chosen.seed):
            line = {"extractor": "blocks", "set": name, "folds": chosen.folds, "seed": chosen.seed}
            print(json.dumps(line | scores), flush=True)
    reference(FOLDER.parent / "pages" / "python-docs.warc.gz")
    speed([example for examples in sets.values() for example in examples])


def extract(utf8: bytes, extractor: str) -> str:
    """Extract one decoded page, as `ingest` does."""
    from curation_dagster.ingest.page import page

    config = Ingest(extractor=extractor)  # type: ignore[arg-type]
    return page(utf8, "utf-8", None, config).get("text") or ""


def reference(path: Path) -> None:
    """Count titles and signatures of reference documentation that `blocks` and `fast` lose."""
    if not path.exists():
        print(json.dumps({"skipped": f"no {path}"}))
        return
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with path.open("rb") as stream:
        records = ArchiveIterator(stream, record_types=WarcRecordType.response)
        pages = [record.reader.read() for record in records]
    for extractor in ("blocks", "fast"):
        line: dict[str, Any] = {"extractor": extractor, "set": path.name, "pages": len(pages)}
        for kind, pattern in (("titles", TITLE), ("signatures", SIGNATURE)):
            line |= {kind: 0, f"{kind}_lost": 0}
            for page in pages:
                text = f" {in_a_row(extract(page, extractor))} "
                wanted = [in_a_row(text_of(found)) for found in pattern.findall(page)]
                line[kind] += len(wanted)
                line[f"{kind}_lost"] += sum(f" {words} " not in text for words in wanted)
        print(json.dumps(line), flush=True)


def text_of(html: bytes) -> str:
    """Return the text of a piece of HTML: tags left out, references resolved."""
    return unescape(TAG.sub(b"", html).decode())


def in_a_row(text: str) -> str:
    """Write the words of a text with one space between."""
    return " ".join(re.findall(r"\w+", text.lower()))


def speed(examples: list[Example]) -> None:
    """Time every extractor over all pages, the least of a few runs; trafilatura once."""
    pages = [example.utf8 for example in examples]
    megabytes = sum(map(len, pages)) / 1e6
    extract(pages[0], "blocks")
    seconds: dict[str, float] = {}
    for extractor, runs in (("blocks", RUNS), ("fast", RUNS), ("trafilatura", 1)):
        seconds[extractor] = min(
            timed(lambda e=extractor: [extract(p, e) for p in pages]) for _ in range(runs)
        )  # type: ignore[misc]
    for extractor, spent in seconds.items():
        line: dict[str, Any] = {
            "extractor": extractor,
            "pages": len(pages),
            "cpu_s": round(spent, 3),
            "html_mb_per_cpu_s": round(megabytes / spent, 1),
            "times_trafilatura": round(seconds["trafilatura"] / spent, 1),
        }
        print(json.dumps(line), flush=True)


def timed(function: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    began = time.process_time()
    function()
    return time.process_time() - began


if __name__ == "__main__":
    main()
