"""Log-probs of a given text: numbers stand at their own tokens, or there are none."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint_stand_in import MODEL, Answer, Call, EngineOf, StandIn, as_json, error
from precis.endpoint import NoReply, Reply, Request
from precis.endpoint.alignment import align
from precis.endpoint.cache import Cache
from precis.endpoint.echo import NOT_GIVEN, NOT_SPELT, PROBE, UNPROVEN
from precis.endpoint.payload import job_of
from precis.errors import UserError

PROMPT = "A dog barked.\n\nSummary: A dog"
TOKENS = ["A", " dog", " barked", ".\n\n", "Summary", ":", " A", " dog"]
PLACES = [0, 1, 5, 12, 15, 22, 23, 25]


def echo(text: str = PROMPT) -> Request:
    return Request(prompt=text, echo_logprobs=True)


def tokens_of(text: str) -> list[str]:
    return TOKENS if text == PROMPT else text.split(" ")[:1] + [f" {word}" for word in text.split(" ")[1:]]


def logp(token: str, place: int) -> float:
    """What the stand-in's model gives a token, so that a number tells where it belongs."""
    return -(place + 1) / 8 - len(token)


def listed(prompt: str, tokens: list[str], logps: list[float | None], written: str, **more: Any) -> Answer:
    usage = {"prompt_tokens": len(tokens), "completion_tokens": 1}
    logprobs = {"tokens": tokens, "token_logprobs": logps, **more}
    choice = {"text": prompt + written, "finish_reason": "length", "logprobs": logprobs}
    return as_json({"model": MODEL, "choices": [choice], "usage": usage})


def vllm(call: Call, bos: bool = True, written: str = " end") -> Answer:
    """A BOS that is not in the text, offsets that count it, and the written token, be it the end of the text."""
    own = tokens_of(call.text)
    tokens = ["<s>"] * bos + own + [written or "</s>"]
    logps: list[float | None] = [logp(token, place) for place, token in enumerate(own)]
    logps = ([None, *logps] if bos else [None, *logps[1:]]) + [-0.5]
    offsets = [sum(map(len, tokens[:number])) for number in range(len(tokens))]
    return listed(call.text, tokens, logps, written, text_offset=offsets, top_logprobs=None)


def llama_cpp_python(call: Call, bos: bool, written: str) -> Answer:
    """Version 0.3: the tokens without BOS, each with the row of the same number, as many as there are rows; the first
    number is dropped. The row of the n-th token evaluated, BOS included, is the distribution of the next."""
    own = tokens_of(call.text)
    everything = own + ([written] if written else [])
    rows = [f"row {number}" for number in range(len(own) + bos)]
    ahead = 1 - bos  # how far the row's distribution is from the token it is paired with
    pairs = list(zip(everything, rows))
    logps: list[float | None] = [logp(token, place + ahead) for place, (token, _) in enumerate(pairs)]
    return listed(call.text, [token for token, _ in pairs], [None, *logps[1:]], written)


def expected(bos: bool = False) -> list[tuple[str, float | None, int]]:
    rows = [(token, logp(token, number), place) for number, (token, place) in enumerate(zip(TOKENS, PLACES))]
    return rows if bos else [(rows[0][0], None, rows[0][2]), *rows[1:]]


def rows_of(reply: Reply | NoReply) -> list[tuple[str, float | None, int]]:
    assert isinstance(reply, Reply), reply
    assert reply.text == ""
    return [(token.token, token.logp, token.offset) for token in reply.tokens]


def test_the_request_is_one_that_servers_take(engine_of: EngineOf) -> None:
    with StandIn(vllm) as server:
        engine_of(server).ask([echo()])
    assert server.calls[0].path == "/v1/completions"
    assert server.calls[0].body == {
        "model": MODEL, "prompt": PROMPT, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1,
    }  # fmt: skip


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("written", [" end", ""])
def test_a_server_as_vllm(bos: bool, written: str, engine_of: EngineOf) -> None:
    with StandIn(lambda call: vllm(call, bos, written)) as server:
        (reply,) = engine_of(server).ask([echo()])
        assert rows_of(reply) == expected(bos)
        (again,) = engine_of(server).ask([echo()])
    assert isinstance(again, Reply) and again.cached and rows_of(again) == expected(bos)
    assert len(server.calls) == 1


def test_llama_cpp_python_with_a_bos_is_right_also_where_the_text_ends(engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        return llama_cpp_python(call, bos=True, written="" if call.text == PROMPT else ",")

    with StandIn(script) as server:
        engine = engine_of(server)
        replies = engine.ask([echo(), echo("A dog barked"), echo()])
        assert rows_of(replies[0]) == expected() == rows_of(replies[2])
        assert isinstance(replies[1], Reply)
        assert server.texts() == [PROMPT, PROBE.prompt, "A dog barked"]  # the doubt is settled once
        engine.ask([echo("Another one")])
        assert engine.spent.sent == engine.spent.answered + 1 == 4
        again = engine_of(server)
        again.ask([echo(), echo("A dog barked"), echo("Another one")])
        assert again.spent.sent == 0


@pytest.mark.parametrize("written", [",", ""])
def test_llama_cpp_python_without_a_bos_is_one_off_and_refused(written: str, engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        return llama_cpp_python(call, bos=False, written=written if call.text != PROBE.prompt else ",")

    with StandIn(script) as server:
        replies = engine_of(server).ask([echo(), echo("A dog barked")])
        assert replies == [UNPROVEN] * 2
        assert len(server.calls) == (2 if written else 3)
        server.script = lambda call: llama_cpp_python(call, bos=True, written=written if call.text == PROMPT else ",")
        assert rows_of(engine_of(server).ask([echo()])[0]) == expected(), (
            "another vocabulary, and the verdict is another"
        )


def test_without_evidence_there_are_no_numbers(engine_of: EngineOf) -> None:
    with StandIn(lambda call: llama_cpp_python(call, bos=True, written="")) as server:
        assert engine_of(server).ask([echo(), echo("A dog barked")]) == [UNPROVEN] * 2
        assert server.texts() == [PROMPT, PROBE.prompt, "A dog barked"], "one probe settles it for the engine"


def test_a_server_that_is_set_up_to_give_log_probs_is_asked_again(engine_of: EngineOf) -> None:
    with StandIn(lambda call: as_json({"choices": [{"text": call.text + " end"}]})) as server:
        engine = engine_of(server)
        assert engine.ask([echo(), echo("A dog barked")]) == [NOT_GIVEN] * 2
        assert engine.spent.no_reply == 2
        server.script = vllm
        assert rows_of(engine_of(server).ask([echo()])[0]) == expected(True)
        assert isinstance(engine_of(server).ask([echo("A dog barked")])[0], Reply)
    assert len(server.calls) == 4


def test_a_server_that_never_gives_log_probs_is_not_paid_for_all_of_them(engine_of: EngineOf) -> None:
    texts = [echo(f"A dog barked {number}") for number in range(30)]
    with StandIn(lambda call: as_json({"choices": [{"text": " end"}]})) as server:
        with pytest.raises(
            UserError, match="answered none of the first 20 requests; the last time the server gives no"
        ):
            engine_of(server).ask(texts)
        assert len(server.calls) == 20
        server.script = lambda call: as_json({"choices": [{"text": " end"}]}) if call.text == PROMPT else vllm(call)
        replies = engine_of(server).ask([*texts[:19], echo(), *texts[19:]])
    assert [isinstance(reply, Reply) for reply in replies] == [True] * 19 + [False] + [True] * 11


def test_evidence_that_could_not_be_had_is_looked_for_again(engine_of: EngineOf) -> None:
    def script(call: Call) -> Answer:
        if call.text == PROBE.prompt and call.number < 7:
            return error(500)
        return llama_cpp_python(call, bos=True, written="" if call.text == PROMPT else ",")

    with StandIn(script) as server:
        assert engine_of(server).ask([echo()]) == [UNPROVEN]
        assert rows_of(engine_of(server).ask([echo()])[0]) == expected()


def changed(**changes: Any) -> Callable[[Call], Answer]:
    def script(call: Call) -> Answer:
        body = json.loads(vllm(call).body)
        logprobs = body["choices"][0]["logprobs"]
        logprobs |= {name: change(logprobs[name]) for name, change in changes.items()}
        return as_json(body)

    return script


REFUSED = {
    "no logprobs": (lambda call: as_json({"choices": [{"text": PROMPT + " end"}]}), "gives no log-probs"),
    "only the written token": (lambda call: listed(PROMPT, [" end"], [-0.5], " end"), "gives no log-probs"),
    "no echo": (lambda call: listed("", [" e", "nd"], [-0.5, -1.0], " end"), "gives no log-probs"),
    "a field that is not taken": (lambda call: error(422, "Unsupported fields: echo"), "answered 422"),
    "more numbers than tokens": (changed(token_logprobs=lambda logps: [*logps, -1.0]), "gives no log-probs"),
    "ids for tokens": (changed(tokens=lambda tokens: [f"token_id:{len(t)}" for t in tokens]), "do not spell"),
    "a token too few": (changed(tokens=lambda t: t[:3] + t[4:], token_logprobs=lambda p: p[1:]), "do not spell"),
    "tokens that grow": (changed(tokens=lambda tokens: [*tokens[:4], "\n barked", *tokens[5:]]), "do not spell"),
    "probabilities": (changed(token_logprobs=lambda p: [None, *[math.exp(x) for x in p[1:]]]), "the log of a probab"),
    "nothing but null": (changed(token_logprobs=lambda p: [None] * len(p)), "gives no log-probs"),
    "texts for numbers": (changed(token_logprobs=lambda p: ["-1"] * len(p)), "gives no log-probs"),
}


@pytest.mark.parametrize(("script", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_numbers_that_cannot_be_placed_are_refused(
    script: Callable[[Call], Answer], why: str, engine_of: EngineOf
) -> None:
    with StandIn(script) as server:
        (reply,) = engine_of(server).ask([echo()])
    assert isinstance(reply, NoReply) and why in reply.why
    assert not reply.permanent, "what the server can be set up for is asked again"


def test_a_placeholder_for_a_key_is_a_token_like_any_other(
    engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "anything")
    with StandIn(vllm) as server:
        (reply,) = engine_of(server, key_env="SOME_KEY").ask([echo("He did not say anything to Anna.")])
    assert isinstance(reply, Reply) and reply.tokens[4].token == " anything"


def test_that_tokens_do_not_spell_the_text_is_asked_again_also_where_it_was_kept(
    engine_of: EngineOf, tmp_path: Path
) -> None:
    with StandIn(vllm) as server:
        engine = engine_of(server)
        key = job_of(echo(), engine._config).key
        Cache(str(tmp_path / "cache")).put(key, NoReply(NOT_SPELT), None)  # as an earlier version did
        assert rows_of(engine.ask([echo()])[0]) == expected(True)


class Silent:
    """llama-cpp-python with a BOS, and a model that writes nothing after the texts; the probe shows that it is right.
    `!` is refused with a 401 while another text is under way, which is answered then."""

    def __init__(self) -> None:
        self.heard, self.refused = threading.Event(), threading.Event()

    def __call__(self, call: Call) -> Answer:
        if call.text == PROBE.prompt:
            return llama_cpp_python(call, bos=True, written=",")
        if call.text == "!":
            assert self.heard.wait(60)
            self.refused.set()
            return error(401)
        self.heard.set()
        assert self.refused.wait(60)
        return replace(llama_cpp_python(call, bos=True, written=""), seconds=0.05)


@pytest.mark.parametrize("known", [True, False])
def test_log_probs_under_way_when_a_run_stops_are_kept(known: bool, engine_of: EngineOf) -> None:
    """Whether the server was shown to be right before, or is only in the next run."""
    with StandIn(Silent()) as server:
        engine = engine_of(server, concurrency=2)
        if known:
            server.script = lambda call: llama_cpp_python(call, bos=True, written="" if call.text == "Before" else ",")
            engine.ask([echo("Before")])
            server.script = Silent()
        with pytest.raises(UserError, match="401"):
            engine.ask([echo(), echo("!")])
        server.script = lambda call: llama_cpp_python(call, bos=True, written=",")
        for _ in range(2):
            again = engine_of(server)
            (reply,) = again.ask([echo()])
            assert rows_of(reply) == expected() and isinstance(reply, Reply) and reply.cached
            assert (again.spent.cached, again.spent.answered) == (1, 0)
        assert again.spent.sent == 0
    assert server.texts().count(PROMPT) == 1 and server.texts().count(PROBE.prompt or "") == 1


def test_log_probs_that_are_kept_are_not_used_where_the_server_turns_out_to_be_one_off(engine_of: EngineOf) -> None:
    def no_bos(call: Call) -> Answer:
        return llama_cpp_python(call, bos=False, written="," if call.text == PROBE.prompt else "")

    with StandIn(Silent()) as server:
        with pytest.raises(UserError, match="401"):
            engine_of(server, concurrency=2).ask([echo(), echo("!")])
        server.script = no_bos
        assert engine_of(server).ask([echo()]) == [UNPROVEN]
        server.script = vllm
        assert rows_of(engine_of(server).ask([echo()])[0]) == expected(True), "they are gone, and are asked for anew"


def test_a_number_that_is_none_is_not_zero(engine_of: EngineOf) -> None:
    with StandIn(changed(token_logprobs=lambda p: [*p[:2], None, -math.inf, math.nan, -9999.0, *p[6:]])) as server:
        rows = rows_of(engine_of(server).ask([echo()])[0])
    assert rows == [(token, None if 1 <= n <= 4 else logp, at) for n, (token, logp, at) in enumerate(expected(True))]


FACE = "\N{GRINNING FACE}"  # four bytes


@pytest.mark.parametrize(
    ("tokens", "text", "spans"),
    [
        (["a", " b"], "a b", [(0, 1), (1, 3)]),
        ([], "", []),
        # Spaces lost: they belong to the word behind them.
        (["A", "dog", "."], "A dog.", [(0, 1), (1, 5), (5, 6)]),
        (["A", "", "dog"], "A dog", [(0, 1), (1, 1), (1, 5)]),
        (["A", "", "é"], "A é", [(0, 1), (1, 1), (1, 3)]),
        ([" A", " dog"], "A dog", [(0, 1), (1, 5)]),  # a space that SentencePiece puts first
        (["\n", "x", " "], "\n x  ", [(0, 1), (1, 3), (3, 5)]),
        (["caf", "\ufffd", "\ufffd", "!"], "café!", [(0, 3), (3, 4), (3, 4), (4, 5)]),
        (["caf", "<0xC3>", "<0xA9>", "!"], "café!", [(0, 3), (3, 4), (3, 4), (4, 5)]),
        (["caf", "bytes:\\xc3", "bytes:\\xa9", "!"], "café!", [(0, 3), (3, 4), (3, 4), (4, 5)]),
        (["caf", "bytes:\\xc3\\xa9", "!"], "café!", [(0, 3), (3, 4), (4, 5)]),
        # Parts that are not shown.
        (["a", "", "", "", "b"], f"a{FACE}b", [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]),
        (["a", "", FACE, "b"], f"a{FACE}b", [(0, 1), (1, 2), (1, 2), (2, 3)]),  # shown with the last part
        # " \xf0\x9f", a space and part of what follows it, in all the ways of showing it.
        (["see", " \ufffd", "\ufffd", "!"], f"see {FACE}!", [(0, 3), (3, 5), (4, 5), (5, 6)]),
        (["see", "bytes:\\x20\\xf0\\x9f", "bytes:\\x98\\x80"], f"see {FACE}", [(0, 3), (3, 5), (4, 5)]),
        (["see", "", "", f" {FACE}", "!"], f"see {FACE}!", [(0, 3), (3, 5), (3, 5), (3, 5), (5, 6)]),
        (["see", " ", "", "", "!"], f"see {FACE}!", [(0, 3), (3, 5), (4, 5), (4, 5), (5, 6)]),
        (["see", " ", "", "b"], f"see {FACE}b", [(0, 3), (3, 5), (4, 5), (4, 6)]),
        # A token for each byte: the space is one by itself.
        (["see", " ", *[""] * 4, "!"], f"see {FACE}!", [(0, 3), (3, 4), *[(4, 5)] * 4, (5, 6)]),
        (["see", "\n", "", "", "!"], f"see\n{FACE}!", [(0, 3), (3, 4), (4, 5), (4, 5), (5, 6)]),
        (["C", "a", "f", "", " ", "", "", "", "d"], "Café “d",
         [(0, 1), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (5, 6), (5, 6), (6, 7)]),
        (["<0x41>", "b"], "<0x41>b", [(0, 6), (6, 7)]),  # a text that says so
        (["a", "b"], "abc", None),
        (["a", "b", "c"], "ab", None),
        (["ab"], "aB", None),
        (["token_id:5"], "a", None),
        (["\ufffd"] * 4, "éé", [(0, 1), (0, 1), (1, 2), (1, 2)]),
        (["\ufffd"] * 2, "éé", None),
    ],
)  # fmt: skip
def test_tokens_as_servers_spell_them(tokens: list[str], text: str, spans: list[tuple[int, int]] | None) -> None:
    assert align(tokens, text) == spans


TEXTS = st.text(st.sampled_from("ab .\n<éß“—中国😀👍\u0301\ufffd"), min_size=1, max_size=12)


def parts(text: str, cuts: set[int]) -> tuple[list[bytes], list[tuple[int, int]]]:
    """The text's bytes in pieces, and the characters that each holds at least part of."""
    data = text.encode()
    edges = sorted({0, len(data)} | {cut for cut in cuts if cut < len(data)})
    owner = [number for number, character in enumerate(text) for _ in character.encode()]
    return [data[low:high] for low, high in pairwise(edges)], [
        (owner[low], owner[high - 1] + 1) for low, high in pairwise(edges)
    ]


def bytes_shown(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(rf"\x{byte:02x}" for byte in piece)


def shown_with_the_last_part(pieces: list[bytes]) -> list[str]:
    """As vLLM shows tokens: what ends inside a character comes with the token that ends it."""
    shown, open_ = list[str](), b""
    for piece in pieces:
        open_ += piece
        text = open_.decode("utf-8", "replace")
        whole = not text.endswith("\ufffd") or open_.endswith("\ufffd".encode())
        shown.append(text if whole else "")
        open_ = b"" if whole else open_
    return shown


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sets(st.integers(1, 40)))
def test_places_are_right_or_there_are_none(text: str, cuts: set[int]) -> None:
    pieces, spans = parts(text, cuts)
    assert align([bytes_shown(piece) for piece in pieces], text) == spans
    found = align([piece.decode("utf-8", "replace") for piece in pieces], text)
    assert found is None or found == spans


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sets(st.integers(1, 40)))
def test_parts_that_are_not_shown_move_no_place_by_more_than_their_character(text: str, cuts: set[int]) -> None:
    pieces, spans = parts(text, cuts)
    found = align([piece.decode("utf-8", "ignore") for piece in pieces], text)
    if found is not None:
        for place, truth in zip(found, spans):
            assert abs(place[0] - truth[0]) <= 1 and abs(place[1] - truth[1]) <= 1
        clean = all(piece.decode("utf-8", "ignore") in ("", piece.decode("utf-8", "replace")) for piece in pieces)
        assert not clean or [start for start, _ in found] == [start for start, _ in spans]


@settings(max_examples=300, deadline=None)
@given(TEXTS.filter(lambda text: "\ufffd" not in text), st.sets(st.integers(1, 40)), st.data())
def test_no_token_with_part_of_the_first_character_is_missed(text: str, cuts: set[int], data: st.DataObject) -> None:
    """Where a seam lies behind a space, the first token with a byte behind it is found, or there are no places."""
    text = f"{text.strip() or 'a'} {text}"
    seam = 1 + data.draw(st.sampled_from([place for place, character in enumerate(text[:-1]) if character == " "]))
    if text[seam:].startswith((" ", "\n")):
        return
    pieces, spans = parts(text, cuts)
    first = next(place for place, (_, end) in enumerate(spans) if end > seam)
    late = shown_with_the_last_part(pieces)
    for shown in ([piece.decode("utf-8", "replace") for piece in pieces], late):
        if shown is late and any(sum(not character.isascii() for character in token) > 1 for token in late):
            continue  # whose part is whose is not known then
        found = align(shown, text)
        assert found is None or next(place for place, (_, end) in enumerate(found) if end > seam) == first


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["a", "b ", "  ", "c\n", " d", ".", "ab"]), min_size=1, max_size=8))
def test_lost_spaces_move_a_place_by_white_space_only(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = align([piece.removeprefix(" ") for piece in pieces], text)
    if found is None:
        return
    truth = 0
    for (start, end), piece in zip(found, pieces):
        for place, true_place in ((start, truth), (end, truth + len(piece))):
            low, high = sorted((place, true_place))
            assert not text[low:high].strip()
        truth += len(piece)
