"""Tiny models and random examples for the training tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from precis.models import Policy, reward_model_from_policy
from precis.models.reward import RewardModel
from precis.records import Document, Group, Preference
from precis.render import Renderer, TokenGroup, template_named
from precis.training import OnlineConfig, TrainConfig
from precis.training.batches import Example
from precis.training.online import train_online
from tiny import TEXTS

PAD, EOS, VOCABULARY = 0, 2, 40


def tiny_llama(seed: int = 0, *, dropout: float = 0.0) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        attention_dropout=dropout,
        bos_token_id=1,
        eos_token_id=EOS,
    )
    return LlamaForCausalLM(config)


def tiny_gpt2(seed: int = 0, *, dropout: float = 0.0) -> Any:
    """In float64: unlike a Llama, whose norms compute in float32, it is exact to the last digits throughout."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=64,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=1,
        eos_token_id=EOS,
    )
    return GPT2LMHeadModel(config).double()


def tiny_reward_model(trunk: Any = None) -> RewardModel:
    trunk = tiny_llama().model if trunk is None else trunk
    return RewardModel(trunk, torch.nn.Linear(16, 1, bias=False, dtype=next(trunk.parameters()).dtype))


def some_examples(count: int, *, seed: int = 0, candidates: int = 1) -> list[Example]:
    """Groups of random tokens; candidate k is preferred to candidate k+1, and holds one more of token 7."""
    draw = random.Random(seed)

    def tokens(length: int) -> tuple[int, ...]:
        return tuple(draw.randrange(8, VOCABULARY) for _ in range(length))

    found = []
    for number in range(count):
        continuations = tuple(
            (*tokens(draw.randint(1, 5)), *(7,) * (candidates - 1 - k), EOS) for k in range(candidates)
        )
        pairs = tuple(Preference(k, k + 1) for k in range(candidates - 1))
        found.append(Example(TokenGroup(f"source {number}", tokens(draw.randint(3, 14)), continuations), pairs))
    return found


def plain_logps(model: Any, prefix: tuple[int, ...], continuation: tuple[int, ...]) -> torch.Tensor:
    """Log-probs of every token but the first of one row: the definition, by transformers' own forward pass."""
    ids = torch.tensor([[*prefix, *continuation]])
    logps = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    return logps[torch.arange(ids.shape[1] - 1), ids[0, 1:]]


def letters(document: str, summaries: Sequence[str]) -> list[float]:
    """A reward: as many points as the summary has letters "e", 4 at most."""
    return [min(4.0, text.count("e")) for text in summaries]


def go_online(run: Path, policy: Policy, *, ppo: bool = True, reward: Any = letters, **changes: Any) -> Any:
    """A small reinforcement learning in `run`, on whose changes of settings the caller decides; the value network."""
    online: dict[str, Any] = {"iterations": 2, "documents": 3, "k": 2, "max_new_tokens": 6, "passes": 2, "max_kl": None}
    training: dict[str, Any] = {
        "learning_rate": 3e-3, "schedule": "constant", "precision": "fp32", "trackers": (), "keep_best": False,
    }  # fmt: skip
    rest = {"resume": False, "guards": ()}
    for given, kind in ((online, OnlineConfig), (training, TrainConfig)):
        given |= {field.name: changes.pop(field.name) for field in fields(kind) if field.name in changes}
    value = changes.pop("value", reward_model_from_policy(policy, seed=1) if ppo else None)
    result = train_online(
        policy,
        Renderer(policy.tokenizer, template_named("separator"), max_prefix_tokens=64),
        [Group(Document(text), ()) for text in TEXTS],
        reward,
        OnlineConfig(**online),
        TrainConfig(**training),
        run,
        value=value,
        quiet=True,
        **{**rest, **changes},
    )
    return result, value
