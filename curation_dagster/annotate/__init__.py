"""Edits, and the signals the rules decide on."""
