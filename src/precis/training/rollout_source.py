"""Iterations of reinforcement learning as epochs of the loop: examples that the policy writes when an epoch begins."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn

from ..judges.protocol import Judge
from ..logprobs import Scored, sequence_logprobs
from ..models.adapters import base_weights
from ..models.policy import Policy
from ..models.structure import evaluating
from ..records import Candidate, Group, Maker
from ..render import Renderer, TokenGroup
from ..sampling.decoding import Decoding, Sample
from ..sampling.local import generate
from .batches import Example, fixed_batches
from .config import TrainConfig
from .online_config import OnlineConfig
from .rewarding import RewardFunction, rewards_of
from .rollouts import Written, examples_of_rollouts, load_rollouts, metrics_of_rollouts, save_rollouts
from .sources import Epoch
from .state import together
from .step import Scoring


class RolloutSource:
    """Iterations as epochs: examples that the policy writes when the epoch begins."""

    def __init__(
        self,
        policy: Policy,
        renderer: Renderer,
        groups: Sequence[Group],
        reward: Judge | RewardFunction,
        online: OnlineConfig,
        config: TrainConfig,
        how: Scoring,
        folder: Path,
        *,
        quiet: bool,
    ):
        self.policy, self.renderer, self.reward = policy, renderer, reward
        self.groups = {group.source.id: group for group in groups}
        self.online, self.config, self.how, self.folder, self.quiet = online, config, how, folder, quiet
        self.size, self.left_out = len(self.groups), 0
        self.has_adapter = hasattr(policy.model, "disable_adapter")
        # As it is before any step; a resumed run makes it before the checkpoint's weights are put in place.
        self.reference: nn.Module | None = None
        if not self.has_adapter:
            self.reference = copy.deepcopy(policy.model).requires_grad_(False).eval()
        self.writer = _Writer(policy, half=how.autocast._enabled)

    @property
    def total_steps(self) -> int:
        return self.online.iterations * self.online.passes * self.online.minibatches

    def epoch(self, number: int) -> Epoch:
        path = self._path(number)
        written = load_rollouts(path)
        if written is None:
            written = self._write(number)
            together(self.how.accelerator, lambda: save_rollouts(written, path))
        prefixes = {group.source_id: self._prefix(group.source_id) for group in written}
        examples = examples_of_rollouts(written, prefixes, self.online)
        return Epoch(list(self._steps(examples, number)), metrics_of_rollouts(written, self.online), "rollout")

    def keep(self, number: int) -> None:
        # The finished iteration before it stays, for whoever wants to see what the policy wrote.
        for path in self.folder.glob("*.safetensors"):
            if path.name < self._path(max(0, number - 1)).name:
                path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"iteration-{number:08d}.safetensors"

    def _prefix(self, source_id: str) -> TokenGroup:
        prefix = self.renderer.prefix(self.groups[source_id].source)
        return TokenGroup(source_id, prefix.ids, (), prefix.cut_characters)

    def _documents(self, number: int) -> list[str]:
        """This iteration's documents: the next of an order that is shuffled anew when it is used up."""
        names, wanted = list(self.groups), self.online.documents
        drawn: list[str] = []
        place = number * wanted
        while len(drawn) < wanted:
            cycle, first = divmod(place, len(names))
            order = random.Random(f"{self.config.seed}/documents/{cycle}").sample(names, len(names))
            # Where two orders meet, a document that is drawn already waits for another iteration.
            taken = [name for name in order[first:] if name not in drawn][: wanted - len(drawn)]
            drawn, place = drawn + taken, (cycle + 1) * len(names)
        return drawn

    def _steps(self, examples: Sequence[Example], number: int) -> Iterator[list[list[Example]]]:
        """`passes` times all examples in `minibatches` steps, each in batches of the token budget."""
        count = self.online.minibatches
        for turn in range(self.online.passes):
            order = random.Random(f"{self.config.seed}/{number}/{turn}").sample(list(examples), len(examples))
            for part in range(count):
                chosen = order[part * len(order) // count : (part + 1) * len(order) // count]
                yield [list(batch) for batch in self._batches(chosen)]

    def _batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        lengths = [example.forwarded for example in examples]
        batches = fixed_batches(
            lengths, tokens_per_batch=self.config.tokens_per_batch, groups_per_batch=self.config.groups_per_batch
        )
        return [[examples[index] for index in batch] for batch in batches]

    def _write(self, number: int) -> list[Written]:
        """Sample, ask for rewards, score: each process its share of the documents, all of them the result."""
        accelerator = self.how.accelerator
        names = self._documents(number)
        own = names[accelerator.process_index :: accelerator.num_processes]
        samples = self._sample(own, number)
        scores = self._rewards(own, samples)
        written = self._score(own, samples, scores)
        if accelerator.num_processes == 1:
            return written
        by_name = {group.source_id: group for group in gather_object(written)}
        return [by_name[name] for name in names]

    def _sample(self, names: Sequence[str], number: int) -> list[list[Sample]]:
        online = self.online
        return generate(
            self.writer.now(),
            [self._prefix(name).prefix_ids for name in names],
            decoding=Decoding("temperature", temperature=online.temperature, max_new_tokens=online.max_new_tokens),
            k=online.k,
            seed=self.config.seed,
            keys=[f"{number}/{name}" for name in names],
        )

    def _rewards(self, names: Sequence[str], samples: Sequence[Sequence[Sample]]) -> list[list[float | None]]:
        maker = Maker("policy", self.policy.fingerprint, {"while": "training"})
        groups = []
        for name, own in zip(names, samples, strict=True):
            candidates = tuple(
                Candidate(
                    name,
                    self.renderer.decode(sample.token_ids),
                    maker,
                    index=index,
                    token_ids=sample.token_ids,
                    tokenizer=self.renderer.tokenizer_hash,
                    finished=sample.finished,
                )
                for index, sample in enumerate(own)
            )
            known = self.groups[name]
            groups.append(Group(known.source, candidates, known.references))
        return rewards_of(self.reward, groups)

    @torch.no_grad()
    def _score(
        self, names: Sequence[str], samples: Sequence[Sequence[Sample]], scores: Sequence[list[float | None]]
    ) -> list[Written]:
        """Log-probs of policy and reference and the values, by the same code that the updates use."""
        tokens = []
        for name, own in zip(names, samples, strict=True):
            prefix = self._prefix(name)
            ids = tuple(sample.token_ids for sample in own)
            tokens.append(TokenGroup(name, prefix.prefix_ids, ids, prefix.cut_characters))
        by_name: dict[str, dict[str, Tensor]] = {}
        for batch in self._batches([Example(group) for group in tokens]):
            groups = [example.tokens for example in batch]
            with self.how.autocast, evaluating(self.how.scorer):
                scored = self.how.scorer(groups, **self.how.options, entropy=True)
                reference = self._reference_logps(groups)
            for row, group in enumerate(groups):
                real_KT = scored.mask_BKT[row]
                found = {
                    "logps": scored.logps_BKT,
                    "reference_logps": reference.logps_BKT,
                    "entropy": scored.entropy_BKT,
                    "values": scored.values_BKT,
                }
                by_name[group.source_id] = {
                    name: values[row][real_KT].float().cpu() for name, values in found.items() if values is not None
                }
        return [
            Written(
                name,
                [list(sample.token_ids) for sample in own],
                [sample.finished for sample in own],
                list(rewards),
                **by_name[name],
            )
            for name, own, rewards in zip(names, samples, scores, strict=True)
        ]

    def _reference_logps(self, groups: Sequence[TokenGroup]) -> Scored:
        model = self.policy.model if self.reference is None else self.reference
        with base_weights(self.policy) if self.reference is None else nullcontext():
            return sequence_logprobs(model, groups, pad_id=self.policy.pad_id, temperature=self.online.temperature)


class _Writer:
    """The policy as the sampler takes it: itself, or a copy in bfloat16 that follows it, where that is faster."""

    def __init__(self, policy: Policy, *, half: bool):
        self.policy = policy
        model: Any = policy.model
        self.copy: Any = copy.deepcopy(model).to(torch.bfloat16).requires_grad_(False) if half else None

    def now(self) -> Policy:
        """A policy to sample from, with the weights of this moment."""
        if self.copy is None:
            return self.policy
        with torch.no_grad():
            for mine, theirs in zip(self.copy.parameters(), self.policy.model.parameters(), strict=True):
                mine.copy_(theirs)
        return Policy(self.copy, self.policy.tokenizer, self.policy.fingerprint, self.policy.path)
