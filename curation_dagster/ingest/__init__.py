"""Files of a crawl to documents."""
