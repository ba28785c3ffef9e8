"""Dagster: partitions, runs, checks and what the UI shows. Nothing else imports dagster, but assets."""
