"""TL;DR posts: both shapes of rows, and the filters of Stiennon et al. 2020, appendix A, each of which hits its post.

Run: python -m pytest tests/test_data_tldr.py
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from precis.cli import main
from precis.data import TldrFilter, import_into, read
from precis.data import tldr_filters as rules
from precis.data.tldr import Post, post_of, split_tldr
from precis.data.tldr_words import OPENS_WITH_EDIT, OPENS_WITH_POSTSCRIPT, SUICIDE, UNDER_AGE
from precis.errors import BadInput, UserError
from precis.records import Candidate, Document, Maker
from precis.store import Store
from tiny import tiny_tokenizer

BODY = "My dog barks at the postman every morning, and the neighbours have begun to complain about it."
SUMMARY = " ".join(["My dog barks at the postman every day and the neighbours complain;"] * 2) + " what to do?"
GOOD = Post("t3_0", "dogs", "How do I stop him", BODY, SUMMARY, top_level=True)


def words(text: str) -> int:
    """A tokenizer's stand-in whose counts can be read off the page."""
    return len(text.split())


def post(number: int, **changes: Any) -> Post:
    """`GOOD` with another id, another body and `changes`."""
    return replace(GOOD, key=f"t3_{number}", **({"body": f"{BODY} Day {number}."} | changes))


# One post a rule, in the rules' order; each differs from a good post in this alone.
HIT_ONCE = [
    ("duplicate body", post(1, body=BODY)),
    ("comment, not a post", post(2, top_level=False)),
    ("subreddit not on the list of 29", post(3, subreddit="worldnews")),
    ("title opens with Edit or Update", post(4, title="[UPDATE] How I stopped him")),
    ("graphic sex", post(5, body="He left pornographic drawings on my porch, porn of the worst kind.")),
    ("suicide", post(6, body="A friend of mine talks about suicide and I do not know whom to call.")),
    ("sexual, with somebody under 18", post(7, body="I'm 16 and my school forbids talk of sex education.")),
    ("body longer than 512 tokens", post(8, body="bark " * 513)),
    ("no TL;DR", post(9, summary=None)),
    ("TL;DR opens with Edit, Update or P.S.", post(10, summary=f"Edit: {SUMMARY}")),
    ("profane TL;DR", post(11, summary=f"{SUMMARY} Bullshit.")),
    ("TL;DR not of 24 to 48 tokens", post(12, summary="My dog barks.")),
]


def test_every_rule_hits_its_post_and_no_other() -> None:
    assert 24 <= words(SUMMARY) <= 48
    posts = TldrFilter(words)
    kept = list(posts.iter([GOOD, *(post for _, post in HIT_ONCE)]))
    report = posts.report
    assert [(count.rule, count.dropped) for count in report.rules] == [(rule, 1) for rule, _ in HIT_ONCE]
    assert (report.posts, report.kept_posts, report.kept_references) == (13, 5, 1)
    # What is wrong with a TL;DR costs the reference, not the post.
    assert [post.key for post in kept] == ["t3_0", "t3_9", "t3_10", "t3_11", "t3_12"]
    assert [post.summary for post in kept] == [SUMMARY, None, None, None, None]
    assert not report.not_applied


def test_the_counts_of_a_rule_are_those_the_rules_before_it_left() -> None:
    posts = TldrFilter(words)
    list(posts.iter([post for _, post in HIT_ONCE] * 2))  # the second round is all duplicates
    counts = posts.report.rules
    assert counts[0].asked == 24
    assert [after.asked for after in counts[1:]] == [before.asked - before.dropped for before in counts[:-1]]
    assert posts.report.kept_references == counts[-1].asked - counts[-1].dropped


@pytest.mark.parametrize("rule, hit", HIT_ONCE, ids=[rule for rule, _ in HIT_ONCE])
def test_without_its_rule_a_post_would_be_kept(rule: str, hit: Post) -> None:
    """Each fixture post breaks one rule only: alone (and so no duplicate) it meets no rule but its own."""
    posts = TldrFilter(words)
    list(posts.iter([GOOD] if rule == "duplicate body" else []))
    posts.admit(hit)
    assert [count.rule for count in posts.report.rules if count.dropped] == [rule]


def test_without_a_tokenizer_two_rules_are_not_applied_and_said_so() -> None:
    posts = TldrFilter()
    kept = list(posts.iter([post for _, post in HIT_ONCE]))
    assert posts.report.not_applied == ["body longer than 512 tokens", "TL;DR not of 24 to 48 tokens"]
    assert [count.asked for count in posts.report.rules if not count.applied] == [0, 0]
    assert {"t3_8", "t3_12"} <= {post.key for post in kept if post.summary is not None}


def test_a_row_that_does_not_tell_is_kept_and_counted() -> None:
    posts = TldrFilter(words)
    assert list(posts.iter([replace(GOOD, top_level=None)]))
    assert [(count.rule, count.undecided) for count in posts.report.rules if count.undecided] == [
        ("comment, not a post", 1)
    ]


@pytest.mark.parametrize("tokens, dropped", [(23, True), (24, False), (48, False), (49, True)])
def test_the_length_of_a_reference_is_24_to_48_tokens_inclusive(tokens: int, dropped: bool) -> None:
    assert rules.has_odd_summary_length(replace(GOOD, summary="w " * tokens), words) is dropped


@pytest.mark.parametrize("tokens, dropped", [(512, False), (513, True)])
def test_the_length_of_a_body_is_at_most_512_tokens(tokens: int, dropped: bool) -> None:
    assert rules.has_long_body(replace(GOOD, body="w " * tokens), words) is dropped


def test_the_list_of_subreddits_is_the_papers_29_in_any_case() -> None:
    assert len(rules.SUBREDDITS) == len(set(rules.SUBREDDITS)) == 29
    assert not rules.is_off_the_list(replace(GOOD, subreddit="askreddit"))


@pytest.mark.parametrize(
    "title, hit",
    [("Update: he stopped", True), ("[UPDATE] x", True), ("(edit 2) x", True), ("EDITED", True), ("updates!", True),
     ("EDIT2: x", True), ("Editing my CV", False), ("Updating the router", False), ("An update", False), ("", False)],
)  # fmt: skip
def test_titles_that_open_with_edit_or_update(title: str, hit: bool) -> None:
    assert bool(OPENS_WITH_EDIT.match(title)) is hit


@pytest.mark.parametrize(
    "summary, hit",
    [("P.S. thanks", True), ("PS: thanks", True), ("p.p.s. thanks", True), ("PS4 broke", False), ("Psst", False)],
)
def test_summaries_that_open_with_a_postscript(summary: str, hit: bool) -> None:
    assert bool(OPENS_WITH_POSTSCRIPT.match(summary)) is hit


@pytest.mark.parametrize(
    "text, hit",
    [("I'm 16 and", True), ("I am 16. He", True), ("I just turned 15", True), ("when I was 15", True),
     ("me [15/f]", True), ("I (M16)", True), ("I (16) like", True), ("my [17 M] friend", True), ("17 yo", True),
     ("a 14-year-old", True), ("I'm in high school", True), ("I [22F]", False), ("[18/f]", False), ("I'm 23", False),
     ("I am 12 weeks pregnant", False), ("I'm 17 hours away", False), ("I'm 5'11\"", False), ("I was 10% sure", False),
     ("together for 14 years", False), ("I'm 12.5", False)],
)  # fmt: skip
def test_what_says_that_somebody_is_under_18(text: str, hit: bool) -> None:
    assert bool(UNDER_AGE.search(text)) is hit


@pytest.mark.parametrize(
    "text, hit",
    [("suicidal", True), ("kill myself", True), ("took her own life", True), ("take my life elsewhere", False)],
)
def test_what_is_about_suicide(text: str, hit: bool) -> None:
    assert bool(SUICIDE.search(text)) is hit


def test_being_under_18_alone_and_sex_alone_do_not_drop_a_post() -> None:
    assert not rules.is_sexual_with_a_minor(replace(GOOD, body="I'm 16 and my dog barks."))
    assert not rules.is_sexual_with_a_minor(replace(GOOD, body="I'm 36 and we had no sex education."))


# Rows

OPENAI = {"id": "t3_1", "subreddit": "dogs", "title": "Dog", "post": "It barks.", "summary": "A dog barks."}
WEBIS = {
    "author": "somebody", "id": "2a3b4c", "subreddit": "dogs", "subreddit_id": "t5_x", "title": "Dog",
    "body": "It barks. TL;DR: A dog barks.", "normalizedBody": "It barks. TL;DR: A dog barks.", "content": "It barks.",
    "summary": "A dog barks.", "content_len": 2, "summary_len": 3,
}  # fmt: skip


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", [OPENAI, WEBIS, {**WEBIS, "content": None}], ids=["openai", "webis", "raw body"])
def test_both_shapes_are_one_document_without_its_summary(tmp_path: Path, row: dict[str, Any]) -> None:
    document, reference = read("tldr", written(tmp_path / "valid1.jsonl", [row]))
    expected = Document(
        "It barks.", title="Dog", key=row["id"], dataset="tldr", split="valid1", meta={"subreddit": "dogs"}
    )
    assert (document, reference) == (expected, Candidate(expected.id, "A dog barks.", Maker("reference", "tldr")))


def test_queries_without_a_summary_are_documents_alone(tmp_path: Path) -> None:
    row = {name: OPENAI[name] for name in ("id", "subreddit", "title", "post")}
    assert len(list(read("tldr", written(tmp_path / "train.jsonl", [row])))) == 1


@pytest.mark.parametrize(
    "fields, top_level",
    [({}, None), ({"title": "Dog"}, True), ({"id": "t3_1"}, True), ({"id": "t1_c1"}, False), ({"id": "c69al3r"}, False),
     ({"title": "Dog", "parent_id": "t3_9"}, False), ({"link_id": "t3_9"}, False), ({"id": 7}, None)],
)  # fmt: skip
def test_whether_a_row_is_a_post_of_its_own(fields: dict[str, Any], top_level: bool | None) -> None:
    row = {"id": "2a3b4c", "subreddit": "r/dogs", "content": "It barks."} | fields
    assert (post_of(row).top_level, post_of(row).subreddit) == (top_level, "dogs")


@pytest.mark.parametrize(
    "body, parts",
    [
        ("Long.\n\n**TL;DR:** short one", ("Long.", "short one")),
        ("Long.\n---\nTL/DR: **short**", ("Long.", "short")),
        ("A TL;DR here? Later, tldr - short", ("A TL;DR here? Later,", "short")),
        ("TLDR short\n\nLong text.", ("Long text.", "short")),
        ("Long (TL;DR) short", ("Long", "short")),
        ("No marker.", None),
        ("Long. TL;DR", None),
        ("TL;DR only", None),
    ],
)
def test_a_raw_body_is_cut_at_its_tldr(body: str, parts: tuple[str, str] | None) -> None:
    assert split_tldr(body) == parts


@pytest.mark.parametrize("name", ["id", "subreddit", "post"])
def test_a_row_without_what_it_needs_is_placed(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "x.jsonl", [{key: value for key, value in OPENAI.items() if key != name}])
    with pytest.raises(BadInput, match="line 1, field"):
        list(read("tldr", path))


# Into the store


def test_filters_count_what_they_keep_from_the_store(tmp_path: Path) -> None:
    rows = [OPENAI, OPENAI | {"id": "t3_2"}, OPENAI | {"id": "t3_3", "post": "It growls.", "subreddit": "news"}]
    posts = TldrFilter()
    with Store(tmp_path / "w") as store:
        report = import_into(store, "tldr", written(tmp_path / "a.jsonl", rows), posts=posts)
        assert [document.key for document in store.documents()] == ["t3_1"]
    assert report.rows == 3
    assert report.filters is posts.report
    assert [count.rule for count in posts.report.rules if count.dropped] == [
        "duplicate body", "subreddit not on the list of 29"
    ]  # fmt: skip
    with pytest.raises(UserError, match="jsonl is not the kind tldr"):
        read("jsonl", tmp_path / "a.jsonl", posts=posts)


def test_the_command_shows_every_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, store = (
        written(tmp_path / "posts.jsonl", [asdict_row(GOOD), asdict_row(post(5, title="Edit"))]),
        tmp_path / "w",
    )
    common = ["import", "tldr", str(path), "--store", str(store), "--json"]

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*common, *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    code, out, _ = run("--filters")
    assert code == 0
    assert "not applied, for want of --tokenizer: body longer than 512 tokens" in out
    assert "of 2 posts: 1 kept, 1 with their TL;DR" in out
    found = json.loads(out.splitlines()[-1])["filters"]
    assert [count["dropped"] for count in found["rules"]] == [0, 0, 0, 1, *[0] * 8]

    tiny_tokenizer().save_pretrained(tmp_path / "tokenizer")
    code, out, _ = run("--filters", "--tokenizer", str(tmp_path / "tokenizer"))
    assert code == 0
    assert "not applied" not in out
    code, _, error = run("--tokenizer", str(tmp_path / "tokenizer"))
    assert code == 2
    assert "add --filters" in error


def asdict_row(post: Post) -> dict[str, Any]:
    """A post as a row of OpenAI's shape."""
    return {"id": post.key, "post": post.body, **{k: asdict(post)[k] for k in ("subreddit", "title", "summary")}}
