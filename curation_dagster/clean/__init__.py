"""Rules over signals."""
