"""The log-probs of candidates, with each document computed once for all of them (DESIGN §4).

>>> scored = sequence_logprobs(policy.model, groups, pad_id=policy.pad_id)   # doctest: +SKIP
>>> scored.logps_BKT.sum(-1)                                                 # doctest: +SKIP
"""

from .cached import PrefixCache
from .score import Implementation, Scorer, sequence_logprobs, why_not
from .scored import Scored

__all__ = ["Implementation", "PrefixCache", "Scored", "Scorer", "sequence_logprobs", "why_not"]
