"""HTML to main text without a DOM: scan to blocks, measure them, let two forests say which are content."""
