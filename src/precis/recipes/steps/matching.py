"""Summaries of a target length: the length penalty of a policy's beam search, tuned on validation documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from ...errors import UserError
from ...evaluation.lengthmatch import LengthMatch, match_length
from ...evaluation.plain import write_json
from ...records import Group
from ...sampling.decoding import Decoding
from ...sampling.local import generate
from ...textmetrics import count_words
from ..workspace import Workspace, announce
from .writer import Writer


def mean_words(groups: Sequence[Group]) -> float:
    """Mean length of the groups' references in words, each document counting once."""
    means = [
        sum(count_words(reference.text) for reference in group.references) / len(group.references)
        for group in groups
        if group.references
    ]
    if not means:
        raise UserError("no validation document has a reference, so there is no length to match")
    return sum(means) / len(means)


def matched_decoding(
    work: Workspace, writer: Writer, groups: Sequence[Group], decoding: Decoding, *, name: str
) -> tuple[Decoding, LengthMatch | None]:
    """The decoding with the length penalty at which the groups' summaries are as long as their references.

    Only beam search has such a penalty: another decoding comes back as it is, without a match, and so does one for no
    groups. What was found is kept in `training/NAME-length.json`: to find it, every summary is written several times.
    """
    groups = [group for group in groups if group.references]
    if decoding.kind != "beam" or not groups:
        return decoding, None
    path = work.training / f"{name}-length.json"
    if path.is_file():
        found = json.loads(path.read_text("utf-8"))
        match = LengthMatch(**{**found, "tried": tuple(map(tuple, found["tried"]))})
    else:
        prefixes = [writer.renderer.prefix(group.source).ids for group in groups]

        def length_at(penalty: float) -> float:
            announce(f"  {name}: {len(prefixes)} summaries with a length penalty of {penalty:g}")
            samples = generate(writer.policy, prefixes, decoding=replace(decoding, length_penalty=penalty))
            return sum(count_words(writer.renderer.decode(sample.token_ids)) for (sample,) in samples) / len(samples)

        match = match_length(length_at, mean_words(groups))
        work.training.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(match))
    announce(
        f"  {name}: {match.length:.1f} words for a target of {match.target:.1f}, with a length penalty of "
        f"{match.penalty:g}" + ("" if match.matched else "; no penalty came nearer")
    )
    return replace(decoding, length_penalty=match.penalty), match
