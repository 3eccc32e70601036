"""Which models can score all candidates of a source in one row, and why others cannot."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..models.structure import recomputes, takes, trunk_of, unwrap

# Families whose packed scores are tested against one row per candidate, values and gradients, in float64. A
# family that is not here and looks as if it can pack is checked on its first batch.
VERIFIED = frozenset(
    (
        *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gpt2", "gpt_neox", "opt"),
        *("gemma", "gemma2", "gemma3_text", "phi", "phi3", "olmo", "olmo2", "olmo3", "smollm3", "granite"),
        *("cohere", "cohere2", "starcoder2", "stablelm"),
        *("bart", "mbart", "plbart", "pegasus", "marian", "blenderbot", "blenderbot-small", "t5", "mt5"),
        *("encoder-decoder:bert", "encoder-decoder:roberta"),
    )
)
_KNOWN_LAYERS = {"full_attention", "sliding_attention"}


def family(model: nn.Module) -> str:
    """`model_type`; for an EncoderDecoderModel with its decoder's."""
    config = unwrap(model).config
    if config.model_type == "encoder-decoder":
        return f"encoder-decoder:{config.decoder.model_type}"
    return str(config.model_type)


def why_not_packed(model: nn.Module) -> str:
    """Why candidates of one source cannot share a row in this decoder-only model; empty if they can."""
    trunk = trunk_of(model)
    config = _text_config(trunk)
    layers = set(getattr(config, "layer_types", None) or ())
    rope = getattr(config, "rope_parameters", None) or {}
    rope_types = {r.get("rope_type") for r in (rope, *rope.values()) if isinstance(r, dict)}
    if has_virtual_tokens(model):
        return "its adapter adds virtual tokens before the prefix"
    if getattr(trunk, "_is_stateful", False) or layers - _KNOWN_LAYERS:
        return (
            f"its layers carry a state from token to token ({', '.join(sorted(layers - _KNOWN_LAYERS)) or 'recurrent'})"
        )
    if not takes(trunk, "position_ids"):
        return "it takes no position ids, so that positions cannot restart after the prefix"
    if getattr(config, "alibi", False):
        return "its positions are distances in the row (ALiBi)"
    if rope_types & {"dynamic", "longrope"}:
        return "its rotary positions depend on the longest sequence of the batch"
    if getattr(config, "is_causal", True) is False or getattr(config, "use_bidirectional_attention", False):
        return "its attention is not causal"
    if kernel(model) is None:
        return f"its attention ({config._attn_implementation}) takes no mask of ours"
    return ""


def kernel(model: nn.Module) -> str | None:
    """How to compute a shared row: `blocks` (our attention), `mask` (the model's own, with a dense mask), or None."""
    trunk = trunk_of(model)
    implementation = _text_config(trunk)._attn_implementation
    if implementation == "eager":
        return "mask"
    if not getattr(trunk, "_supports_sdpa", False):
        return None
    # Layers that are computed again in the backward pass would not find our attention there any more.
    checkpointing = recomputes(trunk)
    if checkpointing:
        return "mask" if implementation == "sdpa" else None
    return "blocks"


def attention_configs(trunk: nn.Module) -> list[Any]:
    """The config objects that a model's attention layers read; several modules may share one."""
    found: dict[int, Any] = {}
    for module in trunk.modules():
        config = getattr(module, "config", None)
        if hasattr(config, "_attn_implementation"):
            found[id(config)] = config
    return list(found.values())


def windows(trunk: nn.Module) -> dict[str, int | None] | int | None:
    """The sliding window of each layer type, or the one window of all layers, or None."""
    config = _text_config(trunk)
    window = getattr(config, "sliding_window", None)
    window = window if getattr(config, "use_sliding_window", True) else None
    layers = getattr(config, "layer_types", None)
    if layers and "sliding_attention" in layers:
        return {"full_attention": None, "sliding_attention": window}
    return None if layers else window


def has_virtual_tokens(model: nn.Module) -> bool:
    """Whether a peft adapter (prompt or prefix tuning) puts learned tokens before the text."""
    configs = getattr(model, "peft_config", None) or {}
    return any(getattr(config, "is_prompt_learning", False) for config in configs.values())


def _text_config(trunk: Any) -> Any:
    return trunk.config.get_text_config() if hasattr(trunk.config, "get_text_config") else trunk.config
