"""Policies that are trained towards the reward model: reinforcement learning, and imitation of the best samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from ...evaluation.optimization.divergence import Divergence, kl_from_samples
from ...judges.ensemble import EnsembleJudge
from ...judges.protocol import Judge
from ...judges.reward import RewardJudge
from ...logprobs import sequence_logprobs
from ...models import RewardModel, save_policy, save_reward_model, value_head_on
from ...objectives import nll
from ...records import Group
from ...sampling.decoding import Decoding
from ...selection import best_of, reference_groups
from ...training import OnlineConfig, TrainConfig
from ...training.batches import examples_of, fixed_batches
from ...training.online import train_online
from ..settings import Settings
from ..workspace import Workspace, announce
from .candidates import judge, write_candidates
from .policies import load_like
from .training import train_in
from .watching import WATCH, watcher
from .writer import Writer

TOKENS_PER_BATCH = 8192


class ReinforcementSettings(Settings):
    """Reinforcement learning against the reward model (Stiennon et al. 2020, §3.4 and app. B.1)."""

    online: OnlineConfig = OnlineConfig()
    """Rollouts and what they are worth."""
    training: TrainConfig = TrainConfig(learning_rate=1.5e-5, schedule="linear", eps=1e-5, keep_best=False)
    """Learning rate of the 1.3B model, linear decay: app. B.1; ε of Adam: Huang et al. 2024, detail 20."""
    seeds: tuple[int, ...] = ()
    """Train one policy for each of these seeds, of rollouts and orders; none is the recipe's seed."""
    value: Literal["separate", "shared"] = "separate"
    """PPO's value network: one of its own, started from the reward model, or a new head on the policy's trunk (the
    paper's ablation, which it found to be worse)."""
    watch: int = 0
    """Validation documents on which the gold judge looks every `training.evaluate_every` steps, or each iteration:
    over-optimization is seen by it (`training/ppo/watch`); 0 looks at none."""


class RejectionSettings(Settings):
    """Fine-tuning on the best of the training documents' candidates by the reward model."""

    training: TrainConfig = TrainConfig(learning_rate=6.35e-5, schedule="cosine", keep_best=False)
    """As supervised fine-tuning, but the last weights are kept: by its loss on references the policy would seldom be
    better than where it began."""
    seeds: tuple[int, ...] = ()
    """Train one policy for each of these seeds, of the documents' order; none is `training.seed`."""


def reinforce(
    work: Workspace,
    supervised: Writer,
    reward: RewardJudge | EnsembleJudge,
    groups: Sequence[Group],
    settings: ReinforcementSettings,
    *,
    method: Literal["ppo", "rloo"],
    gold: Judge,
    watched: Sequence[Group],
    seed: int,
) -> dict[str, Writer]:
    """The supervised policy trained towards the reward: by PPO, with a value network started from the reward model, or
    by RLOO; one policy a seed, by name. A collapse keeps the last good weights, and is said.

    `gold` trains nothing: it looks at summaries of `watched` documents on the way, as the settings say.
    """
    names = _names(method, settings.seeds, seed)
    for name, own in names.items():
        if not (work.models / name).is_dir():
            start = load_like(supervised, supervised.policy.path or "", to_train=True)
            value = _value_network(start, reward, settings, seed=own) if method == "ppo" else None
            measure = None
            if settings.watch:
                shown = watched[: settings.watch]
                looks, online = work.training / name / WATCH, settings.online
                measure = _watch(looks, start, supervised, reward, gold, shown, online, method=method, seed=own)
            result = train_online(
                start.policy,
                start.renderer,
                groups,
                reward,
                settings.online,
                replace(settings.training, seed=own),
                work.training / name,
                value=value,
                measure=measure,
                resume=True,
            )
            if result.stopped == "collapse":
                announce(f"  {name} was stopped: {result.reason}; the weights of step {result.kept_step:,} are kept")
            if value is not None:
                folder = work.models / f"{name}-value"
                save_reward_model(value, start.policy.tokenizer, folder, beside=start.renderer.save)
            save_policy(start.policy, work.models / name, beside=start.renderer.save)
    return {name: load_like(supervised, work.models / name) for name in names}


def _names(method: str, seeds: Sequence[int], seed: int) -> dict[str, int]:
    """The policies that a method trains, and the seed of each."""
    return {f"{method}-{own}": own for own in seeds} or {method: seed}


def _watch(
    folder: Path,
    policy: Writer,
    supervised: Writer,
    reward: Judge,
    gold: Judge,
    shown: Sequence[Group],
    online: OnlineConfig,
    *,
    method: str,
    seed: int,
) -> Callable[[int], Mapping[str, float]]:
    how = Decoding("temperature", temperature=online.temperature, max_new_tokens=online.max_new_tokens)
    reference = load_like(supervised, supervised.policy.path or "", to_train=True)
    return watcher(policy, reference, reward, gold, shown, how, folder, name=method, beta=online.beta, seed=seed)


def _value_network(
    start: Writer, reward: RewardJudge | EnsembleJudge, settings: ReinforcementSettings, *, seed: int
) -> RewardModel:
    if settings.value == "shared":
        return value_head_on(start.policy, seed=seed)
    member = reward.judges[0] if isinstance(reward, EnsembleJudge) else reward
    return copy.deepcopy(member.model)


def imitate_the_best(
    work: Workspace,
    supervised: Writer,
    reward: RewardJudge | EnsembleJudge,
    groups: Sequence[Group],
    held_out: Sequence[Group],
    settings: RejectionSettings,
) -> dict[str, Writer]:
    """The supervised policy fine-tuned on each document's best candidate by the reward; one policy a seed, by name.

    Validation is on the references of `held_out`: it shows how far the policy leaves them.
    """
    names = _names("rejection", settings.seeds, settings.training.seed)
    missing = {name: own for name, own in names.items() if not (work.models / name).is_dir()}
    if missing:
        chosen = best_of(judge(work, reward, groups), reward.info)
        announce(f"  {chosen}")
        validation = reference_groups(held_out).groups
        for name, own in missing.items():
            start = load_like(supervised, supervised.policy.path or "", to_train=True)
            config = replace(settings.training, seed=own)
            train_in(
                work,
                name,
                start.policy.model,
                start.renderer,
                start.policy.pad_id,
                chosen.groups,
                validation,
                nll(),
                config,
            )
            save_policy(start.policy, work.models / name, beside=start.renderer.save)
    return {name: load_like(supervised, work.models / name) for name in names}


# Samples a document to estimate how far a policy moved.
SAMPLES = 2


def moved_from(
    work: Workspace, policy: Writer, reference: Writer, groups: Sequence[Group], decoding: Decoding, *, seed: int
) -> Divergence:
    """KL(policy ‖ reference) in nats a summary, over summaries sampled at the decoding's temperature."""
    plainly = Decoding("temperature", temperature=decoding.temperature, max_new_tokens=decoding.max_new_tokens)
    written = write_candidates(work, policy, groups, plainly, k=SAMPLES, seed=seed)
    return divergence(policy, reference, written, temperature=plainly.temperature)


@torch.no_grad()
def divergence(policy: Writer, reference: Writer, groups: Sequence[Group], *, temperature: float) -> Divergence:
    """KL(policy ‖ reference) over the groups' candidates, which the policy sampled at this temperature."""
    examples = examples_of(policy.renderer, [group for group in groups if group.candidates])
    lengths = [example.forwarded for example in examples]
    logps: list[float] = []
    reference_logps: list[float] = []
    tokens: list[int] = []
    documents: list[str] = []
    for batch in fixed_batches(lengths, tokens_per_batch=TOKENS_PER_BATCH, groups_per_batch=None):
        chosen = [examples[index].tokens for index in batch]
        scored, other = (
            sequence_logprobs(writer.policy.model, chosen, pad_id=writer.policy.pad_id, temperature=temperature)
            for writer in (policy, reference)
        )
        real = scored.mask_BK
        logps += scored.logps_BKT.double().sum(-1)[real].tolist()
        reference_logps += other.logps_BKT.double().sum(-1)[real].tolist()
        tokens += scored.mask_BKT.sum(-1)[real].tolist()
        documents += [group.source_id for group in chosen for _ in group.continuations]
    return kl_from_samples(logps, reference_logps, tokens_N=tokens, documents_N=documents)
