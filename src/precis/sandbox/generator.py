"""Documents, each made from its own hidden facts: document i depends only on the seed, the split and i."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Literal

from ..errors import UserError
from ..records import Document
from .conversation import conversation
from .post import post
from .story import SPLITS as SPLITS
from .story import draw_story

Kind = Literal["conversation", "post", "mixed"]
POST_SHARE = 0.35  # of the mixed kind


def document_at(index: int, *, seed: int, split: str = "train", kind: Kind = "mixed") -> Document:
    """The document number `index` of a split."""
    if kind not in ("conversation", "post", "mixed"):
        raise UserError(f"the sandbox writes documents of kind conversation, post or mixed, not {kind!r}")
    rng = Random(f"document|{seed}|{split}|{index}")
    drawn_post = rng.random() < POST_SHARE
    form = kind if kind != "mixed" else "post" if drawn_post else "conversation"
    story = draw_story(rng, split, form)
    title, text = post(rng, story) if form == "post" else ("", conversation(rng, story))
    key = f"sandbox-{seed}-{split}-{kind}-{index}"
    return Document(text=text, title=title, key=key, dataset="sandbox", split=split, meta=story.to_meta())


def documents(n: int, *, seed: int, split: str = "train", kind: Kind = "mixed") -> Iterator[Document]:
    """`n` documents. No combination of facts occurs in two splits, whatever the seeds.

    >>> [d.id for d in documents(2, seed=1)] == [d.id for d in documents(3, seed=1)][:2]
    True
    """
    if split not in SPLITS:
        raise UserError(f"the sandbox has the splits {', '.join(SPLITS)}; there is none called {split!r}")
    return (document_at(index, seed=seed, split=split, kind=kind) for index in range(n))
