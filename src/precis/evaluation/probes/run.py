"""What a judge does with probes: the share of edits it scores as a good judge would, with interval and n."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...judges.protocol import Judge
from ...progress import Progress
from ...records import Candidate, Group, Maker, Score
from ...textmetrics import count_words
from ..statistics import RESAMPLES, Estimate, mean_estimate, share_estimate
from .making import Edited, Edits, Good, what_is_good

if TYPE_CHECKING:
    from ...judges.reward import RewardJudge
    from ...render import TokenGroup

Floats = NDArray[np.float64]
# A score for every candidate of every group; None is no score.
Scorer = Callable[[Sequence[Group]], list[list[float | None]]]
_PROBED = Maker("rule", "probe")


@dataclass(frozen=True)
class ProbeResult:
    """One judge on one probe.

    `right` is the share of edits scored on the side that a good judge takes (`good`), a tie ½; its n counts
    documents. `shift` is the mean of edited minus original, in the judge's unit. `length` is the mean ratio of words,
    edited to original. `unscored` edits have no score on one side; `left_out` counts the documents to which the
    probe does not apply, by reason.
    """

    judge: str
    probe: str
    good: Good
    paper: str
    right: Estimate
    shift: Estimate
    length: float | None
    edits: int
    ties: int
    unscored: int
    left_out: Mapping[str, int]

    @property
    def verdict(self) -> str:
        """Which side of a half the interval lies on (`right`, `wrong`, `undecided`); `blind` if every edit is a tie."""
        if self.edits and self.ties == self.edits:
            return "blind"
        if self.right.low is not None and self.right.low > 0.5:
            return "right"
        return "wrong" if self.right.high is not None and self.right.high < 0.5 else "undecided"


def scores_by(judge: Judge) -> Scorer:
    """The scores of any judge that gives some; a failure is no score."""

    def score(groups: Sequence[Group]) -> list[list[float | None]]:
        found = []
        for group, said in zip(groups, judge.judge(groups), strict=True):
            values = {own.candidate: own.value for own in said if isinstance(own, Score)}
            found.append([values.get(candidate.id) for candidate in group.candidates])
        return found

    return score


def rewards_by(judge: RewardJudge) -> Scorer:
    """The rewards of a reward model, those of empty texts too: a policy in training is paid them.

    A text that is too long for the model's positions, beside its document, has no score.
    """
    from ...models.structure import is_encoder_decoder, max_positions, unwrap

    trunk = judge.model.trunk
    config, apart = unwrap(trunk).config, is_encoder_decoder(trunk)
    limit = max_positions(getattr(config, "decoder", config) if apart else config)

    def fits(group: TokenGroup, continuation: Sequence[int]) -> bool:
        return limit is None or len(continuation) + (0 if apart else len(group.prefix_ids)) <= limit

    def score(groups: Sequence[Group]) -> list[list[float | None]]:
        tokens = judge.renderer.groups(groups)
        short = [replace(own, continuations=tuple(c for c in own.continuations if fits(own, c))) for own in tokens]
        rewards = iter(judge.rewards([own for own in short if own.continuations]))
        found = []
        for own, kept in zip(tokens, short):
            values = iter(next(rewards) if kept.continuations else ())
            scored = [next(values) if fits(own, c) else None for c in own.continuations]
            found.append([value if value is not None and math.isfinite(value) else None for value in scored])
        return found

    return score


def probe_judge(
    name: str,
    scorer: Scorer,
    groups: Sequence[Group],
    edits: Edits,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    chunk: int = 8,
    quiet: bool = False,
) -> list[ProbeResult]:
    """`ProbeResult` of each probe, in the order of `edits`. Texts of one document are scored together, each once."""
    scores = _scores(name, scorer, groups, edits, chunk, quiet)
    names = dict.fromkeys([*edits.left_out, *(own.probe for own in edits.edited)])
    return [
        _result(
            name,
            probe,
            [own for own in edits.edited if own.probe == probe],
            scores,
            edits.left_out.get(probe, {}),
            resamples,
            seed,
        )
        for probe in names
    ]


def _scores(
    name: str, scorer: Scorer, groups: Sequence[Group], edits: Edits, chunk: int, quiet: bool
) -> dict[tuple[str, str], float | None]:
    """The score of every text of every source."""
    texts: dict[str, dict[str, None]] = {}
    for edited in edits.edited:
        texts.setdefault(edited.source_id, {}).update({edited.original: None, edited.text: None})
    asked = [
        replace(
            group,
            candidates=tuple(Candidate(group.source.id, text, _PROBED, n) for n, text in enumerate(own)),
            judgements=(), preferences=(), ranks=None,
        )
        for group in groups
        if (own := texts.get(group.source.id))
    ]  # fmt: skip
    found: dict[tuple[str, str], float | None] = {}
    with Progress(f"probing {name}", total=len(asked), unit="documents", quiet=quiet) as progress:
        for start in range(0, len(asked), chunk):
            batch = asked[start : start + chunk]
            for group, values in zip(batch, scorer(batch), strict=True):
                for candidate, value in zip(group.candidates, values, strict=True):
                    found[group.source.id, candidate.text] = value
            progress.advance(len(batch))
    return found


def _result(
    name: str,
    probe: str,
    own: Sequence[Edited],
    scores: Mapping[tuple[str, str], float | None],
    left_out: Mapping[str, int],
    resamples: int,
    seed: int,
) -> ProbeResult:
    good, paper = what_is_good(probe)
    documents: list[str] = []
    shifts: list[float] = []
    for edited in own:
        before, after = scores[edited.source_id, edited.original], scores[edited.source_id, edited.text]
        if before is not None and after is not None:
            documents.append(edited.source_id)
            shifts.append(after - before)
    shift_N = np.array(shifts, dtype=np.float64)
    towards_N = shift_N if good == "prefer" else -shift_N
    ratios = [count_words(e.text) / words for e in own if (words := count_words(e.original))]
    return ProbeResult(
        name,
        probe,
        good,
        paper,
        share_estimate(
            np.where(towards_N > 0, 1.0, np.where(towards_N < 0, 0.0, 0.5)), documents, resamples=resamples, seed=seed
        ),
        mean_estimate(_document_means(shift_N, documents), resamples=resamples, seed=seed),
        float(np.mean(ratios)) if ratios else None,
        len(shifts),
        int(np.sum(shift_N == 0)),
        len(own) - len(shifts),
        dict(left_out),
    )


def _document_means(values_N: Floats, documents_N: Sequence[str]) -> Floats:
    places = {document: index for index, document in enumerate(dict.fromkeys(documents_N))}
    at = np.array([places[document] for document in documents_N], dtype=np.int64)
    sums = np.bincount(at, weights=values_N, minlength=len(places))
    return sums / np.bincount(at, minlength=len(places))
