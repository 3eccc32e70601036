"""Templates: the prompts around a document, and the fields that a source fills them with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

from ..errors import UserError
from ..records import Candidate, Document, content_hash

FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Template:
    """A prompt. `{document}`, `{title}` and any key of the document's `meta` are fields; nothing is executed.

    Every field but the document is put on one line (see `fields_of`). `lead` stands between prompt and summary and
    belongs to the continuation (a leading space, for most byte-level tokenizers: Stiennon et al. 2020,
    utils/experiment_helpers). With `chat`, the text is the user's message and the tokenizer's own chat template wraps
    it; `system` is then the system message.
    """

    text: str
    lead: str = " "
    chat: bool = False
    system: str = ""

    @cached_property
    def hash(self) -> str:
        return content_hash("t", asdict(self))


TEMPLATES: dict[str, Template] = {
    "plain": Template("{document}\n\nTL;DR:"),
    # Stiennon et al. 2020, tasks.py; `render.queries` makes that paper's padded tensors of these three.
    "tldr": Template("SUBREDDIT: r/{subreddit}\n\nTITLE: {title}\n\nPOST: {document}\n\nTL;DR:"),
    "cnndm": Template("Article:\n{document}\n\nTL;DR:\n"),
    # How that paper asks models of TL;DR about news.
    "cnndm-transfer": Template("{document}\n\nTL;DR:"),
    "chat": Template("{document}\n\nSummarize the text above in one to three sentences.", lead="", chat=True),
    # For models that `precis init-model` makes: the separator is a token of its own.
    "separator": Template("<bos>{document}<sep>", lead=""),
    # For encoder-decoders: the encoder reads the document and nothing else.
    "encoder": Template("{document}", lead=""),
}


def template_named(name: str) -> Template:
    """One of the named templates, or, for text with `{document}` in it, a plain template of that text."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    if "{document}" in name:
        return Template(name)
    raise UserError(f"no template {name!r}; use one of {', '.join(TEMPLATES)}, or a text that contains {{document}}")


def fields_of(source: Document | Candidate) -> dict[str, str]:
    """What a source fills a template's fields with.

    All but the document are one line: their white space, line ends too, becomes single spaces. So a title cannot end
    its own line and open another field, and what a template was filled with can be read back from the filled text.
    """
    if isinstance(source, Candidate):
        return {"document": source.text, "title": ""}
    named = {key: value for key, value in source.meta.items() if isinstance(value, str)} | {"title": source.title}
    return {key: " ".join(value.split()) for key, value in named.items()} | {"document": source.text}


def filled(text: str, source: Document | Candidate, *, one_line: bool = True) -> str:
    """What a large model is asked about a source; fields are filled all at once, so that a document fills none.

    With `one_line` the document's line ends become spaces, so that it cannot end its field."""
    values = fields_of(source)
    return fill(text, {**values, "document": " ".join(source.text.split())} if one_line else values)


def fill(text: str, values: Mapping[str, str], pattern: re.Pattern[str] = FIELD) -> str:
    """`text` with its fields replaced, all at once: what looks like a field in a value stays as it is.

    Raises `UserError` for a field without a value.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UserError(f"the template asks for {{{match[1]}}}, which this document does not have")
        return values[match[1]]

    return pattern.sub(value, text)
