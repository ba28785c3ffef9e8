"""The graph: one module an asset, each a factory from a recipe to its definition."""
