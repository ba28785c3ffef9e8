"""What the commands of `curate` do."""
