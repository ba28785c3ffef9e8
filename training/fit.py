"""Fit the shipped model on all pages: `python -m training.fit FOLDER`; cross-validate first.

Writes `curation_dagster/ingest/blocks/model.npz` and model.json, which says what it was made from.
About 3 minutes on two cores. The same data and library versions give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from importlib import metadata
from pathlib import Path

from curation_dagster.ingest.blocks import features
from curation_dagster.ingest.blocks.model import PATH, save
from training.forests import HINDSIGHT_ROUNDS, PARAMETERS, SIGHT_ROUNDS, fit
from training.lessons import WEIGHTS, lessons
from training.pages import SETS, load

LICENCES = {
    "wcxb-dev": "CC-BY-4.0 (Murrough Foley, Web Content Extraction Benchmark); pages belong to their sites",
    "trafilatura-eval": "Apache-2.0 (Adrien Barbaresi, trafilatura); pages belong to their sites",
    "readability-test-pages": "Apache-2.0 (Mozilla, readability); pages belong to their sites",
}


def main() -> None:
    """Fit and write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds SET.warc.gz and SET.gold.jsonl.gz")
    parser.add_argument("--out", type=Path, default=PATH)
    chosen = parser.parse_args()
    taught = lessons(example for name in SETS for example in load(chosen.folder, name))
    save(fit(taught), chosen.out)
    record = {
        "made_by": "python -m training.fit",
        "pages": {
            name: {
                "learned_from": sum(lesson.example.set_name == name for lesson in taught),
                "weight": WEIGHTS[name],
                "licence": LICENCES[name],
                "sha256": {
                    suffix: hashlib.sha256(
                        (chosen.folder / f"{name}.{suffix}").read_bytes()
                    ).hexdigest()
                    for suffix in ("warc.gz", "gold.jsonl.gz")
                },
            }
            for name in SETS
        },
        "parameters": PARAMETERS | {"rounds": [SIGHT_ROUNDS, HINDSIGHT_ROUNDS]},
        "features": {"sight": len(features.SIGHT), "hindsight": len(features.HINDSIGHT)},
        "libraries": {
            name: metadata.version(name) for name in ("lightgbm", "numpy", "trafilatura")
        },
        "holds": "decision trees over counts, and weights of hashed class and id words; no words of page text",
        "sha256": hashlib.sha256(chosen.out.read_bytes()).hexdigest(),
    }
    chosen.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
