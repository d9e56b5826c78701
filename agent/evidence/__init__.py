"""Numbers before words: facts computed from full data, pure and without any framework."""
