"""A policy's own score of candidates, against transformers' own forward pass of one row."""

from __future__ import annotations

import pytest

from precis.judges.ownscore import OwnScoreJudge
from precis.records import Candidate, Document, Failure, Group, Maker, Score
from precis.render import Renderer, template_named
from tiny import TEXTS, tiny_policy
from training_toys import plain_logps

POLICY = Maker("policy", "m")


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_scores_are_log_probs_over_length_to_the_penalty(alpha: float) -> None:
    policy = tiny_policy()
    renderer = Renderer(policy.tokenizer, template_named("separator"), max_prefix_tokens=64)
    judge = OwnScoreJudge(policy, renderer, length_penalty=alpha)
    groups = []
    for text in TEXTS[:3]:
        document = Document(text)
        own = ("They meet.", "", "Ben forgot the tickets.")
        groups.append(Group(document, tuple(Candidate(document.id, t, POLICY, i) for i, t in enumerate(own))))
    policy.model.train()
    for group, said in zip(groups, judge.judge(groups), strict=True):
        prefix = renderer.prefix(group.source).ids
        first, empty, last = said
        for candidate, score in ((group.candidates[0], first), (group.candidates[2], last)):
            ids = renderer.continuation(candidate)
            policy.model.eval()
            logps = plain_logps(policy.model, prefix, ids)[-len(ids) :]
            assert isinstance(score, Score) and score.candidate == candidate.id
            assert score.value == pytest.approx(float(logps.sum().detach()) / len(ids) ** alpha, rel=1e-4)
        assert isinstance(empty, Failure) and empty.why == "the candidate is empty"
    assert judge.info.settings["length_penalty"] == alpha and judge.cut_documents == 2  # of 64 tokens
