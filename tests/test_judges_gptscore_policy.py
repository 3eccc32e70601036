"""GPTScore by a model in memory: exact numbers for any tokenizer, and each document computed once.

Run: python -m pytest tests/test_judges_gptscore_policy.py
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch
import transformers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, processors

from precis.endpoint.messages import NoReply
from precis.errors import UserError
from precis.judges import policy_likelihood
from precis.judges.gptscore import NO_ROOM, GPTScoreJudge
from precis.judges.gptscore_prompts import DIRECTIONS, templates_of
from precis.judges.likelihood import Prompt
from precis.judges.policy_likelihood import PolicyLikelihood
from precis.models import Policy
from precis.records import Candidate, Document, Failure, Group, Maker, Score
from tiny import BOS, EOS, TEXTS, SlowTokenizer, double_everywhere, tiny_model, tiny_policy, tiny_tokenizer

TOLERANCE = 1e-9
TEMPLATE = "{document}\n\nTL;DR: {summary}"
DOCUMENT = Document(TEXTS[1])
SUMMARIES = ("The train was late.", "Maria took a taxi, which cost forty euros.", "A", "Ünsinn €5 🙂")
CONTEXT = f"{TEXTS[1]}\n\nTL;DR: "


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    with double_everywhere():
        yield


def policy_of(name: str, tokenizer: Any = None) -> Policy:
    policy = tiny_policy(name, dtype=torch.float64)
    return policy if tokenizer is None else Policy(policy.model, tokenizer, "tiny")


def group(*texts: str, document: Document = DOCUMENT) -> Group:
    maker = Maker("policy", "m")
    return Group(document, tuple(Candidate(document.id, text, maker, index) for index, text in enumerate(texts)))


def plainly(model: Any, ids: Sequence[int], first: int) -> list[float]:
    """ln p of the ids from the place `first` on, by the whole model on one row."""
    with torch.no_grad():
        logps_TV = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [float(logps_TV[place - 1, ids[place]]) for place in range(first, len(ids))]


def holding(tokenizer: Any, ids: Sequence[int], context: str) -> int:
    """The first token with which the decoded text passes the context: found by decoding, not by offsets."""
    return next(n for n in range(len(ids)) if len(tokenizer.decode(ids[: n + 1])) > len(context))


def score(policy: Policy, *texts: str, **options: Any) -> list[float]:
    judge = GPTScoreJudge(PolicyLikelihood(policy), templates_of(own=[TEMPLATE]), **options)
    (said,) = judge.judge([group(*texts)])
    assert all(isinstance(one, Score) for one in said), said
    return [one.value for one in said if isinstance(one, Score)]


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral"])
def test_the_number_by_hand(name: str) -> None:
    """A tokenizer without BOS: no token is dropped, and no end token counted."""
    policy = policy_of(name)
    tokenizer = policy.tokenizer
    by_hand = []
    for text in SUMMARIES:
        ids = tokenizer(CONTEXT + text)["input_ids"]
        by_hand.append(plainly(policy.model, ids, holding(tokenizer, ids, CONTEXT)))
        tail = tokenizer(" " + text)["input_ids"]
        assert ids[-len(tail) :] == tail
        assert len(by_hand[-1]) == len(tail) - (tokenizer.decode(tail[:1]) == " "), (
            "a space of its own is the context's"
        )
    for alpha in (1.0, 0.0, 0.6):
        found = score(policy, *SUMMARIES, length_penalty=alpha)
        assert found == pytest.approx([sum(logps) / len(logps) ** alpha for logps in by_hand], abs=TOLERANCE)


def unigram(*pieces: str, bos: bool = False) -> Any:
    """A tokenizer that takes the longest of these pieces, else characters; any piece may hold white space."""
    characters = sorted(set("".join(TEXTS) + CONTEXT + "".join(SUMMARIES) + "Summary:"))
    vocabulary = [("<pad>", 0.0), ("<bos>", 0.0), ("<eos>", 0.0), ("<unk>", -50.0)]
    vocabulary += [(piece, -1.0) for piece in pieces] + [(c, -10.0) for c in characters]
    backend: Any = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    backend.decoder = decoders.Fuse()
    if bos:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    fast: Any = hf.PreTrainedTokenizerFast
    return fast(tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>")


@pytest.mark.parametrize("bos", [False, True])
def test_a_tokenizer_that_joins_across_the_seam(bos: bool) -> None:
    """Line ends and the first word are one token of one candidate and several of another; the rest is still shared."""
    tokenizer = unigram("\n\nThe", "\n\nM", ":\n\n", "train", bos=bos)
    policy = policy_of("llama", tokenizer)
    own = templates_of(own=["{document}\nTL;DR:\n\n{summary}"])
    texts = ("The train was late.", "Maria waited.", "A taxi came.")
    context = f"{TEXTS[1]}\nTL;DR:\n\n"
    firsts = ["\n\nThe", "\n\nM", "A"]
    found = {}
    for way in ("packed", "repeated"):
        (said,) = GPTScoreJudge(PolicyLikelihood(policy, implementation=way), own).judge([group(*texts)])  # type: ignore[arg-type]
        found[way] = [one.value for one in said if isinstance(one, Score)]
    assert found["packed"] == pytest.approx(found["repeated"], abs=TOLERANCE)
    for text, first, value in zip(texts, firsts, found["packed"], strict=True):
        tokens = tokenizer.tokenize(context + text)
        place = len(tokens) - 1 - tokens[::-1].index(first)
        assert "".join(tokens[place:]) == (text if first == "A" else "\n\n" + text)
        logps = plainly(policy.model, tokenizer(context + text)["input_ids"], place + bos)
        assert value == pytest.approx(sum(logps) / len(logps), abs=TOLERANCE)


def test_the_straddling_token_of_one_candidate_moves_no_other() -> None:
    policy = policy_of("llama", unigram("\n\nThe", ":\n\n"))
    own = templates_of(own=["{document}\nTL;DR:\n\n{summary}"])
    judge = GPTScoreJudge(PolicyLikelihood(policy), own)
    (alone,) = judge.judge([group("A taxi came.")])
    (beside,) = judge.judge([group("A taxi came.", "The train.")])
    assert isinstance(alone[0], Score) and isinstance(beside[0], Score)
    assert alone[0].value == pytest.approx(beside[0].value, abs=TOLERANCE)


def test_prompts_that_share_no_token_and_one_with_nothing_before_it() -> None:
    tokenizer = unigram("T\n", "\nMa", "T\nTh")
    policy = policy_of("llama", tokenizer)
    own = templates_of(own=["{document}\n{summary}"])
    one = group("Ma", "A", "The", document=Document("T"))
    (said,) = GPTScoreJudge(PolicyLikelihood(policy), own).judge([one])
    for judgement, tokens in zip(said[:2], (["T", "\nMa"], ["T\n", "A"])):
        assert isinstance(judgement, Score)
        ids = tokenizer.convert_tokens_to_ids(tokens)
        assert judgement.value == pytest.approx(plainly(policy.model, ids, 1)[0], abs=TOLERANCE)
    assert isinstance(said[2], Failure) and "nothing to be predicted from" in said[2].why


def test_offsets_that_leave_out_the_space_before_a_word() -> None:
    """As GPT-2's and RoBERTa's own tokenizers count; and a BOS that the tokenizer puts first is read, not scored."""
    plain = tiny_tokenizer()
    trimmed = hf.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(plain.backend_tokenizer.to_str()),
        pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
    )  # fmt: skip
    trimmed.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    assert score(policy_of("gpt2", trimmed), *SUMMARIES) == pytest.approx(
        score(policy_of("gpt2", plain), *SUMMARIES), abs=TOLERANCE
    )
    opening = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    trimmed.backend_tokenizer.post_processor = opening
    policy = policy_of("gpt2", trimmed)
    ids = trimmed(CONTEXT + SUMMARIES[0])["input_ids"]
    assert ids[0] == BOS
    logps = plainly(policy.model, ids, 1 + holding(plain, ids[1:], CONTEXT))
    assert score(policy, SUMMARIES[0]) == [pytest.approx(sum(logps) / len(logps), abs=TOLERANCE)]


def test_a_tokenizer_without_offsets_is_aligned_by_its_spelling() -> None:
    fast, slow = policy_of("gpt2"), policy_of("gpt2", SlowTokenizer(tiny_tokenizer()))
    assert score(slow, *SUMMARIES) == pytest.approx(score(fast, *SUMMARIES), abs=TOLERANCE)


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral", "bart", "t5", "bert2bert"])
def test_shared_is_repeated_in_both_directions(name: str) -> None:
    found = {}
    for way in ("packed", "repeated"):
        likelihood = PolicyLikelihood(policy_of(name), implementation=way)  # type: ignore[arg-type]
        own = (TEMPLATE, "TL;DR: {summary}\n\n{document}")
        judge = GPTScoreJudge(likelihood, templates_of("both", own=own))
        said = judge.judge([group(*SUMMARIES), group(*SUMMARIES[:2], document=Document(TEXTS[2]))])
        found[way] = [one.value for own in said for one in own if isinstance(one, Score)]
    assert len(found["packed"]) == 6
    assert found["packed"] == pytest.approx(found["repeated"], abs=TOLERANCE)


@pytest.mark.parametrize("name", ["llama", "bart"])
def test_the_document_goes_through_the_model_once(name: str) -> None:
    policy = policy_of(name)
    tokenizer = policy.tokenizer
    likelihood = PolicyLikelihood(policy)
    texts = [f"{number} euros." for number in range(16)]
    GPTScoreJudge(likelihood, templates_of(own=[TEMPLATE])).judge([group(*texts)])
    if name == "llama":
        rows = [tokenizer(CONTEXT + text)["input_ids"] for text in texts]
        (read,) = {holding(tokenizer, ids, CONTEXT) for ids in rows}
        wrote = [len(ids) - read - 1 for ids in rows]
    else:
        read = len(tokenizer(CONTEXT.rstrip())["input_ids"])
        wrote = [len(tokenizer(text)["input_ids"]) for text in texts]
    assert likelihood.tokens_forwarded == read + sum(wrote)
    assert likelihood.tokens_repeated >= 16 * read


@pytest.mark.parametrize("closing", [False, True])
def test_an_encoder_decoder_by_hand(closing: bool) -> None:
    """BART's convention: <bos> … <eos> around every text; the decoder's own opening is read and not scored."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tiny_tokenizer().backend_tokenizer.to_str()),
        pad_token="<pad>", bos_token="<bos>", eos_token="<eos>",
    )  # fmt: skip
    if closing:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A <eos>", special_tokens=[("<bos>", BOS), ("<eos>", EOS)]
        )
    policy = policy_of("bart", tokenizer)
    read = tokenizer(CONTEXT.rstrip())["input_ids"]
    for text, value in zip(SUMMARIES, score(policy, *SUMMARIES), strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        wrote = [policy.model.config.decoder_start_token_id, *([BOS] if closing else []), *ids]
        with torch.no_grad():
            model: Any = policy.model
            out = model(input_ids=torch.tensor([read]), decoder_input_ids=torch.tensor([wrote])).logits[0]
        logps_TV = out.log_softmax(-1)
        start = len(wrote) - len(ids) - 1
        logps = [float(logps_TV[start + place, token]) for place, token in enumerate(ids)]
        assert value == pytest.approx(sum(logps) / len(logps), abs=TOLERANCE)


def test_a_long_document_is_cut_and_a_long_candidate_fails() -> None:
    policy = policy_of("gpt2")
    document = Document(" ".join(TEXTS))
    judge = GPTScoreJudge(PolicyLikelihood(policy), templates_of(own=[TEMPLATE]))
    one = group("The train was late.", "no " * 200, document=document)
    (said,) = judge.judge([one])
    failed, scored = said
    assert isinstance(failed, Failure) and failed.why == NO_ROOM and failed.candidate_ids == (one.candidates[1].id,)
    assert judge.cut_documents == 1 and judge.counts["candidates without room"] == 1
    sentences = [document.text[: n + 1] for n, c in enumerate(document.text) if c in ".?" and n < len(document.text)]
    tokens = {cut: policy.tokenizer(f"{cut}\n\nTL;DR: The train was late.")["input_ids"] for cut in sentences}
    cut, ids = next((cut, tokens[cut]) for cut in reversed(sentences) if len(tokens[cut]) <= 128)
    logps = plainly(policy.model, ids, holding(policy.tokenizer, ids, f"{cut}\n\nTL;DR: "))
    assert isinstance(scored, Score)
    assert scored.value == pytest.approx(sum(logps) / len(logps), abs=TOLERANCE)


def test_a_decoder_has_positions_of_its_own() -> None:
    likelihood = PolicyLikelihood(policy_of("bart"))
    assert likelihood.fits([Prompt("a\n\n", "A train.")])
    assert not likelihood.fits([Prompt("a\n\n", "no " * 200)])
    assert not likelihood.fits([Prompt("no " * 200, "a")])
    assert not likelihood.fits([Prompt("no " * 10**6, "a")])
    with pytest.raises(UserError, match="positions"):
        likelihood.logps([Prompt("a\n\n", "no " * 200)])


def test_weights_that_give_no_number_are_a_failure() -> None:
    policy = policy_of("llama")
    with torch.no_grad():
        next(iter(policy.model.parameters())).fill_(torch.nan)
    ((said,),) = GPTScoreJudge(PolicyLikelihood(policy), templates_of(own=[TEMPLATE])).judge([group("A train.")])
    assert isinstance(said, Failure) and "the log-prob nan: check its weights" in said.why


def test_dropout_is_off_and_comes_back() -> None:
    policy = policy_of("gpt2")
    calm = score(policy, *SUMMARIES)
    policy.model.train()
    assert score(policy, *SUMMARIES) == pytest.approx(calm, abs=TOLERANCE)
    assert policy.model.training


def test_the_dtype_is_a_setting() -> None:
    doubled, single = policy_of("llama"), tiny_policy("llama")
    judges = [GPTScoreJudge(PolicyLikelihood(policy)) for policy in (doubled, single)]
    assert judges[0].info.settings["engine"] == {"dtype": "float64"}
    assert judges[0].info.id != judges[1].info.id


@cache
def _any_model() -> Any:
    return tiny_model("llama")


@settings(max_examples=40)
@given(
    st.text("ab \n.:é🙂", min_size=1, max_size=12).filter(str.strip),
    st.lists(st.text("ab \n.:é🙂", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4),
    st.sampled_from(DIRECTIONS),
)
def test_the_ids_are_those_of_the_whole_text(document: str, summaries: list[str], direction: str) -> None:
    """For every tokenizer: prefix and continuation are the text's own ids, and what is scored holds the target."""
    own = dict(zip(DIRECTIONS, (TEMPLATE, "{summary}\n\n{document}")))[direction]
    (template,) = templates_of(direction, own=[own])
    prompts = [template.prompt(DOCUMENT, document, summary) for summary in summaries]
    for tokenizer in (tiny_tokenizer(), unigram("\n\na", ": a", ": ", " a", "\n\nb")):
        rows = PolicyLikelihood(Policy(_any_model(), tokenizer, "tiny"))._rows(prompts)
        assert not any(isinstance(row, NoReply) for row in rows)
        for places, shared in policy_likelihood._families(prompts, rows):
            assert len({row.prefix for row in shared}) == 1
            for place, row in zip(places, shared, strict=True):
                ids = tokenizer(prompts[place].text)["input_ids"]
                assert [*row.prefix, *row.continuation] == ids
                before = tokenizer.decode(ids[: len(row.prefix) + row.skip])
                through = tokenizer.decode(ids[: len(row.prefix) + row.skip + 1])
                assert prompts[place].context.startswith(before.replace("<unk>", "")) or "<unk>" in before
                assert len(through) > len(prompts[place].context) or "<unk>" in through
