"""Exact and near duplicates over the whole corpus."""
