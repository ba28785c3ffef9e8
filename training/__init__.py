"""How the model of `curation_dagster.ingest.blocks` is made, from pages with gold text. See docs/extraction.md."""
