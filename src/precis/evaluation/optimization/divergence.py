"""How far a policy moved from its reference policy: KL(policy ‖ reference), in nats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..statistics import RESAMPLES, Estimate, not_estimable, ratio_estimates


@dataclass(frozen=True)
class Divergence:
    """KL in nats a sequence and, where token counts are known, in nats a token."""

    per_sequence: Estimate
    per_token: Estimate


def kl_from_samples(
    logps_N: ArrayLike,
    reference_logps_N: ArrayLike,
    *,
    tokens_N: ArrayLike | None = None,
    documents_N: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Divergence:
    """KL(policy ‖ reference) = E[log π(y) − log π_ref(y)] over texts y sampled from the policy.

    `logps_N` and `reference_logps_N` are sums over the sampled tokens, end token included, in nats. They must be of
    the distribution that was sampled: at temperature T both are of logits / T, and top-p samples estimate no KL.
    The plain mean is unbiased; a small true KL can therefore come out below 0. Documents weigh by their samples
    and are resampled whole.

    A text that the policy gives no probability is a mistake (it was sampled from it): ValueError. If the reference
    gives one none, the KL is infinite and that is said.
    """
    logps, reference = (np.asarray(a, dtype=np.float64) for a in (logps_N, reference_logps_N))
    if logps.shape != reference.shape:
        raise ValueError(f"{len(logps)} log-probabilities of the policy but {len(reference)} of the reference")
    if not np.isfinite(logps).all():
        raise ValueError(
            f"sample {int(np.argmin(np.isfinite(logps)))} has no finite log-probability under its own policy"
        )
    if len(logps) == 0:
        return Divergence(not_estimable("no samples"), not_estimable("no samples"))
    documents = [str(n) for n in range(len(logps))] if documents_N is None else list(documents_N)
    place = {document: index for index, document in enumerate(dict.fromkeys(documents))}
    if not np.isfinite(reference).all():
        impossible = int(np.sum(~np.isfinite(reference)))
        why = f"the reference policy gives {impossible} of {len(logps)} samples no probability: the KL is infinite"
        return Divergence(not_estimable(why, len(place)), not_estimable(why, len(place)))
    at = np.array([place[document] for document in documents])
    gained, count, tokens = (
        np.bincount(at, weights=weights, minlength=len(place))
        for weights in (
            logps - reference,
            np.ones(len(logps)),
            np.zeros(len(logps)) if tokens_N is None else np.asarray(tokens_N, dtype=np.float64),
        )
    )
    sequence, token = ratio_estimates(
        np.stack([gained, gained], axis=1), np.stack([count, tokens], axis=1), resamples=resamples, seed=seed
    )
    return Divergence(sequence, not_estimable("token counts are not given", len(place)) if tokens_N is None else token)
