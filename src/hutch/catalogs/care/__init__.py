"""A store in good order: looked through, repaired, reindexed, its runs closed and compacted."""
