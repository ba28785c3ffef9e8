"""Cross-validate the model by site: `python -m training.crossvalidate FOLDER [--folds 5] [--seed 0]`.

One joint model a fold, scored by the product's own code on the sites it did not see. Prints a JSON
line a set. About 5 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from curation_dagster.ingest.about import about
from curation_dagster.ingest.blocks.extract import main_text, tags
from curation_dagster.ingest.blocks.scratch import scan
from training.forests import fit
from training.lessons import gold_text, lessons
from training.pages import SETS, fold, load
from training.scores import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from training.pages import Example


def main() -> None:
    """Run all folds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds SET.warc.gz and SET.gold.jsonl.gz")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the assignment of sites to folds")
    chosen = parser.parse_args()
    sets = {name: load(chosen.folder, name) for name in SETS}
    for name, scores in crossvalidate(sets, chosen.folds, chosen.seed):
        line = {"set": name, "folds": chosen.folds, "seed": chosen.seed}
        print(json.dumps(line | scores), flush=True)


def crossvalidate(
    sets: Mapping[str, Sequence[Example]], folds: int, seed: int
) -> Iterator[tuple[str, dict[str, float | int]]]:
    """Yield each set's scores, every page extracted by the model that did not see its site."""
    taught = lessons(example for examples in sets.values() for example in examples)
    texts: dict[str, str] = {}
    for part in range(folds):
        model = fit([t for t in taught if fold(t.example.site, folds, seed) != part])
        for examples in sets.values():
            for example in examples:
                if fold(example.site, folds, seed) == part:
                    page = scan(example.utf8)
                    said = about(tags(page)).description
                    texts[example.url] = main_text(page, model, description=said)
    for name, examples in sets.items():
        yield name, report(examples, [texts[example.url] for example in examples], gold_text)


if __name__ == "__main__":
    main()
