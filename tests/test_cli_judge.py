"""`precis judge gptrank`, `pairwise` and `gptscore`: a large model behind a URL, asked once for everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from endpoint_stand_in import Answer, Call, StandIn, chat
from precis.models import init_model
from precis.records import Candidate, Comparison, Document, Maker, Ranking, Score
from precis.store import Store
from test_cli import last_json, run
from test_endpoint_echo import logp, tokens_of, vllm

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


def test_gptscore_by_a_server_that_lists_log_probs(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn(vllm) as server:
        assert judge(store, server, "gptscore", "--length-penalty", "0") == 0
        said = last_json(capsys.readouterr().out)
        assert len(server.calls) == 9
    assert (said["name"], said["judgements"], said["failures"]) == ("gptscore", 9, 3)
    with Store(store) as opened:
        scores = [j for j in opened.judgements() if isinstance(j, Score)]
        texts = {candidate.id: candidate.text for candidate in opened.candidates()}
    assert {j.judge.id for j in scores} == {said["judge"]}
    for one in scores:
        (document,) = (" ".join(d.text.split()) for d in DOCUMENTS if d.id == one.source_id)
        text = texts[one.candidate]
        (prompt,) = (sent for sent in server.texts() if document in sent and sent.endswith(f": {text}"))
        tokens = list(enumerate(tokens_of(prompt)))
        assert one.value == sum(logp(token, place) for place, token in tokens[-len(text.split()) :])


def test_gptscore_by_a_model_in_a_folder(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = init_model(tmp_path / "model", [d.text for d in DOCUMENTS], size="tiny", vocab_size=300)
    (tmp_path / "shots.jsonl").write_text('{"document": "Ann: Hi.", "summary": "A greeting."}\n')
    (tmp_path / "back.txt").write_text("TL;DR: {summary}\n\n{document}\n")
    own = ("--template", "{document}\n\nTL;DR: {summary}", "--template", str(tmp_path / "back.txt"))
    more = ("--direction", "both", "--keep-lines", "--demonstrations", str(tmp_path / "shots.jsonl"), "--json")
    for arguments in (("--aspect", "fluency", "--json"), (*own, *more)):
        assert run("judge", "gptscore", "--model", model, *arguments, "--store", store) == 0
        said = last_json(capsys.readouterr().out)
        assert (said["name"], said["judgements"], said["failures"]) == ("gptscore", 9, 3)
        assert "spent" not in said
    with Store(store) as opened:
        by = {j.judge.id: j.judge.settings for j in opened.judgements() if isinstance(j, Score)}
    assert len(by) == 2
    last = by[said["judge"]]  # type: ignore[index]
    assert last["direction"] == "document-to-summary and summary-to-document"
    assert (last["one_line"], last["demonstrations"]) == (False, 1)


def test_json_names_the_judge_by_its_id(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("judge", "length", "--store", store, "--json") == 0
    said = last_json(capsys.readouterr().out)
    with Store(store) as opened:
        assert {said["judge"]} == {j.judge.id for j in opened.judgements()}
    assert said["name"] == "length"


SECRET = "sk-typed-in-the-wrong-place"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gptscore",), "needs its model: --model FOLDER"),
        (("gptscore", "--url", "http://localhost:1/v1"), "what it is called"),
        (("gptscore", "--model", "m", "--aspect", "beauty"), "there are coherence, fluency"),
        (("gptscore", "--model", "m", "--direction", "up"), "no direction 'up'"),
        (("gptscore", "--model", "m", "--template", "none.txt"), "cannot read the template none.txt"),
        (("gptrank", "--url", "http://host/v1"), "say where it is with --url"),
        (("gptrank", "--model", "m"), "there is no folder m"),
        (("gptrank", "--url", "nonsense", "--model", "m"), "expected an address such as"),
        (("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--endpoint", "speed=9"), "speed"),
        (("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--endpoint", SECRET), "has no ="),
        (
            ("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--endpoint", f"retries={SECRET}"),
            "'retries'",
        ),
        (("pairwise", "--url", "http://localhost:1/v1", "--model", "m", "--prompt", "none.txt"), "cannot read"),
    ],
)
def test_a_mistake_is_one_sentence(
    store: Path, arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("judge", *arguments, "--store", store) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error and len(error.splitlines()) == 1 and SECRET not in error


def test_a_cap_stops_the_run_and_keeps_what_was_paid_for(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn(longest_first) as server:
        capped = ("--endpoint", "max_tokens_spent=3000", "--endpoint", "concurrency=1")
        assert judge(store, server, "gptrank", *capped) == 2
        assert "max_tokens_spent" in capsys.readouterr().err
        asked = len(server.calls)
        assert 0 < asked < 3
        assert judge(store, server, "gptrank") == 0
        assert len(server.calls) == 3
