"""Candidates by a large model behind a URL, or by any other engine: what is asked, what is kept, what goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from endpoint_stand_in import MODEL, Answer, Call, EngineOf, StandIn, chat
from precis.cli import app
from precis.endpoint import NoReply, Reply, Request
from precis.errors import UserError
from precis.records import Document
from precis.render import TEMPLATES, Template
from precis.sampling.asked import sample_by_asking
from precis.sampling.decoding import Decoding
from precis.store import Store

TALK = Document("Ann: Hi!\nBen: Hello, {title}.")
POST = Document("It rained.")


class Model:
    """Answers by number; `broken` are the questions that it has no answer to."""

    name, settings = "large", {"model": "large"}

    def __init__(self, *broken: int):
        self.broken, self.asked = broken, list[Request]()

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        start = len(self.asked)
        self.asked += requests
        said = ("<think>hm</think> It rained.", "Ann and", " ")
        return [
            NoReply("refused") if number in self.broken
            else Reply(said[number % 3], "length" if number % 3 == 1 else "stop", 1, 1)
            for number in range(start, start + len(requests))
        ]  # fmt: skip


def test_each_candidate_is_a_question_of_its_own_and_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    how = Decoding("top-p", 0.7, 0.9, max_new_tokens=40)
    with Store(tmp_path) as store:
        store.add_documents([TALK, POST])
        first = Model(5)
        done = sample_by_asking(store, first, TEMPLATES["chat"], [TALK, POST], k=3, decoding=how, seed=7)
        assert (done.written, done.known, done.empty, done.unfinished) == (5, 0, 1, 2)
        assert done.failed == {"refused": 1}
        one = first.asked[0]
        assert one.messages == (
            ("user", "Ann: Hi! Ben: Hello, {title}.\n\nSummarize the text above in one to three sentences."),
        )  # fmt: skip
        assert (one.max_tokens, one.temperature, one.top_p) == (40, 0.7, 0.9)
        assert [(r.seed, r.repeat) for r in first.asked] == [(7, 0), (8, 1), (9, 2)] * 2
        by_index = {c.index: c for c in store.candidates([TALK.id])}
        assert by_index[0].text == "It rained." and not by_index[1].finished and by_index[2].is_empty
        assert by_index[0].token_ids is None and by_index[0].maker == done.maker
        again = Model()
        more = sample_by_asking(store, again, TEMPLATES["chat"], [TALK, POST], k=3, decoding=how, seed=7)
        assert [r.repeat for r in again.asked] == [2] and (more.written, more.known) == (1, 5)
        # Other lines, another prompt or another seed: another maker.
        for template, seed, one_line in ((TEMPLATES["chat"], 8, True), (TEMPLATES["chat"], 7, False)):
            other = sample_by_asking(
                store, Model(), template, [POST], k=1, decoding=how, seed=seed, one_line=one_line
            )  # fmt: skip
            assert other.maker.id != done.maker.id


def test_a_text_to_go_on_from_and_what_cannot_be_asked(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add_documents([TALK])
        model = Model()
        text = Template("{document}\nIn short:")
        sample_by_asking(store, model, text, [TALK], k=1, decoding=Decoding("greedy"), one_line=False)
        assert model.asked[0].prompt == "Ann: Hi!\nBen: Hello, {title}.\nIn short:"
        assert (model.asked[0].temperature, model.asked[0].seed) == (0, None)
        with pytest.raises(UserError, match="no beams to ask for"):
            sample_by_asking(store, model, text, [TALK], k=1, decoding=Decoding("beam", num_beams=2))
        with pytest.raises(UserError, match="one and the same candidate"):
            sample_by_asking(store, model, text, [TALK], k=2, decoding=Decoding("greedy"))


def test_a_candidate_that_breaks_off_is_unfinished_whatever_the_server_calls_it(
    tmp_path: Path, engine_of: EngineOf
) -> None:
    with Store(tmp_path) as store, StandIn(lambda call: chat("Ann and", finish="MAX_TOKENS")) as server:
        store.add_documents([TALK])
        done = sample_by_asking(
            store, engine_of(server), TEMPLATES["chat"], [TALK], k=1, decoding=Decoding("greedy")
        )  # fmt: skip
        assert done.unfinished == 1 and not next(iter(store.candidates([TALK.id]))).finished


def test_the_command_asks_a_server_and_says_what_it_cost(tmp_path: Path) -> None:
    def server(call: Call) -> Answer:
        return chat("Ann met Ben.") if "Ann" in call.text else chat(None, refusal="no")

    with Store(tmp_path / "store") as store:
        store.add_documents([TALK, POST])
    with StandIn(server) as stand_in:
        command = [
            "sample", "--policy", MODEL, "--url", stand_in.url, "--endpoint", "key_env=", "--endpoint",
            f"cache={tmp_path / 'cache'}", "--k", "2", "--keep-lines", "--store", str(tmp_path / "store"), "--json",
        ]  # fmt: skip
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["written"], told["known"]) == (2, 0) and sum(told["failed"].values()) == 2
        assert told["spent"]["sent"] == 4 and any("Ann: Hi!\nBen" in text for text in stand_in.texts())
        assert "2 × the model refused: no" in done.output
        again = json.loads(CliRunner().invoke(app, command).stdout.splitlines()[-1])
    assert (again["written"], again["known"]) == (0, 2) and again["spent"]["sent"] == 0
