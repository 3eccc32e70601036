"""What the stopping rule would have done in a measured run, checked on documents that it did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .earlystopping import Checkpoint, StoppingRule, stopping_point
from .frontier import GOLD, KL, PROXY, Study


@dataclass(frozen=True)
class Replay:
    """The rule sees gold on half of the documents; `gold` is the kept point's on the other half.

    `share` is its gain over the first point as a share of the highest gain there, None where nothing was gained.
    """

    stop: bool
    stopped: str
    kept: str
    why: str
    gold: float | None
    share: float | None


def replay_rule(study: Study, rule: StoppingRule | None = None, *, seed: int = 0) -> Replay | None:
    """The `Replay` of a study over steps; None if it has too few steps or documents for the rule to say anything."""
    values = study.values_DS3
    rule = rule or StoppingRule()
    complete = np.isfinite(values[:, :, GOLD]).all(axis=1)
    if study.over != "step" or len(study.labels) < 2 * rule.window or complete.sum() < 4:
        return None
    places = np.random.default_rng(seed).permutation(np.flatnonzero(complete))
    shown, hidden = places[: len(places) // 2], places[len(places) // 2 :]
    seen_S3 = values[shown].mean(axis=0)
    path = [Checkpoint(float(own[KL]), float(own[PROXY]), float(own[GOLD])) for own in seen_S3]
    stopped, decision = stopping_point(path, rule)
    gold_S = values[hidden, :, GOLD].mean(axis=0)
    best = float(gold_S.max() - gold_S[0])
    kept = float(gold_S[decision.keep])
    return Replay(
        decision.stop,
        study.labels[stopped],
        study.labels[decision.keep],
        decision.why,
        kept,
        (kept - float(gold_S[0])) / best if best > 0 else None,
    )
