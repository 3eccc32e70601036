"""How the next token is chosen: settings, and pure functions from logits to tokens.

Every sample has its own stream of random numbers, one uniform per step, which is a function of (seed, key, index)
alone. A sample is therefore the same whatever batch it is drawn in, however often the work is killed and resumed,
and whatever other samples are asked for; only the rounding of the logits, which depends on the batch's shape, can
move a draw that falls on the edge between two tokens.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInput, UserError

# How many of the likeliest tokens nucleus sampling sorts at first, then next, before it sorts the whole vocabulary.
NUCLEUS_WIDTHS = (64, 1024)
# Tokens are drawn in two stages, a block of at most so many and one of the block.
LARGEST_BLOCK = 512
Kind = Literal["greedy", "temperature", "top-p", "beam", "diverse-beam"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Decoding:
    """How to write a candidate.

    `kind`: `greedy` takes the likeliest token; `temperature` samples from softmax(logits / temperature); `top-p`
    samples likewise from the smallest set of likeliest tokens whose probability reaches `top_p` (Holtzman et al.
    2020); `beam` returns the best of `num_beams` by sum of log-probabilities / length ** `length_penalty`, where
    the end token counts towards the length. Beam search ends for a document when no running beam can beat the
    worst of `num_beams` finished ones at its present length, or, with `early_stopping`, as soon as there are
    `num_beams` finished ones: the semantics of transformers' `generate`. `diverse-beam` (Vijayakumar et al. 2016)
    splits the beams evenly into `num_groups`, each a beam search of its own, and keeps the groups apart: see
    `beam.py`. SimCLS and BRIO write their candidates with 16 beams in 16 groups and a penalty of 1.

    The end token is barred from the first `min_new_tokens` tokens. With `no_repeat_ngram_size` n > 0, no n-gram
    occurs twice in a candidate; what stands in the prompt does not count, for a summary may quote its document.

    >>> Decoding("top-p", top_p=0.9).settings()
    {'kind': 'top-p', 'max_new_tokens': 128, 'temperature': 1.0, 'top_p': 0.9}
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

    kind: Kind = "temperature"
    """How the next token is chosen."""
    temperature: float = 1.0
    """Logits are divided by it."""
    top_p: float = 1.0
    """With `top-p`: the probability that the likeliest tokens must reach together."""
    num_beams: int = 1
    """With `beam`: the width. With `diverse-beam`: that of all groups together."""
    num_groups: int = 1
    """With `diverse-beam`: how many groups share the beams."""
    diversity_penalty: float = 1.0
    """With `diverse-beam`: what a token loses, in nats, each time that an earlier group chose it at the same step."""
    length_penalty: float = 1.0
    """With beam search: the exponent of the length that a sum of log-probs is divided by."""
    early_stopping: bool = False
    """With beam search: stop as soon as there are `num_beams` finished ones, or in each group its share of them."""
    max_new_tokens: int = 128
    """Longest candidate in tokens, the end token included."""
    min_new_tokens: int = 0
    """The end token is barred before that."""
    no_repeat_ngram_size: int = 0
    """No n-gram of this size occurs twice in a candidate; 0 allows all."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"expected one of {', '.join(KINDS)}, found {self.kind!r}", field="decoding")
        if not 0 < self.temperature < float("inf"):
            raise BadInput(
                f"expected a temperature above 0, found {self.temperature}; for 0, ask for greedy", field="temperature"
            )
        if not 0 < self.top_p <= 1:
            raise BadInput(f"expected a probability above 0 and at most 1, found {self.top_p}", field="top_p")
        if not math.isfinite(self.length_penalty):
            raise BadInput(f"expected a finite number, found {self.length_penalty}", field="length_penalty")
        if not 0 <= self.diversity_penalty < float("inf"):
            raise BadInput(
                f"expected a finite number of at least 0, found {self.diversity_penalty}", field="diversity_penalty"
            )
        least_of = {"num_beams": 1, "num_groups": 1, "max_new_tokens": 1, "min_new_tokens": 0}
        for name, least in {**least_of, "no_repeat_ngram_size": 0}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BadInput(f"expected a whole number of at least {least}, found {value!r}", field=name)
        if self.min_new_tokens > self.max_new_tokens:
            raise BadInput(
                f"expected at most max_new_tokens ({self.max_new_tokens}), found {self.min_new_tokens}",
                field="min_new_tokens",
            )
        if self.num_beams % self.groups:
            raise BadInput(
                f"expected a number that divides num_beams ({self.num_beams}), found {self.num_groups}",
                field="num_groups",
            )

    @property
    def is_random(self) -> bool:
        return self.kind in ("temperature", "top-p")

    @property
    def is_search(self) -> bool:
        """Whether `num_beams` rows are written for a document, however many candidates are wanted of it."""
        return self.kind in ("beam", "diverse-beam")

    @property
    def groups(self) -> int:
        return self.num_groups if self.kind == "diverse-beam" else 1

    def settings(self) -> dict[str, Any]:
        """What decides the text, as plain JSON: for a maker's settings. Settings that are off are left out, so that
        a setting added later does not rename what was made before."""
        relevant = ["kind", "max_new_tokens"]
        if self.is_random:
            relevant.append("temperature")
        if self.kind == "top-p":
            relevant.append("top_p")
        if self.is_search:
            relevant += ["num_beams", "length_penalty"] + ["early_stopping"] * self.early_stopping
        if self.kind == "diverse-beam":
            relevant += ["num_groups", "diversity_penalty"]
        relevant += [name for name in ("min_new_tokens", "no_repeat_ngram_size") if getattr(self, name)]
        values = dataclasses.asdict(self)
        return {name: values[name] for name in relevant}


@dataclass(frozen=True)
class Sample:
    """One continuation, as token ids, with the end token if it was reached (`finished`).

    `logps` holds each token's log-probability in nats under the model as it is (temperature 1, nothing cut).
    `sampled_logps` holds them under the distribution that the token was drawn from, which is what PPO needs; None
    for greedy and beam search, which draw nothing. With temperature alone the two differ by the temperature only.
    """

    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    sampled_logps: tuple[float, ...] | None
    finished: bool

    @property
    def logp(self) -> float:
        """Log-probability of the whole continuation under the model, in nats."""
        return math.fsum(self.logps)


def uniforms(seed: int, key: str, index: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The first `count` numbers in [0, 1) of the stream of sample `index` of source `key`.

    >>> bool((uniforms(1, "d", 0, 3) == uniforms(1, "d", 0, 9)[:3]).all())
    True
    """
    digest = hashlib.blake2b(f"{seed}\0{key}\0{index}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    raw = np.random.Philox(key=int.from_bytes(digest, "little")).random_raw(count)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53)


def bar_repeated_ngrams(logits_NV: Tensor, written_NT: Tensor, size: int) -> None:
    """Set to -inf, in place, every token that would complete an n-gram which the row has already written."""
    length = written_NT.shape[1]
    if length < size:
        return
    ngrams_NWn = written_NT.unfold(1, size, 1)
    tail_N1n = written_NT[:, None, length - (size - 1) :]
    repeats_NW = (ngrams_NWn[:, :, :-1] == tail_N1n).all(-1)
    penalty_NW = torch.zeros_like(repeats_NW, dtype=logits_NV.dtype).masked_fill_(repeats_NW, float("-inf"))
    logits_NV.scatter_add_(1, ngrams_NWn[:, :, -1], penalty_NW)


def constrain(logits_NV: Tensor, written_NT: Tensor, decoding: Decoding, stop_ids: Tensor) -> Tensor:
    """The logits with barred tokens at -inf; the same tensor if nothing can be barred at this step."""
    too_short = written_NT.shape[1] < decoding.min_new_tokens
    if not too_short and not decoding.no_repeat_ngram_size:
        return logits_NV
    logits_NV = logits_NV.clone()
    if too_short:
        logits_NV[:, stop_ids] = float("-inf")
    if decoding.no_repeat_ngram_size:
        bar_repeated_ngrams(logits_NV, written_NT, decoding.no_repeat_ngram_size)
    return logits_NV


def choose(
    logits_NV: Tensor, allowed_NV: Tensor, uniform_N: Tensor | None, decoding: Decoding
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The next token of each row (N,), with its log-probabilities in nats.

    The first is under the model as it is: softmax(logits). The second is under the distribution that was sampled
    from, with temperature, nucleus and barred tokens; None where nothing was sampled. Both tensors are at least
    float32; `allowed_NV` is what `constrain` made of `logits_NV`. `uniform_N` (float64) draws by inversion, in
    order of token id, for `top-p` in order of falling probability.
    """
    if decoding.kind == "greedy" or decoding.is_search:  # a search with one beam takes the likeliest too
        token_N = allowed_NV.argmax(dim=-1)
        return token_N, _log_prob(logits_NV, token_N), None
    assert uniform_N is not None
    scaled_NV = allowed_NV if decoding.temperature == 1 else allowed_NV / decoding.temperature
    if decoding.kind == "top-p" and decoding.top_p < 1:
        token_N, sampled_logp_N = _draw_from_nucleus(scaled_NV, uniform_N, decoding.top_p)
        return token_N, _log_prob(logits_NV, token_N), sampled_logp_N
    prob_NV = torch.softmax(scaled_NV, dim=-1)
    token_N = _draw(prob_NV, uniform_N)
    sampled_logp_N = torch.log(prob_NV.gather(1, token_N[:, None])[:, 0])
    logp_N = sampled_logp_N if scaled_NV is logits_NV else _log_prob(logits_NV, token_N)
    return token_N, logp_N, sampled_logp_N


def _log_prob(logits_NV: Tensor, token_N: Tensor) -> Tensor:
    return torch.log_softmax(logits_NV, dim=-1).gather(1, token_N[:, None])[:, 0]


def _draw(weights_NV: Tensor, uniform_N: Tensor) -> Tensor:
    """The index at which the running sum of `weights_NV` first exceeds uniform · total: never one of weight 0.

    In two stages, so that only as many numbers as there are blocks, and those of one block, are summed up in
    float64 instead of a whole vocabulary.
    """
    rows, size = weights_NV.shape
    width = next(width for width in range(min(size, LARGEST_BLOCK), 0, -1) if size % width == 0)
    weights_NCW = weights_NV.view(rows, -1, width)
    block_N, rest_N = _place(weights_NCW.sum(dim=-1), uniform_N)
    return block_N * width + _place(weights_NCW[torch.arange(rows, device=block_N.device), block_N], rest_N)[0]


def _place(weights_NX: Tensor, uniform_N: Tensor) -> tuple[Tensor, Tensor]:
    """(The place whose interval of the running sum holds uniform · total, how far into the interval, in [0, 1))."""
    wide = torch.float32 if weights_NX.device.type == "mps" else torch.float64
    running_NX = weights_NX.to(wide).cumsum(dim=-1)
    total_N = running_NX[:, -1]
    # A uniform just below 1 could round up to the total, beyond the last place.
    target_N = torch.minimum(uniform_N.to(wide) * total_N, torch.nextafter(total_N, torch.zeros_like(total_N)))
    # Only a row of NaN would run past the end; the engine reports it by its log-probability.
    place_N = torch.searchsorted(running_NX, target_N[:, None], right=True)[:, 0].clamp_(max=weights_NX.shape[1] - 1)
    weight_N = weights_NX.gather(1, place_N[:, None])[:, 0].to(wide)
    start_N = running_NX.gather(1, place_N[:, None])[:, 0] - weight_N
    return place_N, ((target_N - start_N) / weight_N).clamp_(0, 1)


def _draw_from_nucleus(scaled_NV: Tensor, uniform_N: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Draw from the smallest set of likeliest tokens whose probability reaches `top_p`."""
    size = scaled_NV.shape[1]
    log_z_N = torch.logsumexp(scaled_NV, dim=-1)
    # A processor sorts a large vocabulary slowly and a nucleus is mostly small; an accelerator would have to wait
    # for the answer whether it was small enough.
    first = [width for width in NUCLEUS_WIDTHS if width < size and scaled_NV.device.type == "cpu"]
    for width in (*first, size):
        logit_NW, token_NW = torch.topk(scaled_NV, width, dim=-1)
        prob_NW = torch.exp(logit_NW - log_z_N[:, None])
        running_NW = prob_NW.cumsum(dim=-1)
        if width == size or bool((running_NW[:, -1] >= top_p).all()):
            break
    # A token belongs to the set if those before it fall short of top_p; the first always does.
    kept_NW = prob_NW.masked_fill(running_NW - prob_NW >= top_p, 0.0)
    place_N = _draw(kept_NW, uniform_N)[:, None]
    logp_N = torch.log(prob_NW.gather(1, place_N) / kept_NW.sum(dim=-1, keepdim=True))[:, 0]
    return token_NW.gather(1, place_N)[:, 0], logp_N


def longest(prefix_length: int, decoding: Decoding, max_positions: int | None) -> int:
    """How many tokens may follow a decoder-only prefix: at most `max_new_tokens`, within the model's positions.

    The last token that is written need not be read, so it takes no position.
    """
    if max_positions is None:
        return decoding.max_new_tokens
    return min(decoding.max_new_tokens, max_positions - prefix_length + 1)


def cut_at_stop(
    tokens: Sequence[int], logps: Sequence[float], sampled: Sequence[float] | None, stop_ids: frozenset[int]
) -> Sample:
    """What a row wrote, up to and with its first end token."""
    ends = [place + 1 for place, token in enumerate(tokens) if token in stop_ids]
    length = ends[0] if ends else len(tokens)
    if not all(math.isfinite(logp) for logp in (*logps[:length], *(sampled or ())[:length])):
        raise UserError(
            "the model's probabilities are not numbers, or every token is barred: check the model's weights and "
            "min_new_tokens and no_repeat_ngram_size"
        )
    return Sample(
        tuple(tokens[:length]), tuple(logps[:length]), None if sampled is None else tuple(sampled[:length]), bool(ends)
    )
