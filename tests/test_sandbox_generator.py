"""Documents: deterministic, disjoint by facts, of the promised size, and English."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from precis.errors import BadInput, UserError
from precis.records import Document, document_from_json, to_json
from precis.sandbox import LEVELS, SPLITS, corpus, document_at, documents
from precis.sandbox.lexis import read_tokens
from precis.sandbox.patterns import patterns_of
from precis.sandbox.story import KINDS, Story, split_of, story_of
from precis.sandbox.summaries import summary_at

TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


@pytest.fixture(scope="module")
def sample() -> list[Document]:
    return list(documents(500, seed=11))


def test_a_document_depends_only_on_seed_split_and_number() -> None:
    few, many = list(documents(3, seed=5)), list(documents(40, seed=5))
    assert few == many[:3]
    assert many[17] == document_at(17, seed=5)
    assert [d.text for d in documents(3, seed=6)] != [d.text for d in few]


def test_no_combination_of_facts_is_in_two_splits_whatever_the_seed() -> None:
    keys = {
        split: {d.meta["key"] for seed in (0, 1) for d in documents(200, seed=seed, split=split)} for split in SPLITS
    }
    assert len(keys) == 3
    for a in SPLITS:
        assert all(split_of(key) == a for key in keys[a])
        assert not any(keys[a] & keys[b] for b in SPLITS if b != a)


def test_sizes_and_words(sample: list[Document]) -> None:
    lengths = [len(TOKEN.findall(document.text)) for document in sample]
    assert sum(80 <= length <= 400 for length in lengths) >= 0.99 * len(sample)
    words = {word.lower() for document in sample for word in TOKEN.findall(document.text) if word[0].isalpha()}
    assert len(words) >= 2000
    assert len({document.id for document in sample}) == len(sample)


def test_kinds_of_document(sample: list[Document]) -> None:
    for document in sample:
        story = story_of(document)
        if story.form == "conversation":
            names = {person.name for person in story.people.values()}
            tags = [line.split(":")[0] for line in document.text.split("\n")]
            assert set(tags) <= names
            assert {story.people["A"].name, story.people["T"].name} <= set(tags)
            assert all(first != second for first, second in pairwise(tags))
            assert not document.title
        else:
            assert document.title
            assert re.search(r"\bI('m)?\b", document.text)
    assert {story_of(d).form for d in documents(20, seed=1, kind="post")} == {"post"}
    assert {story_of(d).form for d in documents(20, seed=1, kind="conversation")} == {"conversation"}


def test_the_text_is_tidy_english(sample: list[Document]) -> None:
    for document in sample:
        texts = [document.text, document.title, *(summary_at(document, level, seed=1).text for level in LEVELS)]
        for text in texts:
            assert not re.search(r"[{}|^~=<>\x00]|\bthee\b|  | [,.?!]", text), text
            assert not re.search(r"\ban [bcdfgjklmnpqrstvwxyz]|\ba [aei]\w", text), text
            assert not re.search(r"\b(I|you|we|they) (is|has|does|wants|needs)\b", text), text
            # After "does it" or "could she" a bare verb is right.
            inverted = r"\b(did|does|could|would|will|can) (he|she|it|\w+) \w+"
            said = re.sub(inverted, "", text, flags=re.IGNORECASE)
            assert not re.search(r"\b(he|she|it) (are|have|do|need|want)\b", said), text
        assert all(text[0].isupper() or text[0] == "'" for text in texts if text)


def test_every_hidden_fact_is_said(sample: list[Document]) -> None:
    """The content words of one wording of each fact stand in the text."""
    for document in sample:
        story = story_of(document)
        said = {token.concept for token in read_tokens(document.text)}
        for kind in ("event", "why", "cause", "request", "detail", "where"):
            if kind in story.facts:
                wordings = patterns_of(story.facts[kind].text, kind in ("event", "request"))
                assert any(set(wording.keys) <= said for wording in wordings), (kind, story.facts[kind], document.text)


def test_facts_travel_with_the_document(sample: list[Document]) -> None:
    document = sample[0]
    again = document_from_json(json.loads(json.dumps(to_json(document))))
    assert again.id == document.id
    assert story_of(again) == story_of(document)
    assert isinstance(story_of(again), Story)
    assert all(kind in KINDS for kind in story_of(again).facts)
    assert all(len(story_of(d).facts) >= 4 for d in sample)


def test_mistakes_are_told_in_one_sentence() -> None:
    with pytest.raises(UserError, match="splits train, valid, test"):
        documents(1, seed=0, split="dev")
    with pytest.raises(UserError, match="conversation, post or mixed"):
        next(documents(1, seed=0, kind="poem"))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="only documents of the sandbox"):
        story_of(Document("A dog barked."))


def test_corpus_mixes_levels_by_share() -> None:
    texts = list(corpus(60, seed=3, summaries=2))
    assert texts == list(corpus(60, seed=3, summaries=2))
    assert [text for text, _ in texts] == [d.text for d in documents(60, seed=3)]
    assert all(len(summaries) == 2 for _, summaries in texts)
    assert sum(one != other for _, (one, other) in texts) > 50
    vague = list(corpus(20, seed=3, mix={"vague": 1.0}))
    assert sum(len(s.split()) for _, (s,) in vague) / 20 < sum(len(s[0].split()) for _, s in texts) / 60
