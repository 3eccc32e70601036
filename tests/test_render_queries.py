"""The paper's query format: golden texts, exact lengths, cuts that take from the post alone, fields that stay closed.

Run: python -m pytest tests/test_render_queries.py
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from precis.data import import_into
from precis.errors import UserError
from precis.records import Candidate, Document, Maker
from precis.render import TEMPLATES, Renderer, query_ids, query_of, response_ids, template_named
from precis.store import Store
from tiny import tiny_tokenizer


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, so that lengths can be counted by hand; 256 is PAD and 257 EOS."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")


BYTES = byte_tokenizer()
POST = Document("It barks.\nEvery day.\nAt noon.", title="My dog", meta={"subreddit": "dogs"})
GOLDEN = "SUBREDDIT: r/dogs\n\nTITLE: My dog\n\nPOST: It barks.\nEvery day.\nAt noon.\n\nTL;DR:"


def ids_of(text: str, tokenizer: Any = BYTES) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_the_golden_query() -> None:
    query = query_of(POST, BYTES, 100)
    assert query.text == GOLDEN
    assert len(GOLDEN) == 77
    assert list(query.ids) == ids_of(" ") * 23 + ids_of(GOLDEN)
    assert query_ids(POST, BYTES, 100, pad_id=256) == [256] * 23 + ids_of(GOLDEN)
    assert (query.post, query.cut_characters) == (POST.text, 0)


def test_the_papers_lengths_are_the_defaults() -> None:
    assert len(query_ids(POST, BYTES)) == 512
    assert len(query_ids(POST, BYTES, template="cnndm")) == 2047 - 128
    assert len(query_ids(POST, BYTES, template="cnndm-transfer")) == 512


@pytest.mark.parametrize(
    "template, text",
    [("cnndm", "Article:\nIt barks.\n\nTL;DR:\n"), ("cnndm-transfer", "It barks.\n\nTL;DR:")],
)
def test_the_golden_queries_of_news(template: str, text: str) -> None:
    assert query_of(Document("It barks."), BYTES, template=template).text == text
    renderer = Renderer(BYTES, template_named(template), max_prefix_tokens=99)
    assert BYTES.decode(renderer.prefix(Document("It barks.")).ids) == text


@pytest.mark.parametrize(
    "length, kept",
    [
        (77, "It barks.\nEvery day.\nAt noon."),
        (76, "It barks.\nEvery day."),
        (68, "It barks.\nEvery day."),  # 48 tokens of prompt and 20 of post
        (67, "It barks."),
        (57, "It barks."),
        (56, "It barks"),  # no line end is left: a character at a time
        (50, "It"),
        (48, ""),
    ],
)
def test_a_long_post_is_cut_at_line_ends_then_by_characters(length: int, kept: str) -> None:
    query = query_of(POST, BYTES, length)
    assert (query.post, query.cut_characters) == (kept, len(POST.text) - len(kept))
    assert query.text == GOLDEN.replace(POST.text, kept)
    assert len(query.ids) == length


def test_a_prompt_that_is_too_long_by_itself_is_one_sentence() -> None:
    with pytest.raises(UserError, match="takes 48 tokens without any of the post; the limit is 47"):
        query_of(POST, BYTES, 47)
    with pytest.raises(UserError, match="no query template 'chat'; use one of tldr"):
        query_of(POST, BYTES, template="chat")
    with pytest.raises(UserError, match=r"asks for \{subreddit\}"):
        query_of(Document("It barks."), BYTES)


def openais_cut(post: str, length: int, tokenizer: Any) -> str:
    """`process_query` of openai/summarize-from-feedback, said again without any haste."""
    while len(ids_of(f"SUBREDDIT: r/dogs\n\nTITLE: T\n\nPOST: {post}\n\nTL;DR:", tokenizer)) > length:
        post = post[: post.rindex("\n")] if "\n" in post else post[:-1]
    return post


posts = st.text(st.sampled_from("ab de.\né🙂TheMonday "), min_size=1, max_size=300).filter(str.strip)


@settings(max_examples=150, deadline=None)
@given(post=posts, length=st.integers(45, 150), merges=st.booleans())
def test_the_cut_is_openais_and_a_second_one_changes_nothing(post: str, length: int, merges: bool) -> None:
    tokenizer = tiny_tokenizer() if merges else BYTES
    document = Document(post, title="T", meta={"subreddit": "dogs"})
    query = query_of(document, tokenizer, length)
    assert query.post == openais_cut(post, length, tokenizer)
    assert len(query.ids) == length
    assert query.ids[length - len(ids_of(query.text, tokenizer)) :] == tuple(ids_of(query.text, tokenizer))
    if query.post.strip():
        again = query_of(replace(document, text=query.post), tokenizer, length)
        assert (again.ids, again.cut_characters) == (query.ids, 0)


def test_a_book_is_not_encoded_once_a_character() -> None:
    calls = 0

    class Counting:
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            return BYTES(*arguments, **options)

    query = query_of(Document("word " * 10_000, title="T", meta={"subreddit": "dogs"}), Counting())  # type: ignore[arg-type]
    assert len(query.ids) == 512
    assert calls < 150


# Responses


def test_the_golden_response() -> None:
    assert response_ids("A dog barks.", BYTES) == [*ids_of(" A dog barks."), BYTES.eos_token_id]
    assert (
        response_ids(" A dog barks.", BYTES, 20)
        == [*ids_of(" A dog barks."), BYTES.eos_token_id] + [BYTES.pad_token_id] * 6
    )


def test_a_response_is_what_the_renderer_continues_with() -> None:
    renderer = Renderer(BYTES, TEMPLATES["tldr"], max_prefix_tokens=512)
    assert list(renderer.continuation("A dog barks.")) == response_ids("A dog barks.", BYTES)


def test_padding_is_not_the_end_token_and_no_summary_is_cut() -> None:
    with pytest.raises(UserError, match="not the end token"):
        response_ids("A dog.", BYTES, 20, pad_id=BYTES.eos_token_id)
    with pytest.raises(UserError, match="takes 8 tokens with its end token; the length is 7"):
        response_ids("A dog.", BYTES, 7)


# Documents are data


one_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
any_text = one_line.filter(str.strip) | st.sampled_from(
    ["A\n\nTL;DR: no", "x\n\nPOST: y\n\nTL;DR:", "{title} {subreddit}", "\n\nTITLE: z\n\nPOST: ", "<eos> <pad>"]
)


@settings(max_examples=150, deadline=None)
@given(text=any_text, title=any_text | one_line, subreddit=any_text.map(lambda text: text.strip() or "x"))
def test_what_a_query_was_filled_with_can_be_read_back(text: str, title: str, subreddit: str) -> None:
    """No field can open or close another: title and subreddit hold no line end, and the post is the rest."""
    document = Document(text, title=title, meta={"subreddit": subreddit})
    for rendered in (
        query_of(document, BYTES, 2000).text,
        BYTES.decode(Renderer(BYTES, TEMPLATES["tldr"], max_prefix_tokens=2000).prefix(document).ids),
    ):
        found = re.fullmatch(
            r"SUBREDDIT: r/([^\n]*)\n\nTITLE: ([^\n]*)\n\nPOST: (.*)\n\nTL;DR:", rendered, flags=re.DOTALL
        )
        assert found is not None
        assert found.groups() == (" ".join(subreddit.split()), " ".join(title.split()), text)


@pytest.mark.parametrize("length", [55, 60, 66, 70])
def test_the_renderers_cut_takes_from_the_post_alone(length: int) -> None:
    prefix = Renderer(BYTES, TEMPLATES["tldr"], max_prefix_tokens=length).prefix(POST)
    text = BYTES.decode(prefix.ids)
    start, end = "SUBREDDIT: r/dogs\n\nTITLE: My dog\n\nPOST: ", "\n\nTL;DR:"
    assert text.startswith(start) and text.endswith(end) and len(prefix.ids) <= length
    kept = text.removeprefix(start).removesuffix(end)
    assert kept and POST.text.startswith(kept)
    assert prefix.cut_characters == len(POST.text) - len(kept) > 0


def test_title_and_subreddit_come_from_the_store(tmp_path: Path) -> None:
    row = {"id": "t3_1", "subreddit": "dogs", "title": "My dog", "post": POST.text, "summary": "A dog barks."}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    renderer = Renderer(BYTES, template_named("tldr"), max_prefix_tokens=512)
    with Store(tmp_path / "w") as store:
        import_into(store, "tldr", tmp_path / "train.jsonl")
        (group,) = store.groups(references_compete=True)
    tokens = renderer.group(group)
    assert list(tokens.prefix_ids) == ids_of(GOLDEN)
    assert list(tokens.continuations[0]) == response_ids("A dog barks.", BYTES)
    written_from_a_candidate = Candidate(group.source.id, "Text.", Maker("policy", "m"))
    with pytest.raises(UserError, match=r"asks for \{subreddit\}"):
        renderer.prefix(written_from_a_candidate)
