"""The tables, the same for every database, and how an older store comes to have them."""
