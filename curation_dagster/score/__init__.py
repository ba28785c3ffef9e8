"""Signals that need a model."""
