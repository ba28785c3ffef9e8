"""A real crawl to curate, made from the documentation that is already on this machine.

The pages are served on loopback and crawled into WARC files; no third party's text is shipped.
`python -m curation_dagster.demo OUT_DIR` runs it. What happens to the crawl is not here.
"""

from __future__ import annotations

from curation_dagster.demo.crawl import Capture, File, capture

__all__ = ["Capture", "File", "capture"]
