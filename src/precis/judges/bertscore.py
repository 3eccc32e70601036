"""BERTScore (Zhang et al. 2020) with any local encoder: a metric, and a judge.

Each word piece of the candidate is matched with the most similar piece of the reference, and back; similarities
are cosines of contextual embeddings at one layer. Special tokens take no part. The numbers depend on the encoder
and the layer, so compare only within one table; no baseline rescaling is done.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from ..errors import UserError
from ..models.files import fingerprint_of
from ..records import Candidate, Failure, Group, JudgeInfo, Judgement
from .protocol import score_candidates

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BertScoreJudge:
    """The F1 of BERTScore against the reference summaries, the mean over them; from −1 to 1, mostly above 0.

    It has seen neither the words that ROUGE counts nor a reward model's training, so it can grade what these trained.
    A source without a reference summary is a `Failure`.
    """

    encoder: Path
    layer: int | None = None
    written_by: tuple[str, ...] = ()
    """The makers of the references, where these are not the data set's: then this is another judge."""

    @cached_property
    def info(self) -> JudgeInfo:
        if not self.encoder.is_dir():
            raise UserError(f"there is no folder {self.encoder} with an encoder for BERTScore")
        references = {"references": list(self.written_by)} if self.written_by else {}
        return JudgeInfo("bertscore", {"encoder": fingerprint_of(self.encoder), "layer": self.layer, **references})

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        return [self._judge(group) for group in groups]

    def _judge(self, group: Group) -> list[Judgement]:
        if group.references:
            return score_candidates(self.info, "bertscore", [group], self._score)[0]
        why = "the source has no reference summary"
        return [Failure(self.info, group.source.id, (candidate.id,), why) for candidate in group.candidates]

    def _score(self, group: Group, candidates: Sequence[Candidate]) -> list[float | None]:
        references = [reference.text for reference in group.references]
        found = bertscore(
            [candidate.text for candidate in candidates], [references] * len(candidates), self.encoder, layer=self.layer
        )
        if found.cut:
            _log.warning("%d texts were cut at the encoder's last position", found.cut)
        return [None if np.isnan(value) else float(value) for value in found.f1_N]


@dataclass(frozen=True)
class BertScore:
    """Precision, recall and F1 of N candidates, NaN where a side has no word piece; `cut` texts were too long."""

    precision_N: Floats
    recall_N: Floats
    f1_N: Floats
    cut: int


def bertscore(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    encoder: Path | str,
    *,
    layer: int | None = None,
    idf: bool = False,
    over: Literal["mean", "max"] = "mean",
    max_tokens: int | None = None,
    token_budget: int = 8192,
    device: str = "cpu",
) -> BertScore:
    """BERTScore of candidate n against `references[n]`, by the encoder in folder `encoder`.

    `layer` counts from 0 (the embeddings); None is the last. With `idf`, a piece weighs log((M+1)/(df+1)) over the
    M distinct references. `over` several references as in `textmetrics.rouge`. Texts longer than the encoder (or
    `max_tokens`) are cut at their end and counted. Raises UserError if the folder holds no encoder or has no such
    layer, ValueError if a candidate has no reference.
    """
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates but references for {len(references)}")
    if missing := [n for n, texts in enumerate(references) if not texts]:
        raise ValueError(f"candidate {missing[0]} has no reference")
    model, tokenizer = _load(encoder, device)
    limit = max_tokens or _max_tokens(model, tokenizer)
    texts = list(dict.fromkeys([*candidates, *(text for group in references for text in group)]))
    pieces = tokenizer(texts, add_special_tokens=True, truncation=False, return_special_tokens_mask=True, verbose=False)
    cut = sum(len(ids) > limit for ids in pieces["input_ids"])
    encoded = tokenizer(texts, truncation=True, max_length=limit, return_special_tokens_mask=True)
    vectors = _embed(model, tokenizer, encoded, layer, token_budget, device)
    ids = {
        text: [i for i, special in zip(own, mask) if not special]
        for text, own, mask in zip(texts, encoded["input_ids"], encoded["special_tokens_mask"])
    }
    weights = _idf([ids[text] for text in dict.fromkeys(t for group in references for t in group)]) if idf else None
    place = {text: n for n, text in enumerate(texts)}

    def one(text: str) -> tuple[Tensor, Tensor]:
        own = ids[text]
        unseen = weights["unseen"] if weights else 1.0
        return vectors[place[text]], torch.tensor([weights.get(i, unseen) if weights else 1.0 for i in own])

    rows = np.full((len(candidates), 3), np.nan)
    for n, (candidate, group) in enumerate(zip(candidates, references)):
        scores = np.array([greedy_match(*one(candidate), *one(reference)) for reference in group])
        rows[n] = scores.mean(axis=0) if over == "mean" else scores[np.argmax(np.nan_to_num(scores[:, 2], nan=-2))]
    return BertScore(rows[:, 0], rows[:, 1], rows[:, 2], cut)


def greedy_match(
    candidate_TD: Tensor, candidate_weights_T: Tensor, reference_SD: Tensor, reference_weights_S: Tensor
) -> tuple[float, float, float]:
    """Precision, recall and F1 from unit vectors and weights of T and S pieces; NaN if a side weighs nothing."""
    if not float(candidate_weights_T.sum()) or not float(reference_weights_S.sum()):
        return (float("nan"),) * 3
    similarity_TS = candidate_TD @ reference_SD.T
    precision = float((similarity_TS.amax(1) * candidate_weights_T).sum() / candidate_weights_T.sum())
    recall = float((similarity_TS.amax(0) * reference_weights_S).sum() / reference_weights_S.sum())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


@lru_cache(maxsize=1)
def _load(folder: Path | str, device: str) -> tuple[Any, Any]:
    if not Path(folder).is_dir():
        raise UserError(f"there is no folder {folder} with an encoder for BERTScore")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
        model: Any = AutoModel.from_pretrained(str(folder), use_safetensors=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{folder} is not an encoder that BERTScore can load: {reason}") from error
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return model.to(device).eval(), tokenizer


def _max_tokens(model: Any, tokenizer: Any) -> int:
    limit = int(getattr(model.config, "max_position_embeddings", 0) or 10**6)
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert"):
        limit -= 2  # their positions start after the padding index
    return min(limit, int(tokenizer.model_max_length))


@torch.inference_mode()
def _embed(
    model: Any, tokenizer: Any, encoded: Mapping[str, Any], layer: int | None, token_budget: int, device: str
) -> list[Tensor]:
    """Unit vectors (pieces, width) of each text without its special tokens, in batches of near equal length."""
    rows = encoded["input_ids"]
    found: list[Tensor | None] = [None] * len(rows)
    batch: list[int] = []

    def run(batch: Sequence[int]) -> None:
        inputs = tokenizer.pad({"input_ids": [rows[n] for n in batch]}, return_tensors="pt").to(device)
        output = model(**inputs, output_hidden_states=layer is not None)
        if layer is not None and not 0 <= layer < len(output.hidden_states):
            raise UserError(f"the encoder has layers 0 to {len(output.hidden_states) - 1}, not {layer}")
        hidden = output.last_hidden_state if layer is None else output.hidden_states[layer]
        hidden = torch.nn.functional.normalize(hidden.float(), dim=-1).cpu()
        left = tokenizer.padding_side == "left"
        for row, n in enumerate(batch):
            own = hidden[row, -len(rows[n]) :] if left else hidden[row, : len(rows[n])]
            found[n] = own[~torch.tensor(encoded["special_tokens_mask"][n], dtype=torch.bool)].clone()

    for n in sorted(range(len(rows)), key=lambda n: len(rows[n])):
        if not rows[n]:
            found[n] = torch.zeros(0, 1)
            continue
        if batch and (len(batch) + 1) * len(rows[n]) > token_budget:
            run(batch)
            batch = []
        batch.append(n)
    if batch:
        run(batch)
    return [vectors for vectors in found if vectors is not None]


def _idf(references: Sequence[Sequence[int]]) -> dict[Any, float]:
    """log((M+1)/(df+1)) by piece id, and under "unseen" the weight of a piece that no reference has."""
    counts = Counter(piece for ids in references for piece in set(ids))
    weights: dict[Any, float] = {piece: log((len(references) + 1) / (df + 1)) for piece, df in counts.items()}
    return weights | {"unseen": log(len(references) + 1)}
