"""Reward models: a text model without its LM head and a scalar head on the candidate's last token.

Stiennon et al. 2020, appendix B. A decoder-only reward model is saved as the `…ForSequenceClassification` model
of its architecture, so that `AutoModelForSequenceClassification` loads it and gives the same numbers, before the
offset; another one as a folder `trunk` and a file `head.safetensors`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ..errors import UserError
from .files import atomic_folder, fingerprint_of, model_folder, quiet, read_json, readable
from .policy import Policy, load_weights, target_device, target_dtype
from .structure import decoder_of, decoder_start_id, freeze_unused, is_encoder_decoder, trunk_of, unwrap
from .tokenizer import check_vocabulary, end_id, load_tokenizer

METADATA = "precis_reward.json"


ReadAt = Literal["last token", "every token"]


class RewardModel(nn.Module):
    """`score(hidden_MD) → rewards_M`; `trunk` makes the hidden states, `offset` is what is taken off.

    `read_at` the last token, as in the papers, or `every token`: the reward is then the mean of the head's numbers from
    the prompt's end to the last token. A small trunk has little of what it thought on the way in its last state.

    A head of ours has no bias: only differences of rewards are trained, and the offset, set so that reference
    summaries average 0, does what a bias would. When another head is saved, its bias goes into the offset.
    """

    def __init__(self, trunk: nn.Module, head: nn.Linear, offset: float = 0.0, read_at: ReadAt = "last token"):
        super().__init__()
        self.trunk, self.head, self.offset, self.read_at = trunk, head, offset, read_at

    def score(self, hidden_MD: Tensor) -> Tensor:
        """The rewards of M candidates from the hidden states at their last tokens; in float32 at least."""
        dtype = torch.promote_types(hidden_MD.dtype, torch.float32)
        with torch.autocast(hidden_MD.device.type, enabled=False):
            bias = None if self.head.bias is None else self.head.bias.to(dtype)
            return nn.functional.linear(hidden_MD.to(dtype), self.head.weight.to(dtype), bias)[:, 0] - self.offset


@dataclass
class LoadedRewardModel:
    """A reward model with the tokenizer that it reads with. `fingerprint` names configuration and weights."""

    model: RewardModel
    tokenizer: Any
    fingerprint: str
    path: Path

    @property
    def is_encoder_decoder(self) -> bool:
        return is_encoder_decoder(self.model.trunk)

    @property
    def decoder_start_id(self) -> int | None:
        return decoder_start_id(self.model.trunk) if self.is_encoder_decoder else None

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def eos_id(self) -> int:
        end = end_id(self.tokenizer)
        assert end is not None
        return end


def reward_model_from_policy(policy: Policy, *, seed: int = 0, read_at: ReadAt = "last token") -> RewardModel:
    """A reward model that starts from a copy of the policy's weights (adapters merged in) and a new head.

    Head weights are drawn from N(0, 1/(d+1)), as the paper has it; the offset is 0.
    """
    model: Any = policy.model
    if hasattr(model, "merge_and_unload"):
        model = copy.deepcopy(model).merge_and_unload()
    trunk = copy.deepcopy(_trunk(model))
    trunk.requires_grad_(True)
    _freeze_unused(trunk)
    return RewardModel(trunk, _new_head(trunk, seed), read_at=read_at)


def value_head_on(policy: Policy, *, seed: int = 0) -> RewardModel:
    """A value network that is the policy's own trunk with a new head: what trains the one moves the other.

    For the ablation of Stiennon et al. 2020 (app. B.1), who found a network of its own to be better. Raises
    `UserError` for an encoder-decoder whose trunk cannot be shared.
    """
    model = unwrap(policy.model)
    kind = model.config.model_type
    if is_encoder_decoder(model) and kind != "encoder-decoder" and not hasattr(model, model.base_model_prefix):
        raise UserError(f"a {kind} model cannot share its trunk with a value head")
    trunk = _trunk(model)
    return RewardModel(trunk, _new_head(trunk, seed))


def _new_head(trunk: Any, seed: int) -> nn.Linear:
    """Weights from N(0, 1/(d+1)); Stiennon et al. 2020, app. B.1."""
    parameter = next(trunk.parameters())
    head = nn.Linear(_width(trunk), 1, bias=False, device=parameter.device, dtype=parameter.dtype)
    with torch.no_grad():
        noise = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(seed))
        head.weight.copy_(noise * (_width(trunk) + 1) ** -0.5)
    return head


def _freeze_unused(trunk: Any) -> None:
    freeze_unused(trunk)
    if trunk.config.model_type == "encoder-decoder":
        used = set(map(id, decoder_of(trunk).parameters()))
        for parameter in trunk.decoder.parameters():  # its LM head
            parameter.requires_grad_(parameter.requires_grad and id(parameter) in used)


def _trunk(model: Any) -> Any:
    """The model without its LM head."""
    inner = unwrap(model)
    if not inner.config.is_encoder_decoder:
        return trunk_of(inner)
    if inner.config.model_type == "encoder-decoder":
        return inner  # its decoder keeps the LM head, which is not used
    if hasattr(inner, inner.base_model_prefix):
        return getattr(inner, inner.base_model_prefix)
    from transformers import AutoModel

    with quiet():
        auto: Any = AutoModel
        trunk = auto.from_config(inner.config, dtype=inner.dtype)
    trunk.load_state_dict({k: v for k, v in inner.state_dict().items() if k in trunk.state_dict()})
    return trunk.to(inner.device).train(inner.training)


def _width(trunk: Any) -> int:
    config = trunk.config.decoder if trunk.config.model_type == "encoder-decoder" else trunk.config.get_text_config()
    return int(config.hidden_size)


def save_reward_model(
    model: RewardModel, tokenizer: Any, folder: Path | str, *, beside: Callable[[Path], None] | None = None
) -> Path:
    """Write the reward model, whole or not at all; `beside` may write more files before the folder appears."""
    target = Path(folder)
    trunk: Any = model.trunk
    # The library's classifiers read the last token.
    classifier = _classifier_of(trunk) if model.read_at == "last token" else None
    bias = 0.0 if model.head.bias is None else model.head.bias.item()
    metadata = {"format": 1, "offset": float(model.offset) - bias, "read_at": model.read_at}
    with atomic_folder(target) as partial, quiet():
        if classifier is not None:
            _as_classifier(classifier, trunk, model.head, int(tokenizer.pad_token_id)).save_pretrained(str(partial))
        else:
            from safetensors.torch import save_file

            trunk.save_pretrained(str(partial / "trunk"))
            save_file({"weight": model.head.weight.detach().contiguous()}, str(partial / "head.safetensors"))
        tokenizer.save_pretrained(str(partial))
        (partial / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", "utf-8")
        if beside is not None:
            beside(partial)
    return target


def _classifier_of(trunk: Any) -> Any:
    """The architecture's sequence classifier, if it is one whose `score` layer reads the last token."""
    from transformers import AutoModelForSequenceClassification

    config = trunk.config
    mapping: Any = AutoModelForSequenceClassification._model_mapping
    if config.is_encoder_decoder or type(config) not in mapping:
        return None
    classifier = mapping[type(config)]
    with torch.device("meta"), quiet():
        empty = classifier(copy.deepcopy(config))
    score = getattr(empty, "score", None)
    fits = isinstance(score, nn.Linear) and type(getattr(empty, empty.base_model_prefix, None)) is type(trunk)
    return classifier if fits else None


def _as_classifier(classifier: Any, trunk: Any, head: nn.Linear, pad_id: int) -> Any:
    config = copy.deepcopy(trunk.config)
    config.num_labels, config.pad_token_id, config.architectures = 1, pad_id, [classifier.__name__]
    with torch.device("meta"):
        model = classifier(config)
    setattr(model, model.base_model_prefix, trunk)
    model.score = nn.Linear(head.in_features, 1, bias=False, device="meta")
    model.score.weight = head.weight
    model.config.dtype = trunk.dtype
    return model


def load_reward_model(
    path: Path | str, *, dtype: str | torch.dtype = "auto", device: str | torch.device = "auto"
) -> LoadedRewardModel:
    """A saved reward model, or anyone's `…ForSequenceClassification` model with one label (its offset is 0).

    Raises `UserError` as `load_policy` does, and for a model without a scalar head.
    """
    from transformers import AutoModel, AutoModelForSequenceClassification, EncoderDecoderModel

    folder = Path(path)
    number, where = target_dtype(dtype), target_device(device)
    if (folder / "trunk").is_dir():
        config = read_json(model_folder(folder / "trunk"), "config.json") or {}
        kind = EncoderDecoderModel if config.get("model_type") == "encoder-decoder" else AutoModel
        trunk = load_weights(kind, folder / "trunk", number)
        _freeze_unused(trunk)
        head = _read_head(folder, _width(trunk)).to(number)
    else:
        folder = model_folder(path)
        config = read_json(folder, "config.json") or {}
        labels = config.get("num_labels", len(config.get("id2label", {})))
        if "SequenceClassification" not in " ".join(config.get("architectures") or ()) or labels not in (0, 1):
            raise UserError(f"{path} is not a reward model: it has no head that gives one number")
        classifier = load_weights(AutoModelForSequenceClassification, folder, number)
        if not isinstance(getattr(classifier, "score", None), nn.Linear):
            raise UserError(f"{path} is a classifier that does not read the last token ({type(classifier).__name__})")
        trunk, head = getattr(classifier, classifier.base_model_prefix), classifier.score
    tokenizer = load_tokenizer(folder)
    check_vocabulary(tokenizer, trunk, folder)
    if tokenizer.pad_token_id is None:
        raise UserError(f"the tokenizer in {folder} has no PAD token; set pad_token in its config")
    metadata = read_json(folder, METADATA) or {}
    try:
        offset = float(metadata.get("offset", 0.0))
    except (TypeError, ValueError) as error:
        raise UserError(f"{folder / METADATA} has an offset that is no number") from error
    read_at = metadata.get("read_at", "last token")
    if read_at not in get_args(ReadAt):
        raise UserError(f"{folder / METADATA} says that rewards are read at {read_at!r}, which is not known")
    model = RewardModel(trunk, head, offset, read_at).to(where)
    return LoadedRewardModel(model.eval(), tokenizer, fingerprint_of(folder), folder)


def _read_head(folder: Path, width: int) -> nn.Linear:
    from safetensors.torch import load_file

    weight = readable(folder, lambda: load_file(str(folder / "head.safetensors"))["weight"])
    if tuple(weight.shape) != (1, width):
        raise UserError(f"the head in {folder} has shape {tuple(weight.shape)}, and its trunk needs (1, {width})")
    head = nn.Linear(width, 1, bias=False)
    head.weight = nn.Parameter(weight.clone())  # out of the mapped file
    return head
