"""From a raw crawl to an LLM pretraining corpus: plain functions over Polars and Arrow, and a Dagster graph of them."""
