"""`make screenshots`: the demo, curated in a folder of its own, looked at in Chromium; writes docs/images/*.png.

Takes some five minutes. The pages are opened by tests/dagster_pages.py, as the tests open them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dagster_pages import CLONE, VIEW, Pages, browsing, environment, serving, workspace

IMAGES = CLONE / "docs" / "images"
WIDE = {"width": 1900, "height": 760}  # fourteen stages side by side, their names legible
STRICT = {
    "min_retention = 0.03": "min_retention = 0.9",
    "min_alpha_word_ratio": "min_words = 200\nmin_alpha_word_ratio",
}
"""What makes of the demo a recipe whose check fails: a rule that rejects more, and a band that allows less."""


def curate(folder: Path, *arguments: str) -> str:
    """Call `curate`; return what it printed. An exit code of 3 is a failed check, which is to be seen."""
    command = [sys.executable, "-m", "curation_dagster.cli", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in {0, 3}:
        sys.exit(f"curate {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def project(folder: Path) -> None:
    """Make a project of the demo, curate it, and put a stricter recipe beside it."""
    shutil.copytree(CLONE / "recipes", folder / "recipes", ignore=shutil.ignore_patterns("web*"))
    workspace(folder)
    crawl = [sys.executable, "-m", "curation_dagster.demo", "data/demo-crawl"]
    subprocess.run(crawl, cwd=folder, env=environment(folder), check=True)
    curate(folder, "run", "demo")
    text = (folder / "recipes" / "demo.toml").read_text("utf-8")
    for old, new in STRICT.items():
        if old not in text:
            sys.exit(f"the demo does not say {old!r} any more; change STRICT")
        text = text.replace(old, new)
    (folder / "recipes" / "strict.toml").write_text(text, "utf-8")


def pictures(folder: Path, pages: Pages) -> None:
    """Open the pages one after the other and write a picture of each."""

    def take(name: str) -> None:
        pages.page.mouse.move(0, 0)
        pages.page.wait_for_timeout(2000)  # what unfolds, and pictures in it
        pages.page.screenshot(path=IMAGES / f"{name}.png")

    pages.hide_navigation()
    said = curate(
        folder, "backfill", "strict", "--to", "fingerprinted", "--wait", "--url", pages.url
    )
    pages.backfill(re.findall(r"/runs/b/(\w+)", said)[0])
    take("backfill")
    pages.check("strict", "cleaned", "retention")
    take("check")
    pages.partition("demo", "cleaned", "packages-00001")
    take("partition")
    last = pages.metadata("demo", "annotated", "histogram_lid_language_prob")
    last.evaluate(
        "row => row.scrollIntoView({block: 'end'})"
    )  # below it are this machine's folders
    take("metadata")
    pages.partition("strict", "fingerprinted", "packages-00001")
    pages.choose()
    take("launch")
    pages.launch()
    take("launched")
    pages.page.set_viewport_size(WIDE)
    pages.lineage("demo", "release")
    take("lineage")
    pages.page.set_viewport_size(VIEW)


def main() -> None:
    """Make the pictures; what was made for them goes."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium:
        sys.exit("chromium is not installed (Debian's package chromium; or name one by CHROMIUM)")
    with tempfile.TemporaryDirectory(prefix="demo-") as made:
        folder = Path(made)
        project(folder)
        with browsing(chromium) as page, serving(folder) as url:
            pictures(folder, Pages(page, url))


if __name__ == "__main__":
    main()
