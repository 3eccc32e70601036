"""OpenAI's own tensors: queries of one length, padded on the left, and responses (Stiennon et al. 2020).

precis packs without padding and needs none of this (see `Renderer`). It is for parity with models and code that take
the paper's format (utils/experiment_helpers.py, tasks.py): a query is a filled template of exactly `length` tokens, a
response a space, the summary and the end token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError
from ..records import Document
from .renderer import plain_ids
from .templates import TEMPLATES, fields_of, fill

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Template → the paper's length in tokens; for whole articles the model's 2,047 less 128 for the summary.
QUERY_LENGTHS = {"tldr": 512, "cnndm": 2047 - 128, "cnndm-transfer": 512}
# Characters over the limit that a cut skips at once, as a share of the tokens over it: one in eight, since no character
# is more than a few tokens. Without it a book would be encoded once a character.
_SKIP = 8


@dataclass(frozen=True)
class Query:
    """A padded query. `text` is what was encoded; `post` what it holds of the document, less `cut_characters`."""

    ids: tuple[int, ...]
    text: str
    post: str
    cut_characters: int


def query_of(
    document: Document,
    tokenizer: PreTrainedTokenizerBase,
    length: int | None = None,
    pad_id: int | None = None,
    *,
    template: str = "tldr",
) -> Query:
    """The document as a query of exactly `length` tokens, by default the paper's for that template.

    Too long a post is cut at its last line end, again and again; without one, by a character at a time. Padding stands
    on the left: `pad_id`, or by default the ids of one space, repeated. The query of the cut post is the same query.

    Raises `UserError` if the template is none of `QUERY_LENGTHS`, or too long by itself.
    """
    if template not in QUERY_LENGTHS:
        raise UserError(f"no query template {template!r}; use one of {', '.join(QUERY_LENGTHS)}")
    length = QUERY_LENGTHS[template] if length is None else length
    values, post = fields_of(document), document.text
    while True:
        text = fill(TEMPLATES[template].text, {**values, "document": post})
        ids = plain_ids(tokenizer, text)
        if len(ids) <= length:
            break
        if not post:
            raise UserError(f"the query takes {len(ids)} tokens without any of the post; the limit is {length}")
        post = _cut(post, len(ids) - length)
    padding = (plain_ids(tokenizer, " ") if pad_id is None else [pad_id]) * length
    if not padding:
        raise UserError("this tokenizer has no token for a space to pad with; give a pad_id")
    ids = padding[len(padding) - (length - len(ids)) :] + ids
    return Query(tuple(ids), text, post, len(document.text) - len(post))


def query_ids(
    document: Document,
    tokenizer: PreTrainedTokenizerBase,
    length: int | None = None,
    pad_id: int | None = None,
    *,
    template: str = "tldr",
) -> list[int]:
    """The ids of `query_of`, `length` of them."""
    return list(query_of(document, tokenizer, length, pad_id, template=template).ids)


def response_ids(
    text: str, tokenizer: PreTrainedTokenizerBase, length: int | None = None, pad_id: int | None = None
) -> list[int]:
    """A space, the summary and the end token; with `length`, padded to it on the right with `pad_id`.

    A text that begins with spaces already gets no other. Raises `UserError` for a summary that does not fit, since a
    cut one would never end, and for a padding that is the end token, since a model trained so would never stop.
    """
    end = tokenizer.eos_token_id
    if end is None:
        raise UserError("the tokenizer has no end token, which every response ends in")
    ids = [*plain_ids(tokenizer, " " + text.lstrip(" ")), int(end)]
    if length is None:
        return ids
    pad = tokenizer.pad_token_id if pad_id is None else pad_id
    if pad is None or pad == end:
        raise UserError("responses are padded with a token that is not the end token; give another pad_id")
    if len(ids) > length:
        raise UserError(f"the response takes {len(ids)} tokens with its end token; the length is {length}")
    return ids + [int(pad)] * (length - len(ids))


def _cut(post: str, over: int) -> str:
    """The next shorter post to try, `over` tokens above the limit."""
    end = len(post) - max(1, over // _SKIP)
    line_end = post.rfind("\n", 0, end + 1)
    return post[: line_end if line_end >= 0 else end]
