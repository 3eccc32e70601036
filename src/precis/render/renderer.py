"""The renderer: sources and candidates to ids, for one tokenizer, one template and one token budget."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..records import Candidate, Document, Group, content_hash
from .templates import FIELD, TEMPLATES, Template, fields_of, fill

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BOUNDARY = re.compile(r"\n+|(?<=[.!?…。！？])[\"'”’)]*\s+")
# Private-use characters that mark where a field's text goes while a chat template is rendered around it.
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\w+)\ue001")
RENDERING_FILE = "precis_render.json"


@dataclass(frozen=True)
class TokenGroup:
    """One source's prefix and its K continuations, as token ids.

    For a decoder-only model `prefix_ids` are the prompt; for an encoder-decoder they are the encoder's input and
    a continuation is what the decoder writes after its start token. A continuation ends in the end token unless
    it was cut by the length limit. `cut_characters` counts what truncation took from the document.
    """

    source_id: str
    prefix_ids: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    cut_characters: int = 0


@dataclass(frozen=True)
class Prefix:
    """A rendered source: `ids`, and how many characters of the document were cut to make it fit."""

    ids: tuple[int, ...]
    cut_characters: int = 0


class Renderer:
    """Turns sources and candidates into ids for one tokenizer, one template and one token budget.

    `max_prefix_tokens` bounds the prefix; a longer document is cut at the last line or sentence end that fits.
    `guessed` says that nobody has named the template, neither user nor model.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        *,
        max_prefix_tokens: int,
        encoder_decoder: bool = False,
        decoder_start_id: int | None = None,
        guessed: bool = False,
    ):
        self.tokenizer = tokenizer
        self.template = template
        self.max_prefix_tokens = max_prefix_tokens
        self.encoder_decoder = encoder_decoder
        self.decoder_start_id = decoder_start_id
        self.guessed = guessed
        if "document" not in FIELD.findall(template.text):
            raise UserError("a template needs the field {document}")
        if template.chat and not getattr(tokenizer, "chat_template", None):
            raise UserError("the template is for chat, but this tokenizer has no chat template; use a plain template")
        self._special = {
            token.content: index for index, token in tokenizer.added_tokens_decoder.items() if token.special
        }
        self._split_special = re.compile(
            "(" + "|".join(re.escape(text) for text in sorted(self._special, key=len, reverse=True)) + ")"
        )
        self._opening, self._closing = conventional_specials(tokenizer)
        self._pieces = self._parse()

    @property
    def eos_id(self) -> int:
        return int(self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else self._closing[-1])

    @cached_property
    def prompt_hash(self) -> str:
        """Names template and budget: what a candidate's maker records of its prompt."""
        return content_hash("p", [asdict(self.template), self.max_prefix_tokens])

    @cached_property
    def tokenizer_hash(self) -> str:
        """Names the tokenizer: sampled ids are reused only under the tokenizer that they were sampled with."""
        return content_hash("k", [type(self.tokenizer).__name__, self.tokenizer.get_vocab()])

    def prefix(self, source: Document | Candidate, **fields: str) -> Prefix:
        """The ids of the rendered source, within the budget. `fields` fill what the source does not have."""
        values = {**fields_of(source), **fields}
        document = values["document"]
        # A token seldom covers 32 characters, so what lies beyond cannot fit; a book must not be tokenized for that.
        window = document[: 32 * self.max_prefix_tokens]

        def encode(end: int) -> tuple[int, ...]:
            return self._encode({**values, "document": window[:end]})

        ids = encode(len(window))
        if len(ids) <= self.max_prefix_tokens and len(window) == len(document):
            return Prefix(ids)
        end = longest_cut(window, lambda end: len(encode(end)) <= self.max_prefix_tokens)
        if end == 0:
            raise UserError(
                f"the prompt alone takes {len(encode(0))} tokens and the limit for prompt and document is "
                f"{self.max_prefix_tokens}; raise max_prefix_tokens"
            )
        return Prefix(encode(end), cut_characters=len(document) - end)

    def continuation(self, candidate: Candidate | str) -> tuple[int, ...]:
        """The ids of a candidate: as sampled when this tokenizer sampled it, else encoded, with the end token."""
        if isinstance(candidate, Candidate):
            if candidate.token_ids is not None and candidate.tokenizer == self.tokenizer_hash:
                return candidate.token_ids
            candidate = candidate.text
        if self.encoder_decoder:
            opening = self._opening[1:] if self._opening[:1] == (self.decoder_start_id,) else self._opening
            return (*opening, *self._plain(candidate), *(self._closing or (self.eos_id,)))
        # Enough of the prompt's end for the tokenizer to join what it would join, were the whole encoded at once.
        anchor = self._pieces[-1]
        anchor = "" if isinstance(anchor, int) else _MARKED.sub("", FIELD.sub("", anchor))[-24:]
        anchor_ids = self._plain(anchor)
        joint = self._plain(anchor + self.template.lead + candidate)
        if joint[: len(anchor_ids)] == anchor_ids:
            return (*joint[len(anchor_ids) :], self.eos_id)
        return (*self._plain(self.template.lead + candidate), self.eos_id)

    def group(self, group: Group) -> TokenGroup:
        """A group as ids, candidates in their order."""
        prefix = self.prefix(group.source)
        continuations = tuple(self.continuation(candidate) for candidate in group.candidates)
        return TokenGroup(group.source.id, prefix.ids, continuations, prefix.cut_characters)

    def groups(self, groups: Iterable[Group]) -> list[TokenGroup]:
        return [self.group(group) for group in groups]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of sampled ids, without special tokens and outer white space."""
        text = str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
        # Tokenizers over bytes can spell NUL, which no database text holds; the ids keep what was sampled.
        return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")

    def save(self, folder: Path) -> None:
        """Leave the template beside the model, so that later commands render as training did."""
        content = {"template": asdict(self.template), "max_prefix_tokens": self.max_prefix_tokens}
        (folder / RENDERING_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")

    def _parse(self) -> list[str | int]:
        """The template as literal text (with fields) and special token ids, in order."""
        text = self.template.text
        if self.template.chat:
            marked = FIELD.sub(lambda match: _MARK.format(match[1]), text)
            messages = [{"role": "system", "content": self.template.system}] if self.template.system else []
            messages.append({"role": "user", "content": marked})
            try:
                rendered = str(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
            except Exception as error:  # a template is code of the model's maker, and may raise anything
                raise UserError(f"the tokenizer's chat template cannot be filled: {error}") from error
            # A template that rewrites what the user says would rewrite documents, too.
            if lost := [name for name in FIELD.findall(text) if _MARK.format(name) not in rendered]:
                raise UserError(
                    f"the tokenizer's chat template changes the user's text: {lost[0]!r} is not in its result"
                )
            return self._split(rendered)
        pieces = self._split(text)
        if self.encoder_decoder:
            return [*self._opening, *pieces, *self._closing]
        if pieces and isinstance(pieces[0], str):  # the template does not open with a special token of its own
            return [*self._opening, *pieces]
        return pieces

    def _split(self, text: str) -> list[str | int]:
        parts = self._split_special.split(text) if self._special else [text]
        return [self._special.get(part, part) for part in parts if part]

    def _encode(self, values: Mapping[str, str]) -> tuple[int, ...]:
        pattern = _MARKED if self.template.chat else FIELD
        ids: list[int] = []
        for piece in self._pieces:
            ids += [piece] if isinstance(piece, int) else self._plain(fill(piece, values, pattern))
        return tuple(ids)

    def _plain(self, text: str) -> list[int]:
        return plain_ids(self.tokenizer, text)


def conventional_specials(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special ids that this tokenizer puts before and after a text by its own convention."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a", add_special_tokens=True)["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return tuple(full[:start]), tuple(full[start + len(bare) :])
    return (), ()


def plain_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of text in which nothing is a special token."""
    if not text:
        return []
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"])


def load_renderer(
    folder: Path | None,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: Template | None = None,
    max_prefix_tokens: int | None = None,
    encoder_decoder: bool = False,
    decoder_start_id: int | None = None,
) -> Renderer:
    """The renderer for a model: as asked, else as the model's folder remembers, else a default for its kind."""
    saved = folder / RENDERING_FILE if folder is not None else None
    if saved is not None and saved.is_file():
        try:
            content = json.loads(saved.read_text("utf-8"))
            template = template or Template(**content["template"])
            if not all(isinstance(getattr(template, name), str) for name in ("text", "lead", "system")):
                raise ValueError("a template's text, lead and system are texts")
            max_prefix_tokens = int(content["max_prefix_tokens"]) if max_prefix_tokens is None else max_prefix_tokens
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{saved} is not a rendering that precis wrote: {error}") from error
    kind = "encoder" if encoder_decoder else "chat" if getattr(tokenizer, "chat_template", None) else "plain"
    return Renderer(
        tokenizer,
        template or TEMPLATES[kind],
        max_prefix_tokens=512 if max_prefix_tokens is None else max_prefix_tokens,
        encoder_decoder=encoder_decoder,
        decoder_start_id=decoder_start_id,
        guessed=template is None and kind == "plain",
    )


def longest_cut(text: str, fits: Callable[[int], bool]) -> int:
    """Where to cut: the last line or sentence end that fits; failing that a word's, then any character; 0 if none."""
    boundaries = [match.start() for match in _BOUNDARY.finditer(text) if match.start() > 0]
    words = (match.start() for match in re.finditer(r"\s+", text) if match.start() > 0)
    for ends in (boundaries, list(words), range(1, len(text) + 1)):
        count = bisect_right(ends, 0, key=lambda end: 0 if fits(end) else 1)
        if count:
            return ends[count - 1]
    return 0
