"""Catalogs as Tiled's clients read them."""
