"""Models: any Hugging Face causal or encoder-decoder model with its tokenizer, adapters, and reward heads.

>>> policy = load_policy("models/supervised")     # doctest: +SKIP
>>> add_adapter(policy, rank=8)                   # doctest: +SKIP
>>> save_policy(policy, "models/adapter")         # doctest: +SKIP
"""

from .adapters import add_adapter, base_weights, use_adapter
from .files import check_replaceable, fingerprint_of, model_folder
from .initial import SIZES, init_model, train_tokenizer
from .policy import Policy, load_policy, save_policy
from .reranker import LoadedReranker, Pool, Reranker, load_reranker, save_reranker
from .reward import (
    LoadedRewardModel,
    ReadAt,
    RewardModel,
    load_reward_model,
    reward_model_from_policy,
    save_reward_model,
    value_head_on,
)
from .structure import decoder_start_id, disable_dropout, evaluating, is_encoder_decoder, max_positions, unwrap
from .tokenizer import ensure_pad
from .warm_start import warm_start_encoder_decoder

__all__ = [
    "SIZES",
    "LoadedReranker",
    "LoadedRewardModel",
    "Policy",
    "Pool",
    "ReadAt",
    "Reranker",
    "RewardModel",
    "add_adapter",
    "base_weights",
    "check_replaceable",
    "decoder_start_id",
    "disable_dropout",
    "ensure_pad",
    "evaluating",
    "fingerprint_of",
    "init_model",
    "is_encoder_decoder",
    "load_policy",
    "load_reranker",
    "load_reward_model",
    "max_positions",
    "model_folder",
    "reward_model_from_policy",
    "save_policy",
    "save_reranker",
    "save_reward_model",
    "train_tokenizer",
    "unwrap",
    "use_adapter",
    "value_head_on",
    "warm_start_encoder_decoder",
]
