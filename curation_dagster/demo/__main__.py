"""`python -m curation_dagster.demo OUT_DIR`: make the demo's crawl, or say that it is there."""

from __future__ import annotations

from pathlib import Path

import click

from curation_dagster.demo.crawl import capture
from curation_dagster.errors import CurationError


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--max-pages", type=click.IntRange(min=1), help="Documents per source.")
@click.option("--force", is_flag=True, help="Capture again even if a whole capture is there.")
def main(out: Path, max_pages: int | None, force: bool) -> None:
    """Crawl the documentation on this machine into WARC files below OUT."""
    try:
        made = capture(out, max_pages=max_pages, force=force)
    except CurationError as error:
        raise click.ClickException(str(error)) from error
    pages = ", ".join(f"{source} {count}" for source, count in made.pages.items())
    size = sum(file.size_bytes for file in made.files) / 1e6
    verb = "Reused the capture" if made.reused else "Captured"
    planted = sum(len(urls) for urls in made.planted.values())
    click.echo(f"{verb} in {out}: {len(made.files)} WARC files, {size:.1f} MB. Pages: {pages}.")
    click.echo(f"{planted} pages hold one of {len(made.planted)} planted benchmark questions.")


if __name__ == "__main__":
    main()
