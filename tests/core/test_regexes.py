"""No regular expression of Python's over document text: `re` backtracks, holds the GIL, and is slow.

Document text is read by kernels, or by Polars' expressions, which are linear. A module that needs `re` for something
else is named here, with what it reads. Add one only if what it reads is bounded, or no document.
"""

from __future__ import annotations

import ast
from pathlib import Path

import curation_dagster

PACKAGE = Path(curation_dagster.__file__).parent
READS = {
    "ingest/container.py": "padding and skippable frames between the members of a compressed file",
    "ingest/archive.py": "where the next record of a damaged crawl begins; fixed bytes, no repetition inside another",
    "ingest/record_head.py": "the header lines of a record",
    "ingest/fields.py": "header lines that go on in the next",
    "ingest/http.py": "the header lines of a response, and the first bytes of a body",
    "ingest/charset.py": "the first bytes of a page, for the charset it declares",
    "ingest/about.py": "urls, languages and licences a page declares",
    "ingest/warc.py": "dates in a record's head",
    "ingest/blocks/extract.py": "words (a linear \\w+) of a page and its own description, to see if it repeats it",
    "verdict.py": "Polars' own rendering of an expression, to print a rule",
    "store.py": "names of files",
    "scratch_folders.py": "names of folders",
    "section.py": "places that a recipe names",
    "faults.py": "what a storage says of an error",
    "alike.py": "names of required packages",
    "commands/beside.py": "control characters of the samples that are shown, a few hundred characters each",
    "commands/benchmark_report.py": "the few examples that are shown, some hundred characters each",
    "decontaminate/dense.py": "ends of sentences (one class and a blank, linear), in a step that is slow by nature",
    "decontaminate/probes.py": "items of benchmarks, eight of each",
    "commands/fineweb2.py": "labels of languages in a configuration",
    "scaffold.py": "the name of a recipe",
    "demo/site.py": "pages the demo makes of this package's documentation",
    "demo/pages.py": "files of installed packages, for the demo",
    "demo/crawl.py": "names of files, for the demo",
    "demo/plant.py": "pages the demo makes",
    "demo/shelves.py": "names of files, for the demo",
    "demo/modules.py": "pydoc's pages, for the demo",
    "demo/fetch.py": "pages of the demo's own server",
}
ENGINES = {"re", "regex", "sre_compile", "re2"}


def modules_with_regexes() -> set[str]:
    """Walk every module of the package for an import of a regular expression engine, also by name."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            match node:
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case ast.ImportFrom(module=str(module)):
                    names = [module]
                case ast.Call(args=[ast.Constant(value=str(name)), *_]) if "import" in ast.dump(
                    node.func
                ):
                    names = [name]
            if any(name.partition(".")[0] in ENGINES for name in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    return found


def test_only_modules_that_read_no_document_text_use_re() -> None:
    assert modules_with_regexes() - READS.keys() == set(), "read document text by kernels or Polars"


def test_no_reason_outlives_its_module() -> None:
    assert READS.keys() - modules_with_regexes() == set()


def test_the_walk_sees_every_way_to_import(tmp_path: Path, monkeypatch) -> None:
    for i, line in enumerate(
        ("import re", "from re import sub", "def f():\n    import regex as r", "__import__('re')",
         "import importlib\nimportlib.import_module('re')", "import resource", "from . import re_like")
    ):  # fmt: skip
        (tmp_path / f"m{i}.py").write_text(line)
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert modules_with_regexes() == {f"m{i}.py" for i in range(5)}
