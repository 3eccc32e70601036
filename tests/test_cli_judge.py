"""`precis judge gptrank` and `pairwise`: a large model behind a URL, asked once for everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from endpoint_stand_in import Answer, Call, StandIn, chat
from precis.records import Candidate, Comparison, Document, Maker, Ranking
from precis.store import Store
from test_cli import last_json, run

DOCUMENTS = [Document(f"Ann: The cat number {n} sat on the mat.\nBob: It did.") for n in range(3)]
USAGE = 700, 300  # tokens read and written
TEXTS = ("A cat.", "A cat sat on a mat.", "A cat sat.", "")


def longest_first(call: Call) -> Answer:
    """An answer that ranks by length, or prefers the longer of two."""
    shown = re.findall(r"### Summary \d+\n(.*)", call.text)
    order = sorted(range(1, len(shown) + 1), key=lambda n: -len(shown[n - 1]))
    if "Decision:" in call.text:
        return chat(f"Explanation: it is longer.\nDecision: {order[0]}", usage=USAGE)
    return chat(f"Explanation: length.\nRanking: {', '.join(map(str, order))}", usage=USAGE)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with Store(tmp_path / "work") as opened:
        opened.add_documents(DOCUMENTS)
        maker = Maker("policy", "p")
        opened.add_candidates([Candidate(d.id, text, maker, k) for d in DOCUMENTS for k, text in enumerate(TEXTS)])
    return tmp_path / "work"


def judge(store: Path, server: StandIn, *more: str) -> int:
    cache = f"cache={store / 'cache'}"
    at = ("--url", server.url, "--model", "stand-in", "--endpoint", "key_env=", "--endpoint", cache)
    return run("judge", *more, *at, "--store", store, "--json")


def test_gptrank_ranks_in_passes_and_pays_once(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn(longest_first) as server:
        assert judge(store, server, "gptrank", "--passes", "2") == 0
        out = capsys.readouterr().out
        assert "6 requests sent" in out and "6 passes" in out
        said = last_json(out)
        assert said["spent"]["prompt_tokens"] == 4200  # type: ignore[index]
        assert judge(store, server, "gptrank", "--passes", "2") == 0
        assert len(server.calls) == 6
    with Store(store) as opened:
        ranked = [j for j in opened.judgements() if isinstance(j, Ranking) and j.judge.name == "gptrank"]
        texts = {candidate.id: candidate.text for candidate in opened.candidates()}
    assert len(ranked) == 3
    for ranking in ranked:
        assert [texts[id] for tier in ranking.tiers for id in tier] == ["A cat sat on a mat.", "A cat sat.", "A cat."]


def test_pairwise_compares_in_both_orders_or_in_one(store: Path) -> None:
    with StandIn(longest_first) as server:
        assert judge(store, server, "pairwise", "--pairs", "1") == 0
        assert len(server.calls) == 6
        assert judge(store, server, "pairwise", "--pairs", "1", "--one-order") == 0
    with Store(store) as opened:
        said = [j for j in opened.judgements() if isinstance(j, Comparison)]
        texts = {candidate.id: candidate.text for candidate in opened.candidates()}
    assert len(said) == 9
    for one in said:
        chosen, other = (one.a, one.b) if one.choice == "a" else (one.b, one.a)
        assert len(texts[chosen]) > len(texts[other])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gptrank", "--model", "m"), "say where it is with --url"),
        (("gptrank", "--url", "nonsense", "--model", "m"), "expected an address such as"),
        (("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--endpoint", "speed=9"), "speed"),
        (("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--prompt", "none.txt"), "cannot read"),
    ],
)
def test_a_mistake_is_one_sentence(
    store: Path, arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("judge", *arguments, "--store", store) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error and len(error.splitlines()) == 1


def test_a_cap_stops_the_run_and_keeps_what_was_paid_for(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn(longest_first) as server:
        capped = ("--endpoint", "max_tokens_spent=3000", "--endpoint", "concurrency=1")
        assert judge(store, server, "gptrank", *capped) == 2
        assert "max_tokens_spent" in capsys.readouterr().err
        asked = len(server.calls)
        assert 0 < asked < 3
        assert judge(store, server, "gptrank") == 0
        assert len(server.calls) == 3
