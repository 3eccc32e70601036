"""What several runs of a recipe may share: which settings each of its steps depends on, and the models it trains.

Two runs with the same values of a stage's settings would make the same models, candidates and judgements in it.
A stage names every setting that it depends on, those of the stages before it included; in doubt it names more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .settings import Settings


@dataclass(frozen=True)
class Stage:
    """Steps whose results follow from the same `settings`, dotted names of parts or of single values.

    `models` are patterns of the folders that these steps leave in `models/` and `training/`; `writers` are patterns of
    models whose candidates belong to these steps. `orders` says that a judge compares or ranks here, on documents that
    are not tested: what is said of several candidates at once holds only where the candidates are the same.
    """

    steps: tuple[str, ...]
    settings: tuple[str, ...]
    models: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    orders: bool = False


# llm-reference. `candidates.unseen` keeps documents from the warm-up; a new model's vocabulary is that of the documents
# and of what is imitated. No training looks at `evaluation`. The twin imitates the documents that were ranked, as often
# as contrast learned from them: that hangs on the ranking too, so `imitate_beside` looks before it takes one over.
_IMITATED = ("seed", "data", "targets")
_WARM = (*_IMITATED, "start", "warm_up", "candidates.unseen")
_WRITTEN = (*_WARM, "candidates")
_RANKED = (*_WRITTEN, "ranking")
_CONTRASTED = ("contrastive", "contrastive-*")
_IMITATES = ("training", "select", "watch", "decoding", "seeds", "loss.label_smoothing")
_TWIN = (*_WARM, "candidates.documents", "candidates.valid_documents", *(f"contrast.{name}" for name in _IMITATES))
_TWINS = ("imitation", "imitation-*")

LLM_REFERENCE = (
    Stage(("targets",), _IMITATED),
    Stage(("warm-up",), _WARM, models=("start", "warm", "warm-*")),
    Stage(("candidates",), _WRITTEN, writers=("warm", "warm-*")),
    Stage(("ranking",), _RANKED, orders=True),
    Stage(("contrast",), (*_RANKED, "contrast"), models=_CONTRASTED, writers=_CONTRASTED),
    Stage(("imitation",), _TWIN, models=_TWINS, writers=_TWINS),
    Stage(("reranker",), (*_RANKED, "reranker"), models=("reranker", "reranker-*")),
)

# human-feedback. Which policies are trained (`improve`) changes none of them.
_SUPERVISED = ("seed", "data", "start", "supervised", "candidates.unseen")
_SAMPLED = (*_SUPERVISED, "candidates")
_COMPARED = (*_SAMPLED, "feedback")
_REWARDED = (*_COMPARED, "reward")
_REINFORCED = ("ppo", "ppo-*", "rloo", "rloo-*")
_REJECTED = ("rejection", "rejection-*")

HUMAN_FEEDBACK = (
    Stage(("supervised",), _SUPERVISED, models=("start", "supervised", "supervised-*")),
    Stage(("candidates",), _SAMPLED, writers=("supervised", "supervised-*")),
    Stage(("feedback",), _COMPARED, orders=True),
    Stage(("reward",), _REWARDED, models=("reward", "reward-*")),
    Stage(("ppo", "rloo"), (*_REWARDED, "reinforcement"), models=_REINFORCED, writers=_REINFORCED),
    Stage(("rejection",), (*_REWARDED, "rejection"), models=_REJECTED, writers=_REJECTED),
)


def shared(stages: Iterable[Stage], mine: Settings, other: Settings) -> tuple[Stage, ...]:
    """The stages that come out alike under both settings."""
    one, two = mine.model_dump(mode="json"), other.model_dump(mode="json")
    return tuple(stage for stage in stages if all(_at(one, name) == _at(two, name) for name in stage.settings))


def _at(values: Any, name: str) -> Any:
    for part in name.split("."):
        values = values[part]
    return values
