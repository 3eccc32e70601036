"""Objectives: what scores are trained towards. Pure: tensors in, `Loss` out; no model, no loop, no paper's name.

>>> objective = weighted((1.0, nll(label_smoothing=0.1)), (10.0, pairwise_logistic()))
>>> [term.name for term in objective.terms]
['nll', 'pairwise']
"""

from .core import NEEDS, Loss, Objective, Rollout, Targets, Term, weighted
from .likelihood import nll
from .pairwise import pair_units, pairwise_logistic, pairwise_loss, rewards_of
from .policy_gradient import ppo, rloo
from .ranking import gold_ranking, margin_ranking, sequence_scores

__all__ = [
    "NEEDS",
    "Loss",
    "Objective",
    "Rollout",
    "Targets",
    "Term",
    "gold_ranking",
    "margin_ranking",
    "nll",
    "pair_units",
    "pairwise_logistic",
    "pairwise_loss",
    "ppo",
    "rewards_of",
    "rloo",
    "sequence_scores",
    "weighted",
]
