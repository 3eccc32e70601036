"""GPTScore (Fu et al. 2023; Liu et al. 2023, §3): a summary is as good as it is likely after document and instruction.

The score is Σ ln p(token) / |tokens|^α over the summary's own tokens. An end token, which not all models have learned
to write after a summary, is not counted. With both directions (the summary after its document, the document after its
summary) the score is their arithmetic mean. The authors' code also has their harmonic mean; of negative numbers that
falls when one of them rises, so it is not offered. GPTScore favours copying; `precis analyse` says by how much.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from ..endpoint.messages import NoReply
from ..errors import UserError
from ..records import Candidate, Failure, Group, JudgeInfo, Judgement, Score
from ..render.renderer import longest_cut
from .gptscore_prompts import ScoreTemplate, templates_of
from .likelihood import Likelihood, Logps, Prompt
from .protocol import EMPTY

NO_ROOM = "the model has no positions for the candidate beside any of the document"


@dataclass(frozen=True)
class _Asked:
    """What is asked about one group: the prompts of each candidate that can be scored, one a template."""

    prompts: dict[str, tuple[Prompt, ...]]
    no_room: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class GPTScoreJudge:
    """Scores each candidate in nats a token (α = 1), in nats (α = 0), or in what lies between.

    `templates` are one, or one for each direction, whose scores are then averaged. `aspect` is their name in the
    judge's settings. An empty candidate is a `Failure`, and so is one whose log-probs are not all known.

    A document that does not fit the model's positions beside the longest of its candidates is cut at the last line or
    sentence end that does, for all of them alike; candidates are never cut. `counts` are of all that was scored so far:
    documents, those that were cut, and candidates that the model had no positions for.
    """

    likelihood: Likelihood
    templates: tuple[ScoreTemplate, ...] = templates_of()
    length_penalty: float = 1.0
    aspect: str = ""
    name: str = "gptscore"
    counts: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.length_penalty <= 10:
            raise UserError(f"expected a length penalty from 0 to 10, found {self.length_penalty}")
        directions = [template.direction for template in self.templates]
        if not directions or len(set(directions)) < len(directions):
            raise UserError("GPTScore needs one template, or two of different directions")

    @cached_property
    def info(self) -> JudgeInfo:
        settings = {
            "model": self.likelihood.name,
            "engine": dict(self.likelihood.settings),
            "prompt": [template.hash for template in self.templates],
            "direction": " and ".join(template.direction for template in self.templates),
            "aspect": self.aspect,
            "one_line": all(template.one_line for template in self.templates),
            "demonstrations": len(self.templates[0].demonstrations),
            "length_penalty": float(self.length_penalty),
        }
        return JudgeInfo(self.name, settings)

    @property
    def scale(self) -> str:
        """The unit of the scores."""
        units = {0.0: "nats", 1.0: "nats/token"}
        return units.get(self.length_penalty, f"nats/token^{self.length_penalty:g}")

    @property
    def cut_documents(self) -> int:
        return self.counts["documents cut"]

    def judge(self, groups: Sequence[Group]) -> list[list[Judgement]]:
        asked = [self._asked(group) for group in groups]
        # Candidates with the same text are one prompt.
        prompts = list(dict.fromkeys(prompt for one in asked for own in one.prompts.values() for prompt in own))
        found = self.likelihood.logps(prompts, note=f"{self.name}: asking {self.likelihood.name}")
        told = dict(zip(prompts, found, strict=True))
        return [list(self._judgements(group, one, told)) for group, one in zip(groups, asked)]

    def _asked(self, group: Group) -> _Asked:
        document = group.source.text.strip()
        candidates = [candidate for candidate in group.candidates if not candidate.is_empty]
        self.counts["documents"] += 1

        def prompts(end: int, of: Sequence[Candidate]) -> list[tuple[Prompt, ...]]:
            cut = document[:end]
            return [tuple(t.prompt(group.source, cut, candidate.text) for t in self.templates) for candidate in of]

        def fit(end: int, of: Sequence[Candidate]) -> bool:
            return self.likelihood.fits([prompt for own in prompts(end, of) for prompt in own])

        end, room = len(document), candidates
        if not fit(end, candidates):
            room = [candidate for candidate in candidates if fit(1, [candidate])]
            self.counts["candidates without room"] += len(candidates) - len(room)
            if not fit(end, room):
                end = longest_cut(document, lambda end: fit(end, room))
                self.counts["documents cut"] += 1
        fitting = {candidate.id for candidate in room}
        return _Asked(
            {candidate.id: own for candidate, own in zip(room, prompts(end, room))},
            tuple(candidate for candidate in candidates if candidate.id not in fitting),
        )

    def _judgements(self, group: Group, asked: _Asked, told: Mapping[Prompt, Logps | NoReply]) -> Iterator[Judgement]:
        source = group.source.id
        for candidate in group.candidates:
            if candidate.is_empty:
                yield Failure(self.info, source, (candidate.id,), EMPTY)
        for candidate in asked.no_room:
            yield Failure(self.info, source, (candidate.id,), NO_ROOM)
        for candidate_id, prompts in asked.prompts.items():
            found = [told[prompt] for prompt in prompts]
            known = [logps for logps in found if not isinstance(logps, NoReply)]
            lacking = [reply for reply in found if isinstance(reply, NoReply)]
            if lacking:
                yield Failure(self.info, source, (candidate_id,), lacking[0].why, lacking[0].raw)
            else:
                value = fmean(self._value(logps) for logps in known)
                yield Score(self.info, source, candidate_id, value, self.scale)

    def _value(self, logps: Logps) -> float:
        return math.fsum(logps) / math.pow(len(logps), self.length_penalty)
