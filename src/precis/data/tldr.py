"""Reddit posts with the TL;DR that their authors wrote (Völske et al. 2017), in two shapes.

    {id, subreddit, title, post, summary}             as OpenAI filtered them (Stiennon et al. 2020); summary optional
    {id, subreddit, title, content, summary, body}    as Webis released them; `body` is the raw post with its TL;DR

A Webis row's `content` is the post without its TL;DR. Where only `body` is there, it is parsed again
(`split_tldr`), so that no document holds its own summary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..records import Document
from .rows import Fields, Record, key_of, optional_text, reference, text_of

_MARKER = re.compile(r"\btl\s?[;:,./\\-]?\s?dr\b[\s:;,.\-–—*_)\]]*", re.IGNORECASE)
# What still clings to the post where the marker was bold, in brackets or after a rule: "**TL;DR:** …".
_MARKUP_AT_END = re.compile(r"[\s*_(\[#>]+$|(?:\s|^)-+\s*$")
# Full names of comments, and the form that ids of comments had in the years of the Webis corpus (2006 to 2016).
_COMMENT_ID = re.compile(r"t1_\w+|[cd][0-9a-z]{6}")


@dataclass(frozen=True)
class Post:
    """A row's content. `top_level` is False for a comment and None where the row does not tell."""

    key: str
    subreddit: str
    title: str
    body: str
    summary: str | None
    top_level: bool | None = None


def parse(
    fields: Fields, dataset: str, split: str, admit: Callable[[Post], Post | None] | None = None
) -> Iterator[Record]:
    """A row's document and, if it has a TL;DR, that as reference summary; nothing if `admit` drops the post."""
    post: Post | None = post_of(fields)
    if post is not None and admit is not None:
        post = admit(post)
    if post is None:
        return
    document = Document(
        post.body, title=post.title, key=post.key, dataset=dataset, split=split, meta={"subreddit": post.subreddit}
    )
    yield document
    if post.summary is not None:
        yield reference(document, post.summary)


def post_of(fields: Fields) -> Post:
    """The post in a row of either shape; raises `BadInput` where id, subreddit or text is missing."""
    name = next((name for name in ("post", "content") if fields.get(name) is not None), "body")
    body, summary = text_of(fields, name), optional_text(fields, "summary").strip() or None
    if name == "body" and (parts := split_tldr(body)) is not None:
        body, summary = parts[0], summary or parts[1]
    return Post(
        key=key_of(fields, "id"),
        subreddit=text_of(fields, "subreddit").strip().removeprefix("/").removeprefix("r/"),
        title=optional_text(fields, "title"),
        body=body,
        summary=summary,
        top_level=_top_level(fields),
    )


def split_tldr(body: str) -> tuple[str, str] | None:
    """A raw post as (text, TL;DR), cut at its last TL;DR marker; None without a marker or with nothing around it.

    A TL;DR that opens the post ends at the first blank line.
    """
    found = list(_MARKER.finditer(body))
    if not found:
        return None
    text, summary = body[: found[-1].start()], body[found[-1].end() :]
    if not _MARKUP_AT_END.sub("", text):
        summary, _, text = summary.partition("\n\n")
    text, summary = _MARKUP_AT_END.sub("", text).strip(), summary.strip().rstrip("*_").rstrip()
    return (text, summary) if text and summary else None


def _top_level(fields: Fields) -> bool | None:
    if any(fields.get(name) for name in ("parent_id", "link_id")):
        return False
    name: Any = fields.get("name") or fields.get("id")
    if isinstance(name, str) and _COMMENT_ID.fullmatch(name):
        return False
    if (isinstance(name, str) and name.startswith("t3_")) or fields.get("title"):
        return True
    return None
