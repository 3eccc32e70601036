"""Edits of good summaries, and whether a judge that scores does with them what it should: `making`, then `run`."""
