"""A policy: a text model with its tokenizer, loaded from and saved as an ordinary Hugging Face folder."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import UserError
from .files import atomic_folder, fingerprint_of, model_folder, quiet, read_json, readable
from .structure import decoder_start_id, freeze_unused, is_encoder_decoder, max_positions, unwrap
from .tokenizer import check_vocabulary, end_id, ensure_pad, load_tokenizer

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}


@dataclass
class Policy:
    """A text model and its tokenizer. `fingerprint` names configuration and weights as loaded or last saved."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    fingerprint: str
    path: Path | None = None

    @property
    def is_encoder_decoder(self) -> bool:
        return is_encoder_decoder(self.model)

    @property
    def pad_id(self) -> int:
        """PAD, which differs from the end token."""
        return int(self.tokenizer.pad_token_id)

    @property
    def eos_id(self) -> int:
        """The token that ends a summary."""
        end = end_id(self.tokenizer)
        assert end is not None  # loading refuses tokenizers without one
        return end

    @property
    def decoder_start_id(self) -> int | None:
        """What an encoder-decoder's decoder reads first; None for a decoder-only model."""
        return decoder_start_id(self.model) if self.is_encoder_decoder else None

    @property
    def max_positions(self) -> int | None:
        """Tokens that fit: prefix and summary together, or for an encoder-decoder the source alone."""
        config = unwrap(self.model).config
        return max_positions(getattr(config, "encoder", config))

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


def load_policy(
    path: Path | str,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device = "auto",
    trust_remote_code: bool = False,
) -> Policy:
    """A causal or encoder-decoder model with its tokenizer, from a folder or by its name on the hub.

    A folder of LoRA adapters is loaded on the base model that it names. `auto` is float32, and a GPU if there is
    one. If PAD is missing or equals the end token, another is chosen or added (`ensure_pad`).

    Raises `UserError` for a folder that is no model, lacks its tokenizer or weights, is damaged, holds pickles
    or another model's tokenizer, or needs code that was not asked for.
    """
    folder = model_folder(path, trust_remote_code=trust_remote_code)
    where = target_device(device)
    adapter = read_json(folder, "adapter_config.json")
    if adapter is not None and read_json(folder, "config.json") is None:
        return _with_adapter(folder, adapter, dtype, where, trust_remote_code)
    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    model = _load_model(folder, target_dtype(dtype), trust_remote_code)
    check_vocabulary(tokenizer, model, folder)
    ensure_pad(tokenizer, model)
    return Policy(model.to(where), tokenizer, fingerprint_of(folder), folder)


def target_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """float32 for `auto`; raises `UserError` for what is not a floating-point type that models have."""
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype != "auto" and dtype not in DTYPES:
        raise UserError(f"no number format {dtype!r}; use auto, {', '.join(DTYPES)}")
    return DTYPES["float32" if dtype == "auto" else dtype]


def target_device(device: str | torch.device) -> torch.device:
    """`auto` is a GPU if there is one; raises `UserError` for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"no device {device!r} here: {str(error).splitlines()[0]}") from error
    return found


def _load_model(folder: Path, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    config = readable(
        folder,
        lambda: AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=trust_remote_code),
    )
    made_for = " ".join(config.architectures or ())
    if "Classification" in made_for:
        raise UserError(f"{folder} is a classifier or reward model ({made_for}), which cannot write summaries")
    headless = made_for.endswith("Model") and "LMHead" not in made_for
    if headless and not config.is_encoder_decoder and getattr(config, "is_decoder", None) is False:
        raise UserError(
            f"{folder} has no language-model head ({made_for}); an encoder can be warm-started as an encoder-decoder"
        )
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    return load_weights(kind, folder, dtype, trust_remote_code)


def load_weights(kind: Any, folder: Path, dtype: torch.dtype, trust_remote_code: bool = False) -> Any:
    """`kind.from_pretrained`, on condition that the folder has every weight of the model."""
    model, found = readable(
        folder,
        lambda: kind.from_pretrained(
            str(folder),
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        ),
    )
    # A pooler, which encoders keep from their pretraining, plays no part in what we compute.
    missing = sorted(key for key in found["missing_keys"] if "pooler" not in key)
    if missing:
        raise UserError(
            f"the weights in {folder} lack {len(missing)} of the model's tensors ({', '.join(missing[:3])}"
            f"{', …' if len(missing) > 3 else ''}); they would be random"
        )
    for values in (*model.parameters(), *model.buffers()):
        # Out of the mapped file, which may be replaced, and to aligned memory: with it, sums round the same anywhere.
        values.data = values.data.clone()
    freeze_unused(model)
    return model.eval()


def _with_adapter(
    folder: Path, adapter: dict[str, Any], dtype: str | torch.dtype, device: torch.device, trust_remote_code: bool
) -> Policy:
    from peft import PeftModel

    base_name = adapter.get("base_model_name_or_path")
    if not base_name:
        raise UserError(f"{folder} holds an adapter that does not name its base model")
    try:
        base = load_policy(base_name, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
    except UserError as error:
        raise UserError(f"the base model of the adapter in {folder} cannot be loaded: {error}") from error
    with warnings.catch_warnings():
        # Peft asks transformers in a way that transformers 5 warns of.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = readable(
            folder, lambda: PeftModel.from_pretrained(base.model, str(folder), is_trainable=True, local_files_only=True)
        )
    return Policy(model.eval(), base.tokenizer, f"{base.fingerprint}+{fingerprint_of(folder)}", folder)


def save_policy(
    policy: Policy, folder: Path | str, *, merged: bool = False, beside: Callable[[Path], None] | None = None
) -> Path:
    """Write an ordinary Hugging Face folder, whole or not at all; `policy` then has its path and fingerprint.

    With LoRA adapters, the active one is saved alone, for its base model; with `merged`, the base model with it
    added in. `beside` may write more files into the folder before it appears.
    """
    from peft import PeftModel

    target = Path(folder)
    model: Any = policy.model
    adapter = isinstance(model, PeftModel)
    with atomic_folder(target) as partial, quiet():
        if adapter and not merged:
            _save_adapter(model, partial)
        else:
            model = copy.deepcopy(model).merge_and_unload() if adapter else model
            model.save_pretrained(str(partial))
        policy.tokenizer.save_pretrained(str(partial))
        if beside is not None:
            beside(partial)
    if merged and adapter:
        return target
    own = fingerprint_of(target)
    policy.fingerprint = f"{policy.fingerprint.split('+')[0]}+{own}" if adapter else own
    policy.path = target
    return target


def _save_adapter(model: Any, partial: Path) -> None:
    name = model.active_adapter
    # Peft would ask the hub whether the vocabulary grew; the base model's folder has its embeddings.
    model.save_pretrained(str(partial), selected_adapters=[name], save_embedding_layers=False)
    inner = partial / name  # where peft puts adapters that are not called "default"
    if inner.is_dir():
        for path in inner.iterdir():
            path.rename(partial / path.name)
        inner.rmdir()
    (partial / "README.md").unlink(missing_ok=True)
