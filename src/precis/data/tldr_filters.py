"""Which TL;DR posts and reference summaries to train on: the rules of Stiennon et al. 2020, appendix A, in their order.

Each rule is a predicate with a name. A post that a rule drops is not asked about by later ones, so that the counts add
up. Rules on posts drop the whole post; rules on reference summaries drop the summary and keep the post, as the paper
does (287,790 posts to sample from, 123,169 references to imitate). One rule is ours: sexual posts with somebody under
18 in them, which the released files do hold. The word lists are ours too; OpenAI's were not published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from .tldr import Post
from .tldr_words import (
    GRAPHIC_SEX,
    OPENS_WITH_EDIT,
    OPENS_WITH_POSTSCRIPT,
    PROFANE,
    SEXUAL,
    SUICIDE,
    UNDER_AGE,
)

CountTokens = Callable[[str], int]

# Their Table 2, the largest first; half of all posts are from the first.
SUBREDDITS = (
    "relationships", "AskReddit", "relationship_advice", "tifu", "dating_advice", "personalfinance", "Advice",
    "legaladvice", "offmychest", "loseit", "jobs", "self", "BreakUps", "askwomenadvice", "dogs", "running",
    "pettyrevenge", "needadvice", "travel", "Parenting", "weddingplanning", "Pets", "Dogtraining", "cats", "AskDocs",
    "college", "GetMotivated", "books", "Cooking",
)  # fmt: skip
_LISTED = frozenset(name.casefold() for name in SUBREDDITS)
MAX_BODY_TOKENS = 512
MIN_SUMMARY_TOKENS, MAX_SUMMARY_TOKENS = 24, 48


def is_comment(post: Post) -> bool | None:
    """Whether it is a comment and no post of its own; None where the row does not tell."""
    return None if post.top_level is None else not post.top_level


def is_off_the_list(post: Post) -> bool:
    return post.subreddit.casefold() not in _LISTED


def has_edit_title(post: Post) -> bool:
    return OPENS_WITH_EDIT.match(post.title) is not None


def is_graphic(post: Post) -> bool:
    return GRAPHIC_SEX.search(_all_text(post)) is not None


def is_on_suicide(post: Post) -> bool:
    return SUICIDE.search(_all_text(post)) is not None


def is_sexual_with_a_minor(post: Post) -> bool:
    text = _all_text(post)
    return UNDER_AGE.search(text) is not None and (SEXUAL.search(text) or GRAPHIC_SEX.search(text)) is not None


def has_long_body(post: Post, count_tokens: CountTokens) -> bool:
    return count_tokens(post.body) > MAX_BODY_TOKENS


def has_no_summary(post: Post) -> bool:
    return post.summary is None


def has_edit_summary(post: Post) -> bool:
    summary = post.summary or ""
    return (OPENS_WITH_EDIT.match(summary) or OPENS_WITH_POSTSCRIPT.match(summary)) is not None


def has_profane_summary(post: Post) -> bool:
    return PROFANE.search(post.summary or "") is not None


def has_odd_summary_length(post: Post, count_tokens: CountTokens) -> bool:
    return not MIN_SUMMARY_TOKENS <= count_tokens(post.summary or "") <= MAX_SUMMARY_TOKENS


class Duplicates:
    """Whether a body was met before, character for character; the first one of them is no duplicate."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def __call__(self, post: Post) -> bool:
        digest = hashlib.sha256(post.body.encode()).digest()[:16]
        known = digest in self._seen
        self._seen.add(digest)
        return known


def _all_text(post: Post) -> str:
    return "\n".join((post.title, post.body, post.summary or ""))


@dataclass
class RuleCount:
    """What one rule did: of `asked` posts it dropped so many, and could not tell of so many, which were kept.

    A rule that was not `applied` (it counts tokens, and no tokenizer was given) was asked about none.
    """

    rule: str
    drops: Literal["post", "reference"]
    applied: bool = True
    asked: int = 0
    dropped: int = 0
    undecided: int = 0


@dataclass
class FilterReport:
    """The rules' counts in their order; `posts` came in, `kept_posts` and `kept_references` went out."""

    rules: list[RuleCount] = field(default_factory=list)
    posts: int = 0
    kept_posts: int = 0
    kept_references: int = 0

    @property
    def not_applied(self) -> list[str]:
        return [count.rule for count in self.rules if not count.applied]


class TldrFilter:
    """The rules, and in `report` what they did so far.

    `count_tokens` says how many tokens a text has, in the tokenizer of the model to be trained. Without it the two
    rules that need it are not applied, and the report says so: an estimate from words would be another filter.

    >>> posts = TldrFilter()
    >>> [post.key for post in posts.iter([Post("t3_1", "dogs", "Dog", "My dog barks.", "It barks.", True)])]
    ['t3_1']
    """

    def __init__(self, count_tokens: CountTokens | None = None):
        self.report = FilterReport()
        self._rules: list[tuple[RuleCount, Callable[[Post], bool | None]]] = []
        long_body = None if count_tokens is None else lambda post: has_long_body(post, count_tokens)
        odd_length = None if count_tokens is None else lambda post: has_odd_summary_length(post, count_tokens)
        self._add("post", "duplicate body", Duplicates())
        self._add("post", "comment, not a post", is_comment)
        self._add("post", "subreddit not on the list of 29", is_off_the_list)
        self._add("post", "title opens with Edit or Update", has_edit_title)
        self._add("post", "graphic sex", is_graphic)
        self._add("post", "suicide", is_on_suicide)
        self._add("post", "sexual, with somebody under 18", is_sexual_with_a_minor)
        self._add("post", f"body longer than {MAX_BODY_TOKENS} tokens", long_body)
        self._add("reference", "no TL;DR", has_no_summary)
        self._add("reference", "TL;DR opens with Edit, Update or P.S.", has_edit_summary)
        self._add("reference", "profane TL;DR", has_profane_summary)
        self._add("reference", f"TL;DR not of {MIN_SUMMARY_TOKENS} to {MAX_SUMMARY_TOKENS} tokens", odd_length)

    def _add(self, drops: Literal["post", "reference"], rule: str, hits: Callable[[Post], bool | None] | None) -> None:
        count = RuleCount(rule, drops, applied=hits is not None)
        self.report.rules.append(count)
        if hits is not None:
            self._rules.append((count, hits))

    def admit(self, post: Post) -> Post | None:
        """The post as it is kept, without its TL;DR if that was dropped; None if the post itself was dropped."""
        self.report.posts += 1
        for count, hits in self._rules:
            count.asked += 1
            verdict = hits(post)
            count.undecided += verdict is None
            if verdict:
                count.dropped += 1
                if count.drops == "post":
                    return None
                self.report.kept_posts += 1
                return replace(post, summary=None)
        self.report.kept_posts += 1
        self.report.kept_references += 1
        return post

    def iter(self, posts: Iterable[Post]) -> Iterator[Post]:
        """The posts that are kept; the report counts as they come."""
        return (kept for post in posts if (kept := self.admit(post)) is not None)
