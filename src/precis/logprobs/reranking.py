"""Cosines in the place of log-probs: what a reranker says of each candidate, every document encoded once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import UserError
from ..models.reranker import Reranker
from ..models.structure import max_positions
from ..render import TokenGroup
from .scored import Batch, Limits, Scored, check_groups


def cosines(model: Reranker, groups: Sequence[TokenGroup], *, pad_id: int) -> Scored:
    """`rewards_BK` holds the cosine of each candidate's encoding and its document's, from −1 to 1.

    Raises `UserError` for groups that no model could score or that exceed the encoder's positions.
    """
    device = next(model.parameters()).device
    limit = max_positions(model.encoder.config)
    vocabulary = int(model.encoder.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    check_groups(groups, encoder_decoder=True, vocabulary=vocabulary, limits=Limits(limit))
    batch = Batch(groups, device)
    _, mask_BKT = batch.targets_BKT()
    mask_BK = mask_BKT.any(dim=-1)
    rows = [(model.start_id, *continuation) for group in groups for continuation in group.continuations]
    if limit is not None and (longest := max(map(len, rows))) > limit:
        raise UserError(f"a candidate takes {longest} tokens, but the encoder's positions end at {limit}")
    documents_BD = model.encode([group.prefix_ids for group in groups], pad_id)
    candidates_MD = model.encode(rows, pad_id)
    group_M, number_M = mask_BK.nonzero(as_tuple=True)
    cosines_M = (candidates_MD * documents_BD[group_M]).sum(-1)
    tokens = sum(len(group.prefix_ids) for group in groups)
    repeated = sum(len(group.prefix_ids) * len(group.continuations) for group in groups)
    return Scored(
        logps_BKT=torch.full(mask_BKT.shape, torch.nan, device=device),
        mask_BKT=mask_BKT,
        mask_BK=mask_BK,
        tokens_forwarded=tokens + sum(map(len, rows)),
        tokens_repeated=repeated + sum(map(len, rows)),
        implementation="apart",
        rewards_BK=cosines_M.new_zeros(mask_BK.shape).index_put((group_M, number_M), cosines_M),
    )
