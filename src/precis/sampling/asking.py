"""A model in memory that answers requests as a server does, so that judges that prompt take either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..endpoint.messages import NoReply, Reply, Request
from ..errors import UserError
from ..progress import Progress
from ..render.renderer import conventional_specials, plain_ids
from .decoding import Decoding, Sample
from .local import PolicyLike, engine_for, generate_batches

# Stands in a chat template where a message's text goes; the text itself never passes through the template.
_PLACE = "\ue000{}\ue001"


class NamedChat(PolicyLike, Protocol):
    """What is asked: a policy (`models.Policy` fits)."""

    tokenizer: Any

    @property
    def fingerprint(self) -> str: ...

    @property
    def max_positions(self) -> int | None: ...


def check_chat(tokenizer: Any, name: str) -> None:
    """Raises `UserError` for a model that cannot be asked by chat, since its tokenizer has no template for one."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            f"the tokenizer of {name} has no chat template, so it cannot be asked by chat; name a model that was "
            "trained to follow instructions"
        )


class LocalEngine:
    """Answers by a loaded model, with `name`, `settings` and `ask` as those of `endpoint.EndpointEngine`.

    Chats are put into the words of the tokenizer's own chat template. What a message says is encoded apart from it:
    a document that spells a special token (`<|im_end|>`) or Jinja's braces ends nothing and runs nothing. A request's
    answer depends on the request alone, not on what else is asked. Nothing is cached; who asks keeps what it needs.
    """

    def __init__(self, policy: NamedChat, name: str, *, quiet: bool = False):
        self._policy, self._name, self._quiet = policy, name, quiet

    @property
    def name(self) -> str:
        return self._name

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"model": self._policy.fingerprint}

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        """One answer for each request, in their order; `NoReply` for one that is too long for the model.

        Raises `UserError` for a chat with a model that has no chat template, and for log-probs of a text, which
        `judges.policy_likelihood` has.
        """
        engine = engine_for(self._policy)
        answers: dict[int, Reply | NoReply] = {}
        alike: dict[tuple[Decoding, int], list[int]] = {}
        prefixes = [self._prefix(request) for request in requests]
        for place, (request, prefix) in enumerate(zip(requests, prefixes, strict=True)):
            limit = self._policy.max_positions
            if limit is not None and len(prefix) >= limit:
                answers[place] = NoReply(f"the prompt has {len(prefix):,} tokens, and the model takes {limit:,}")
            else:
                alike.setdefault((_decoding(request), request.seed or 0), []).append(place)
        what = note or f"asking {self._name}"
        with Progress(what, total=len(requests), unit="requests", done=len(answers), quiet=self._quiet) as bar:
            for (decoding, seed), places in alike.items():
                batches = generate_batches(
                    engine,
                    [prefixes[place] for place in places],
                    [range(1)] * len(places),
                    k=1,
                    keys=[requests[place].id for place in places],
                    decoding=decoding,
                    seed=seed,
                )
                for batch in batches:
                    for number, (written,) in batch:
                        place = places[number]
                        answers[place] = self._reply(requests[place], prefixes[place], written)
                    bar.advance(len(batch))
        return [answers[place] for place in range(len(requests))]

    def _prefix(self, request: Request) -> list[int]:
        tokenizer = self._policy.tokenizer
        if request.echo_logprobs:
            raise UserError("log-probs of a text are not written but computed: use the judge gptscore with this model")
        if request.prompt is not None:
            opening, _ = conventional_specials(tokenizer)
            return [*opening, *plain_ids(tokenizer, request.prompt)]
        check_chat(tokenizer, self._name)
        messages = [
            {"role": role, "content": _PLACE.format(number)} for number, (role, _) in enumerate(request.messages)
        ]
        try:
            written = str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        except Exception as error:  # a template may refuse roles in any way: Jinja's own errors, or what it raises
            roles = ", ".join(role for role, _ in request.messages)
            raise UserError(f"the chat template of {self._name} takes no messages by {roles}: {error}") from error
        ids: list[int] = []
        for number, (_, text) in enumerate(request.messages):
            before, found, written = written.partition(_PLACE.format(number))
            if not found:
                raise UserError(f"the chat template of {self._name} leaves out a message or changes their order")
            ids += [*_marked_ids(tokenizer, before), *plain_ids(tokenizer, text)]
        return [*ids, *_marked_ids(tokenizer, written)]

    def _reply(self, request: Request, prefix: Sequence[int], written: Sample) -> Reply:
        text = str(self._policy.tokenizer.decode(list(written.token_ids), skip_special_tokens=True))
        text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        ends = [place for stop in request.stop if (place := text.find(stop)) >= 0]
        finish = "stop" if written.finished or ends else "length"
        return Reply(text[: min(ends)] if ends else text, finish, len(prefix), len(written.token_ids))


def _decoding(request: Request) -> Decoding:
    if request.temperature == 0:
        return Decoding("greedy", max_new_tokens=request.max_tokens)
    if request.top_p < 1:
        return Decoding("top-p", request.temperature, request.top_p, max_new_tokens=request.max_tokens)
    return Decoding("temperature", request.temperature, max_new_tokens=request.max_tokens)


def _marked_ids(tokenizer: Any, text: str) -> list[int]:
    """The template's own text, in which special tokens are what they say."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []
