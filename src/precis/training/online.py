"""Reinforcement learning on the one loop: write, score, turn scores into advantages, update; again.

Each iteration is an epoch of the loop whose examples are made when it begins, by the policy as it then is
(Stiennon et al. 2020, §3.4; Huang et al. 2024). PPO where there is a value network, RLOO where there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import UserError
from ..judges.protocol import Judge
from ..models.policy import Policy
from ..models.reward import RewardModel
from ..objectives import ppo, rloo
from ..records import Group
from ..render import Renderer
from .actor_critic import ActorCritic
from .config import TrainConfig
from .guards import Guard
from .launch import asked_for, carry_out
from .online_config import OnlineConfig
from .rewarding import RewardFunction, reward_name
from .rollout_source import RolloutSource
from .run_folder import TrainResult
from .step import Scoring

ROLLOUTS = "rollouts"


def train_online(
    policy: Policy,
    renderer: Renderer,
    groups: Sequence[Group],
    reward: Judge | RewardFunction,
    online: OnlineConfig,
    config: TrainConfig,
    run_dir: Path | str,
    *,
    value: RewardModel | None = None,
    measure: Callable[[int], Mapping[str, float]] | None = None,
    resume: bool = False,
    guards: Sequence[Guard] | None = None,
    quiet: bool = False,
) -> TrainResult:
    """Train `policy` in place towards what `reward` prefers; with `value`, by PPO and training that network too.

    `groups` hold the documents, and references if the reward wants them; their candidates play no part. `reward` is
    a judge that scores (a reward model, ROUGE, the oracle) or any function of a document and its summaries. The
    reference policy is a frozen copy of `policy` as given, or its base weights under LoRA. Of `config`, `epochs`
    and `accumulation` play no part: an iteration has `passes` × `minibatches` steps, in batches of the token budget.
    There is no best step unless `measure` gives its `best_metric`.

    Killed and resumed, the run ends with the same weights, bit for bit on a CPU, and samples no iteration twice.
    Raises `UserError` as `train` does, for a reward that fails, and for settings that make no sense together.
    """
    if value is None and online.k < 2:
        raise UserError("RLOO compares the summaries of a document with each other: set k to at least 2")
    if len({group.source.id for group in groups}) < online.documents:
        raise UserError(f"{len(groups):,} documents are fewer than the {online.documents:,} of one iteration")
    objective = (
        rloo(clip=online.clip)
        if value is None
        else ppo(clip=online.clip, value_clip=online.value_clip, value_weight=online.value_weight)
    )
    options = {"pad_id": policy.pad_id, "temperature": online.temperature, **asked_for(objective)}
    folder = Path(run_dir) / ROLLOUTS

    def source(how: Scoring) -> RolloutSource:
        return RolloutSource(policy, renderer, groups, reward, online, config, how, folder, quiet=quiet)

    return carry_out(
        ActorCritic(policy.model, value),
        source,
        objective,
        config,
        Path(run_dir),
        options=options,
        identity={
            "online": asdict(online),
            "reward": reward_name(reward),
            "documents": _fingerprint(groups, renderer),
        },
        measure=measure,
        resume=resume,
        guards=online.guards if guards is None else guards,
        quiet=quiet,
    )


def _fingerprint(groups: Sequence[Group], renderer: Renderer) -> str:
    digest = hashlib.sha256(renderer.prompt_hash.encode())
    for group in groups:
        digest.update(group.source.id.encode())
    return digest.hexdigest()[:24]
