"""Candidates: whose documents they are written for, who writes them, what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from ...errors import UserError
from ...judges.protocol import Judge
from ...judges.run import run_judge
from ...records import Candidate, Group, Judgement, Maker
from ...sampling.decoding import Decoding
from ...sampling.run import sample
from ..settings import Settings
from ..spending import engine_of, paid
from ..workspace import Workspace, announce
from .documents import Documents
from .writer import Writer


class CandidateSettings(Settings):
    """Which candidates are written for the judges."""

    documents: int | None = Field(default=None, ge=1)
    """Training documents to write candidates for; None is all of them."""
    unseen: int = Field(default=0, ge=0)
    """Keep the first so many of these documents from supervised fine-tuning. After several epochs a policy knows the
    references that it was trained on by heart; on these documents its candidates are as they will be on new ones. The
    reward model is validated on the first documents."""
    k: int = Field(default=8, ge=1)
    """Candidates a document."""
    decoding: Decoding = Decoding("temperature", temperature=0.7, max_new_tokens=48)
    """T = 0.7 and 48 tokens, as the paper's samples (app. B, tables 9–10)."""

    @model_validator(mode="after")
    def _finds_so_many(self) -> Self:
        check_beams("k", self.k, self.decoding)
        return self


def check_beams(name: str, wanted: int, decoding: Decoding) -> None:
    """Raises `ValueError` for a decoding that finds fewer candidates than the setting `name` asks for."""
    if decoding.kind == "greedy" and wanted > 1:
        raise ValueError(f"{name} is {wanted}, and greedy decoding always writes the same text: sample, or search")
    if decoding.is_search and wanted > decoding.num_beams:
        raise ValueError(f"{name} is {wanted}, and a search with {decoding.num_beams} beams finds no more than these")


def shared_out(documents: Documents, settings: CandidateSettings) -> tuple[list[Group], list[Group]]:
    """The training documents to imitate, and those to write candidates for.

    Raises `UserError` if `unseen` leaves nothing to imitate.
    """
    train = documents.train
    judged = train[: settings.documents]
    if settings.unseen > len(judged):
        raise UserError(
            f"setting 'candidates.unseen' is {settings.unseen:,}, more than the {len(judged):,} documents to write "
            "candidates for"
        )
    if settings.unseen == len(train):
        raise UserError("setting 'candidates.unseen' leaves no document to imitate")
    return train[settings.unseen :], judged


def write_candidates(
    work: Workspace, writer: Writer, groups: Sequence[Group], decoding: Decoding, *, k: int, seed: int
) -> list[Group]:
    """K candidates of every group's source by `writer`: the groups with exactly these candidates."""
    summary = sample(
        work.store,
        writer.policy,
        writer.renderer,
        [group.source for group in groups],
        k=k,
        decoding=decoding,
        seed=seed,
    )
    how = "once for all candidates" if summary.engine == "shared" else f"plainly: {summary.reason}"
    said = (
        f"{summary.written:,} candidates written ({summary.empty:,} empty, {summary.unfinished:,} cut by the length "
        f"limit), {summary.known:,} known; {summary.tokens_per_second:,.0f} tokens/s, documents computed {how}"
    )
    announce(f"  {said}" if summary.written else f"  all {summary.known:,} candidates were written before")
    return regroup(work, groups, [summary.maker], k=k)


def keep_candidates(work: Workspace, groups: Sequence[Group], candidates: Sequence[Candidate]) -> list[Group]:
    """The groups with exactly these candidates, which are stored too."""
    work.store.add_candidates(candidates)
    written: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        written.setdefault(candidate.source_id, []).append(candidate)
    return [replace(group, candidates=tuple(written.get(group.source.id, ()))) for group in groups]


def regroup(work: Workspace, groups: Sequence[Group], makers: Sequence[Maker], *, k: int | None = None) -> list[Group]:
    """The groups with the candidates of `makers` (the first `k` of each) and everything that was judged of them."""
    ids = [group.source.id for group in groups]
    found = work.store.groups(source_ids=ids, maker_ids=[maker.id for maker in makers])
    return [
        replace(group, candidates=tuple(sorted(chosen, key=lambda candidate: candidate.index)))
        for group in found
        for chosen in [[c for c in group.candidates if k is None or c.index < k]]
    ]


def judge(work: Workspace, judge: Judge, groups: Sequence[Group]) -> list[Group]:
    """Have `judge` judge the groups' candidates; the groups with all judgements so far."""
    with paid(work, engine_of(judge)):
        announce(f"  {run_judge(work.store, judge, groups)}")
    return with_judgements(work, groups)


def with_judgements(work: Workspace, groups: Sequence[Group]) -> list[Group]:
    """The groups with everything that the store knows to be judged of their candidates."""
    said: dict[str, list[Judgement]] = {}
    for judgement in work.store.judgements(source_ids=[group.source.id for group in groups]):
        said.setdefault(judgement.source_id, []).append(judgement)
    return [
        replace(group, judgements=tuple(j for j in said.get(group.source.id, ()) if ids.issuperset(j.candidate_ids)))
        for group in groups
        for ids in [{c.id for c in (*group.candidates, *group.references)}]
    ]


def by_each(judges: Iterable[Judge], groups: Sequence[Group]) -> list[Judgement]:
    """What these judges said of the groups, judge by judge, whoever else said something, and whenever they did."""
    return [one for judge in judges for group in groups for one in group.judgements if one.judge.id == judge.info.id]


def together(*parts: Sequence[Group]) -> list[Group]:
    """One group a source with the candidates of all parts, each once, so that a judge is asked once.

    Policies with the same weights (training that chose what it began with) write the same candidates.
    """
    joined: dict[str, Group] = {}
    for group in (group for part in parts for group in part):
        known = joined.get(group.source.id, replace(group, candidates=()))
        every = {candidate.id: candidate for candidate in (*known.candidates, *group.candidates)}
        joined[group.source.id] = replace(known, candidates=tuple(every.values()), judgements=())
    return list(joined.values())
