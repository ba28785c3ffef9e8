"""Benchmark items found in documents, and what happens to a hit."""
