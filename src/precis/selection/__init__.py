"""Judgements → groups to train on: the best one, pairs, rankings, the accepted ones.

A tie or a failure makes no pair and no winner; each is counted in `Selection.counts`, so that a report can say
what became of every judged group. Methods differ by which of these functions they name.
"""

from .choosing import accepted, best_of, distinct, random_of, reference_groups
from .core import Selection
from .pairs import pairs_from_comparisons, pairs_from_ranks, pairs_from_ratings, pairs_from_scores
from .rankings import beside, ranked, rankings
from .scores import axes_of, ratings_of, scores_of

__all__ = [
    "Selection",
    "accepted",
    "axes_of",
    "beside",
    "best_of",
    "distinct",
    "pairs_from_comparisons",
    "pairs_from_ranks",
    "pairs_from_ratings",
    "pairs_from_scores",
    "random_of",
    "ranked",
    "rankings",
    "ratings_of",
    "reference_groups",
    "scores_of",
]
