"""Whether a model can share a prefix, found by trying: a few tokens, both ways, the first time a model is used."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from .attention import CannotShare, decoding_attention
from .session import Session

# Relative distance of the logits, both ways: rounding keeps far below it, a misread architecture far above.
TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-3}
TOLERANCE_HALF = 0.1

_REASONS: WeakKeyDictionary[nn.Module, str | None] = WeakKeyDictionary()


def why_not_shared(model: Any, *, pad_id: int, start_id: int | None) -> str | None:
    """None if the shared engine writes what the model itself would, else the reason. Tried once a model."""
    if model not in _REASONS:
        _REASONS[model] = _try(model, pad_id, start_id)
    return _REASONS[model]


def _try(model: Any, pad_id: int, start_id: int | None) -> str | None:
    vocabulary = model.get_input_embeddings().weight.shape[0]
    ids = [(7 + 31 * place) % vocabulary for place in range(24)]
    prefixes, documents, forced = [ids[:8], ids[8:13]], [0, 0, 1], [ids[13:15], ids[16:18], ids[19:21]]
    try:
        session = Session(model, prefixes, documents, 3, pad_id=pad_id, start_id=start_id)
        with decoding_attention(model, session.sharing):
            columns = [torch.tensor(column, device=session.device) for column in zip(*forced)]
            steps = [session.step(tokens_N) for tokens_N in (session.first_tokens_N, *columns)]
    except CannotShare as reason:
        return str(reason)
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"
    shared = torch.stack(steps, 1).double()
    plain = torch.stack([_plain(model, prefixes[d], row, start_id) for d, row in zip(documents, forced)])
    distance = float((shared - plain).norm() / (plain - plain.mean(-1, keepdim=True)).norm().clamp_min(1e-12))
    if not distance < TOLERANCE.get(steps[0].dtype, TOLERANCE_HALF):
        return f"its logits come out different (relative distance {distance:.1e})"
    return None


def _plain(model: Any, prefix: list[int], forced: list[int], start_id: int | None) -> Tensor:
    """Logits (3, V) at the last position of the prefix and at each forced token, by one ordinary forward."""
    device = next(model.parameters()).device
    if start_id is None:
        logits = model(input_ids=torch.tensor([prefix + forced], device=device), use_cache=False).logits
    else:
        decoder_ids = torch.tensor([[start_id, *forced]], device=device)
        ids = torch.tensor([prefix], device=device)
        logits = model(input_ids=ids, decoder_input_ids=decoder_ids, use_cache=False).logits
    return logits[0, -1 - len(forced) :].double()  # type: ignore[no-any-return]
