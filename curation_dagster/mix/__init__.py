"""Token budgets to copies of documents."""
