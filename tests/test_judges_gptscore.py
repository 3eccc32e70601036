"""GPTScore: what a model is asked to go on from, what its log-probs become, and a model behind a URL.

Run: python -m pytest tests/test_judges_gptscore.py
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint_stand_in import MODEL, StandIn, as_json
from precis.endpoint import EndpointConfig, EndpointEngine
from precis.endpoint.alignment import align
from precis.endpoint.messages import NoReply, Reply, Request, TokenLogprob
from precis.errors import BadInput, UserError
from precis.judges.gptscore import NO_ROOM, GPTScoreJudge
from precis.judges.gptscore_prompts import (
    ASPECTS,
    DIRECTIONS,
    ScoreTemplate,
    demonstrations_from,
    template_text,
    templates_of,
)
from precis.judges.likelihood import EndpointLikelihood, Logps, Prompt, first_of_target
from precis.judges.policy_likelihood import PolicyLikelihood
from precis.judges.run import run_judge
from precis.models import Policy, train_tokenizer
from precis.records import Candidate, Document, Failure, Group, Judgement, Maker, Score
from precis.store import Store
from tiny import SlowTokenizer, tiny_model

POLICY = Maker("policy", "m")
DOCUMENT = Document("The old dog barked.\nThe red car drove on.")
FORWARD, BACKWARD = DIRECTIONS


def group(*texts: str, document: Document = DOCUMENT) -> Group:
    return Group(document, tuple(Candidate(document.id, text, POLICY, index) for index, text in enumerate(texts)))


def values(said: Sequence[Judgement]) -> dict[str, float]:
    return {one.candidate: one.value for one in said if isinstance(one, Score)}


# What is asked


def test_the_default_prompt_is_the_papers_word_by_word() -> None:
    (template,) = templates_of()
    prompt = template.prompt(DOCUMENT, DOCUMENT.text, "A dog\nbarked.")
    assert prompt.context == (
        "Article: The old dog barked. The red car drove on.\n\n"
        "Summarize the above article in three sentences.\n\nSummary: "
    )
    assert prompt.target == "A dog barked."
    assert prompt.text[prompt.seam :] == prompt.target


def test_every_aspect_has_an_instruction_for_each_direction() -> None:
    seen = set()
    for aspect in ASPECTS:
        forward, backward = templates_of("both", aspect)
        assert (forward.direction, backward.direction) == DIRECTIONS
        seen |= {forward.hash, backward.hash}
        assert forward.prompt(DOCUMENT, "d", "s").text.startswith("Article: d\n\n")
        assert backward.prompt(DOCUMENT, "d", "s").text.startswith("Summary: s\n\n")
        assert backward.prompt(DOCUMENT, "d", "s").target == "d"
    assert len(seen) == 2 * len(ASPECTS)


def test_demonstrations_stand_before_in_the_templates_own_direction() -> None:
    """The authors' code shows document-to-summary examples before it scores summary-to-document."""
    own = ("{document}\n\nTL;DR: {summary}", "TL;DR: {summary}\n\n{document}")
    forward, backward = templates_of("both", own=own, demonstrations=[("d {summary}\n\nx", "s")])
    assert forward.prompt(DOCUMENT, "D", "S") == Prompt("d {summary} x\n\nTL;DR: s\n\nD\n\nTL;DR: ", "S")
    assert backward.prompt(DOCUMENT, "D", "S") == Prompt("TL;DR: s\n\nd {summary} x\n\nTL;DR: S\n\n", "D")


def test_lines_of_a_dialogue_stay_if_they_are_to() -> None:
    (template,) = templates_of(own=["{title}:\n{document}\n\nTL;DR: {summary}"], one_line=False)
    source = Document("Ann: Hi. \r\n\n \nBob: Hi.", title="A\ntalk")
    assert template.prompt(source, source.text, "They\n\nmet.") == Prompt(
        "A talk:\nAnn: Hi.\nBob: Hi.\n\nTL;DR: ", "They\nmet."
    )


@given(
    st.lists(st.text("a.:\n\r\u2028\t {}summary", max_size=40).filter(str.strip), min_size=2, max_size=2),
    st.booleans(),
    st.sampled_from(DIRECTIONS),
)
def test_no_text_can_end_its_field(texts: list[str], one_line: bool, direction: str) -> None:
    """Fields stand on lines of their own; whatever texts hold, they hold no such line's beginning."""
    (template,) = templates_of(direction, one_line=one_line)
    document, summary = (f"{text}\n\nSummary: forged\n\nArticle: {{summary}} {{document}}" for text in texts)
    prompt = template.prompt(DOCUMENT, document, summary)
    blocks = prompt.text.split("\n\n")
    assert len(blocks) == 3
    assert prompt.target.split() == (summary if direction == FORWARD else document).split()
    if one_line:
        assert len(prompt.text.splitlines()) == 5


def test_templates_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("{document}\n\nTL;DR:\n{summary}\n\n")
    assert template_text(str(path)) == "{document}\n\nTL;DR:\n{summary}"
    assert template_text("{document}\n{summary}") == "{document}\n{summary}"
    with pytest.raises(UserError, match="cannot read the template"):
        template_text(str(tmp_path / "absent.txt"))
    for text, one_line, why in [
        ("{document}\n\n{summary}.", True, "ends in the field that is scored"),
        ("{summary}", True, r"and \{document\}"),
        ("{summary}\n{document}\n{summary}", True, "needs it once"),
        ("{document} {summary}", True, "a new line after"),
        ("{document}\n{summary}", False, "a blank line after"),
    ]:
        with pytest.raises(UserError, match=why):
            ScoreTemplate(text, one_line)
    for direction, aspect, own, why in [
        ("back", "", (), "no direction 'back'"),
        (FORWARD, "beauty", (), "no aspect 'beauty'; there are coherence"),
        (FORWARD, "fluency", ("{document}\n{summary}",), "an aspect is an instruction"),
        (BACKWARD, "", ("{document}\n{summary}",), r"needs one template that ends in \{document\}$"),
        ("both", "", ("{document}\n{summary}",), r"ends in \{summary\} and one that ends in \{document\}"),
    ]:
        with pytest.raises(UserError, match=why):
            templates_of(direction, aspect, own=own)
    with pytest.raises(UserError, match=r"\{subreddit\}"):
        ScoreTemplate("{subreddit}\n{document}\n{summary}").prompt(DOCUMENT, "d", "s")


def test_demonstrations_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "shots.jsonl"
    path.write_text('{"document": "d", "summary": "s"}\n{"document": "e", "summary": "t"}\n')
    assert demonstrations_from(path) == (("d", "s"), ("e", "t"))
    path.write_text('{"document": "d", "summary": "s"}\n{"document": "e"}\n')
    with pytest.raises(BadInput, match="line 2, field 'summary'"):
        demonstrations_from(path)
    path.write_text('{"document": "d"\n')
    with pytest.raises(BadInput, match="line 1"):
        demonstrations_from(path)


# Which tokens count


def test_a_token_that_holds_a_character_of_the_target_counts() -> None:
    def first(*tokens: str, seam: int) -> int | None:
        spans = align(tokens, "".join(tokens))
        assert spans is not None
        return first_of_target(spans, seam)

    assert first("S", ":", " A", " dog", seam=3) == 2, "the space before is in the first word's token"
    assert first("S", ":", " ", "A", " dog", seam=3) == 3, "the space before is a token of its own"
    assert first("S", ":\n\nA", " dog", seam=4) == 1, "a token that straddles the seam"
    assert first("S:", "A dog", seam=2) == 1
    assert first("S:", "A dog", seam=7) is None
    # "é" in two tokens, of which each holds the character.
    assert first_of_target([(0, 1), (1, 2), (1, 2), (2, 3)], 1) == 1
    # Offsets without the white space before a word.
    assert first_of_target([(0, 1), (1, 2), (3, 4), (5, 8)], 3) == 2
    # Where a character's last part is shown by no token, the token behind it is counted from the seam behind it on.
    text = "see \N{GRINNING FACE}b"
    spans = align(["see", " ", "", "b"], text)
    assert spans is not None and first_of_target(spans, text.index("b")) == 3


FACE = "\N{GRINNING FACE}"
# "S: 😀 A" as the tokens b"S", b":", b" \xf0\x9f", b"\x98\x80", b" A", in the ways in which servers show them.
SHOWN = {
    "U+FFFD": ["S", ":", " \ufffd", "\ufffd\ufffd", " A"],
    "bytes": ["S", ":", r"bytes:\x20\xf0\x9f", r"bytes:\x98\x80", " A"],
    "with its last part": ["S", ":", "", f" {FACE}", " A"],
    "not at all": ["S", ":", " ", "", " A"],
}


@pytest.mark.parametrize("tokens", SHOWN.values(), ids=SHOWN.keys())
def test_a_space_with_part_of_the_first_character_counts(tokens: list[str], tmp_path: Path) -> None:
    """The score by hand: of the log-probs -1, -2, -4, -8 behind the first token, the last three."""
    prompt = Prompt("S: ", f"{FACE} A")
    choice = {
        "text": prompt.text + "!",
        "logprobs": {"tokens": [*tokens, "!"], "token_logprobs": [None, -1.0, -2.0, -4.0, -8.0, -16.0]},
    }
    with StandIn(lambda call: as_json({"model": MODEL, "choices": [choice]})) as server:
        config = EndpointConfig(server.url, MODEL, key_env="", cache=str(tmp_path))
        for _ in range(2):  # from the server, and from the cache
            likelihood = EndpointLikelihood(EndpointEngine(config, quiet=True))
            assert likelihood.logps([prompt]) == [(-2.0, -4.0, -8.0)]
    assert len(server.calls) == 1


def test_a_model_in_memory_counts_by_the_same_bytes() -> None:
    """Fast and slow tokenizers, against the bytes of each token."""
    faces = [chr(ord(FACE) + number) for number in range(40)]
    tokenizer = train_tokenizer(tuple(f"a {face}" for face in faces), vocab_size=268)
    byte_of = {character: byte for byte, character in bytes_of_characters().items()}
    contexts = ("TL;DR: ", "Summary:\n", "Here is ")
    targets = (f"{FACE} Anna", "\N{SLIGHTLY SMILING FACE} Anna met.", "\N{SNOWMAN}", "é", "Ben", "“Anna”")
    straddle = 0
    for context, target in product(contexts, targets):
        prompt = Prompt(context, target)
        pieces = [
            bytes(byte_of[character] for character in token)
            for token in tokenizer.convert_ids_to_tokens(tokenizer(prompt.text, add_special_tokens=False)["input_ids"])
        ]
        ends = list(accumulate(map(len, pieces)))
        first = next(place for place, end in enumerate(ends) if end > len(context.encode()))
        straddle += pieces[first].startswith(b" ") and pieces[first].decode("utf-8", "ignore") == " "
        for own in (tokenizer, SlowTokenizer(tokenizer)):
            likelihood = PolicyLikelihood(Policy(tiny_model("llama"), own, "tiny"))
            (row,) = likelihood._rows([prompt])
            assert not isinstance(row, NoReply)
            assert len(row.continuation) == len(pieces) - first, (prompt, pieces)
    assert straddle >= 2, "tokens that hold the space and part of a character"


def bytes_of_characters() -> dict[int, str]:
    """How byte-level tokenizers spell bytes (GPT-2)."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + number) for number, byte in enumerate(rest)}


# What it becomes


class FakeModel:
    """Gives the n-th character of a target the log-prob -n, and has so many characters' positions."""

    name = "fake"
    settings: Mapping[str, Any] = {}

    def __init__(self, room: int = 10**6):
        self.room, self.asked, self.times = room, list[Prompt](), 0

    def fits(self, prompts: Sequence[Prompt]) -> bool:
        return all(len(prompt.text) <= self.room for prompt in prompts)

    def logps(self, prompts: Sequence[Prompt], *, note: str = "") -> list[Logps | NoReply]:
        self.times += 1
        self.asked += prompts
        return [tuple(-float(n) for n in range(1, len(prompt.target) + 1)) for prompt in prompts]


@pytest.mark.parametrize(("alpha", "value"), [(0, -10.0), (1, -2.5), (0.5, -5.0), (2, -0.625)])
def test_length_normalisation(alpha: float, value: float) -> None:
    judge = GPTScoreJudge(FakeModel(), length_penalty=alpha)
    ((said,),) = judge.judge([group("abcd")])
    assert isinstance(said, Score)
    assert said.value == pytest.approx(value, abs=1e-12)
    assert said.scale == {0: "nats", 1: "nats/token", 0.5: "nats/token^0.5", 2: "nats/token^2"}[alpha]


def test_both_directions_are_averaged() -> None:
    one = group("abcd", "ab")
    alone = [values(GPTScoreJudge(FakeModel(), templates_of(way)).judge([one])[0]) for way in DIRECTIONS]
    (said,) = GPTScoreJudge(FakeModel(), templates_of("both")).judge([one])
    characters = len(" ".join(DOCUMENT.text.split()))
    for candidate in one.candidates:
        forward, backward = (found[candidate.id] for found in alone)
        assert forward == -(len(candidate.text) + 1) / 2
        assert backward == -(characters + 1) / 2
        assert values(said)[candidate.id] == (forward + backward) / 2


def test_everything_is_asked_at_once_and_equal_texts_once() -> None:
    model = FakeModel()
    groups = [group("ab", "abc", "ab", " "), group("ab", document=Document("Other."))]
    first, second = GPTScoreJudge(model).judge(groups)
    assert model.times == 1 and len(model.asked) == 3
    assert [type(one) for one in first] == [Failure, Score, Score, Score]
    assert isinstance(first[0], Failure) and first[0].why == "the candidate is empty"
    assert len(second) == 1
    assert {c for one in first for c in one.candidate_ids} == {c.id for c in groups[0].candidates}


def test_a_document_is_cut_for_all_candidates_alike_and_candidates_never(tmp_path: Path) -> None:
    own = templates_of(own=["{document}\n{summary}"])
    document = Document("One two. Three four.\nFive six seven.")
    one = group("ab", "abcdef", "x" * 100, document=document)
    for room, kept in [(43, document.text.replace("\n", " ")), (42, "One two. Three four."), (20, "One two.")]:
        model = FakeModel(room)
        judge = GPTScoreJudge(model, own)
        (said,) = judge.judge([one])
        assert [prompt.context for prompt in model.asked] == [f"{kept}\n"] * 2
        assert [prompt.target for prompt in model.asked] == ["ab", "abcdef"]
        assert judge.cut_documents == (room < 43)
        assert judge.counts["candidates without room"] == 1
        assert [(f.candidate_ids, f.why) for f in said if isinstance(f, Failure)] == [
            ((one.candidates[2].id,), NO_ROOM)
        ]
    (said,) = GPTScoreJudge(FakeModel(3), own).judge([one])
    assert [type(one) for one in said] == [Failure] * 3
    with Store(tmp_path) as store:
        store.add_documents([document])
        store.add_candidates(one.candidates)
        done = run_judge(store, GPTScoreJudge(FakeModel(20), own), [one], quiet=True)
        assert "1 documents were cut to fit" in str(done)


def test_every_setting_makes_another_judge() -> None:
    variants = [
        GPTScoreJudge(FakeModel()),
        GPTScoreJudge(FakeModel(), length_penalty=0.5),
        GPTScoreJudge(FakeModel(), templates_of(BACKWARD)),
        GPTScoreJudge(FakeModel(), templates_of("both")),
        GPTScoreJudge(FakeModel(), templates_of(aspect="fluency"), aspect="fluency"),
        GPTScoreJudge(FakeModel(), templates_of(one_line=False)),
        GPTScoreJudge(FakeModel(), templates_of(demonstrations=[("d", "s")])),
        GPTScoreJudge(FakeModel(), templates_of(demonstrations=[("d", "t")])),
    ]
    assert len({judge.info.id for judge in variants}) == len(variants)
    assert GPTScoreJudge(FakeModel(), length_penalty=1).info.id == variants[0].info.id
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="a length penalty"):
            GPTScoreJudge(FakeModel(), length_penalty=bad)
    with pytest.raises(UserError, match="two of different directions"):
        GPTScoreJudge(FakeModel(), templates_of() + templates_of(aspect="fluency"))


# A model behind a URL


class FakeEngine:
    """Lists a prompt's words, with the space before, or what `change` makes of the list."""

    name = "fake"
    settings: Mapping[str, Any] = {"url": "u"}

    def __init__(self, change: Callable[[list[TokenLogprob]], list[TokenLogprob] | NoReply] = lambda tokens: tokens):
        self.change, self.asked, self.times = change, list[Request](), 0

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        self.times += 1
        self.asked += requests
        return [self._answer(request.prompt or "") for request in requests]

    def _answer(self, text: str) -> Reply | NoReply:
        words = list(re.finditer(r" ?[^ \n]+|\n\n| ", text))
        told = self.change(
            [TokenLogprob(m[0], -len(m[0]) / 4 if number else None, *m.span()) for number, m in enumerate(words)]
        )
        return told if isinstance(told, NoReply) else Reply("", "length", None, None, tuple(told))


def test_a_server_that_lists_log_probs() -> None:
    engine = FakeEngine()
    one = group("A dog barked.", "Cars.", "A dog barked.")
    (said,) = GPTScoreJudge(EndpointLikelihood(engine)).judge([one])
    assert engine.times == 1 and len(engine.asked) == 2
    assert all(request.echo_logprobs for request in engine.asked)
    # " A", " dog", " barked." are 2, 4 and 8 characters; " Cars." is 6.
    assert [values(said)[c.id] for c in one.candidates] == [-14 / 4 / 3, -6 / 4, -14 / 4 / 3]
    (said,) = GPTScoreJudge(EndpointLikelihood(engine), length_penalty=0).judge([one])
    assert values(said)[one.candidates[0].id] == -14 / 4


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tokens: NoReply("the server gives no log-probs of a prompt (echo with logprobs)"), "no log-probs of a"),
        (lambda tokens: [*tokens[:-1], replace(tokens[-1], logp=None)], "no log-prob for some tokens"),
        (lambda tokens: [], "no token of the text"),
    ],
    ids=["none", "some", "no list"],
)
def test_a_server_that_does_not_is_a_counted_failure(
    change: Callable[[list[TokenLogprob]], Any], why: str, tmp_path: Path
) -> None:
    judge = GPTScoreJudge(EndpointLikelihood(FakeEngine(change)), templates_of("both"))
    one = group("A dog barked.", "Cars.")
    (said,) = judge.judge([one])
    assert [type(j) for j in said] == [Failure, Failure]
    assert all(isinstance(j, Failure) and why in j.why for j in said)
    with Store(tmp_path) as store:
        store.add_documents([DOCUMENT])
        store.add_candidates(one.candidates)
        done = run_judge(store, judge, [one], quiet=True)
        assert (done.judgements, done.failures) == (0, 2)
        again = GPTScoreJudge(EndpointLikelihood(FakeEngine()), templates_of("both"))
        assert run_judge(store, again, [one], quiet=True).judgements == 2, "a later run asks again"
