"""Asking a large model many things: cached, retried, within a budget. Judges and makers see only `Engine`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UserError
from ..progress import Progress
from .asking import Asking, CapReached, Health
from .backoff import Clock
from .cache import Cache
from .config import EndpointConfig
from .echo import NOT_SPELT, PROBE, UNPROVEN
from .messages import NoReply, Reply, Request
from .outcomes import Answered, NotKept, Outcome
from .payload import Job, job_of
from .replies import same_model
from .secret import read_key
from .spending import Ledger, Spent

if TYPE_CHECKING:
    from .transport import Transport

_log = logging.getLogger("precis")


class Engine(Protocol):
    """Whatever answers requests; a test's stand-in as well as a server."""

    @property
    def name(self) -> str:
        """The model's name, part of a judge's or maker's settings."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides the answers, as JSON; no key."""
        ...

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        """One answer, or the reason for none, for each request, in their order. `note` says what for."""
        ...


class EndpointEngine:
    """A server that speaks OpenAI's protocol.

    >>> engine = EndpointEngine(EndpointConfig("http://localhost:8000/v1", "my-model", key_env=""))
    >>> engine.settings
    {'url': 'http://localhost:8000/v1', 'model': 'my-model'}

    The key is read, and a connection opened, when something has to be sent: what is in the cache needs neither.
    """

    def __init__(self, config: EndpointConfig, *, quiet: bool = False, clock: Clock | None = None):
        self._config, self._quiet, self._clock = config, quiet, clock or Clock()
        self._cache = Cache(config.cache)
        self._ledger, self._health = Ledger(config), Health()
        self._transport: Transport | None = None
        # Whether the server shows log-probs where they belong (`echo`); None until it is known.
        self._echo_proven: bool | None = None
        self._warned = False

    def __enter__(self) -> EndpointEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, once nothing uses them. The engine opens new ones when it is asked again."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @property
    def name(self) -> str:
        return self._config.model

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._config.answer_settings()

    @property
    def spent(self) -> Spent:
        """The totals so far, over all calls of `ask`."""
        return replace(self._ledger.spent, damaged=self._cache.damaged)

    def ask(self, requests: Sequence[Request], *, note: str = "") -> list[Reply | NoReply]:
        """One answer, or the reason for none, for each request, in their order.

        What is in the cache is not sent, and neither is one request twice. Raises `UserError` where going on makes no
        sense: a wrong key, model or address, no server there, or a cap that the next request could pass. All that was
        answered until then is in the cache, so that the same call goes on from there.
        """
        jobs = self._jobs(requests)
        answers: list[Reply | NoReply | None] = [None] * len(requests)
        missing, unproven = self._from_cache(jobs, answers)
        done = sum(answer is not None for answer in answers)
        what = note or f"asking {self.name}"
        with Progress(what, total=len(requests), unit="requests", done=done, quiet=self._quiet) as bar:
            if missing or unproven:
                self._send_all(missing, unproven, answers, bar)
        assert None not in answers
        return [answer for answer in answers if answer is not None]

    def _jobs(self, requests: Sequence[Request]) -> list[Job]:
        jobs: dict[str, Job] = {}
        for place, request in enumerate(requests):
            job = job_of(request, self._config)
            jobs.setdefault(job.key, job).places.append(place)
        return list(jobs.values())

    def _from_cache(
        self, jobs: Sequence[Job], answers: list[Reply | NoReply | None]
    ) -> tuple[list[Job], list[tuple[Job, Answered]]]:
        """Fill in the answers that are kept; return the jobs without one, and those whose answers are unproven."""
        missing, unproven = [], list[tuple[Job, Answered]]()
        for job in jobs:
            kept = self._cache.get(job.key)
            # An earlier version kept this verdict about the server.
            if kept is None or (isinstance(kept.result, NoReply) and kept.result.why == NOT_SPELT):
                missing.append(job)
                continue
            self._health.worked = self._health.worked or isinstance(kept.result, Reply)
            if not kept.proven and not self._is_proven():
                unproven.append((job, Answered(kept.result, kept.model, free=True, proven=False)))
                continue
            self._ledger.count(cached=len(job.places))
            self._note_model(kept.model, len(job.places))
            for place in job.places:
                answers[place] = kept.result
        return missing, unproven

    def _is_proven(self) -> bool:
        """Whether the server shows log-probs where they belong, as far as this run or the cache tells."""
        if self._echo_proven is None:
            kept = self._cache.get(job_of(PROBE, self._config).key)
            if kept is not None and kept.proven and isinstance(kept.result, Reply):
                self._echo_proven = True
        return self._echo_proven is True

    def _send_all(
        self,
        jobs: Sequence[Job],
        unproven: list[tuple[Job, Answered]],
        answers: list[Reply | NoReply | None],
        bar: Progress,
    ) -> None:
        # A missing key stops here, and a folder that cannot be used, before anything is sent.
        self._connected()
        self._cache.try_out()
        asking = Asking(self._send, self._config, self._ledger, self._health, self._clock)
        if unproven:
            asking.add_first(job_of(PROBE, self._config))
        # A server that is not set up refuses everything: what it refuses before it works is not the request's fault.
        refused: list[tuple[Job, Answered]] = []
        try:
            with closing(asking.run(jobs)) as ended:
                for job, answer in ended:
                    self._learn(job, answer)
                    if not job.places:  # the probe
                        ready, unproven = unproven, []
                    elif not answer.proven and self._echo_proven is None:
                        if not unproven:
                            asking.add_first(job_of(PROBE, self._config))
                        ready, unproven = [], [*unproven, (job, answer)]
                    else:
                        ready = [(job, answer)]
                    if self._health.works:
                        ready, refused = refused + ready, []
                    for each in ready:
                        if each[1].refused and not self._health.works:
                            refused.append(each)
                        else:
                            self._finish(*each, answers, bar)
        except CapReached as reached:
            raise UserError(self._cap_sentence(reached.job)) from None
        for job, answer in refused:
            self._finish(job, replace(answer, result=_passing(answer.result)), answers, bar)

    def _connected(self) -> Transport:
        if self._transport is None:
            from .transport import Transport  # httpx takes a while to import, and a cached run needs none

            self._transport = Transport(self._config, read_key(self._config.key_env), self._clock)
        return self._transport

    def _send(self, job: Job) -> Outcome:
        """One try; runs in a thread. An answer that costs is kept before anything else can go wrong."""
        outcome = self._connected().send(job)
        if not isinstance(outcome, Answered):
            return outcome
        answer = replace(outcome, proven=outcome.proven or self._echo_proven is True)
        try:
            if not answer.refused:
                self._cache.put(job.key, answer.result, answer.model, proven=answer.proven)
        except UserError as error:
            return NotKept(answer, str(error))
        return answer

    def _learn(self, job: Job, answer: Answered) -> None:
        """Whether the server shows log-probs where they belong, as far as this answer tells."""
        if not job.request.echo_logprobs:
            return
        if not answer.proven and job.places:
            self._is_proven()
        elif answer.proven and isinstance(answer.result, Reply):
            self._echo_proven = True
        elif not job.places and (answer.refused or not answer.free):  # else the probe was given up
            self._echo_proven = self._echo_proven or False

    def _finish(self, job: Job, answer: Answered, answers: list[Reply | NoReply | None], bar: Progress) -> None:
        result = answer.result
        if answer.refused or (not answer.proven and self._echo_proven):
            self._cache.put(job.key, result, answer.model)
        elif not answer.proven:
            if self._echo_proven is False:  # else it is still to be found out, and the next run may use it
                self._cache.drop(job.key)
            result = UNPROVEN
        from_cache = isinstance(result, Reply) and result.cached
        kind = "cached" if from_cache else "answered" if isinstance(result, Reply) else "no_reply"
        self._ledger.count(**{kind: 1})
        self._ledger.count(cached=max(0, len(job.places) - 1))
        self._note_model(answer.model, 1)
        for number, place in enumerate(job.places):
            answers[place] = replace(result, cached=True) if number and isinstance(result, Reply) else result
        bar.advance(len(job.places), note=self._progress_note())

    def _note_model(self, served: str | None, count: int) -> None:
        if served is None or same_model(self.name, served):
            return
        self._ledger.count(other_model=count)
        if not self._warned:
            self._warned = True
            _log.warning("asked %s for the model %s, and %s answers", self._config.url, self.name, served)

    def _progress_note(self) -> str:
        spent = self.spent
        parts = [f"{spent.cached:,} cached"] if spent.cached else []
        parts.append(f"{spent.tokens:,} tokens")
        parts += [f"{spent.money:,.2f} spent"] if spent.money is not None else []
        return ", ".join(parts)

    def _cap_sentence(self, job: Job) -> str:
        limits = {"max_tokens_spent": self._config.max_tokens_spent, "max_money": self._config.max_money}
        caps = " and ".join(f"{name} = {value:,}" for name, value in limits.items() if value is not None)
        goes_on = "what was answered is in the cache: the next run goes on from there, and its cap begins anew"
        kept = goes_on if self._config.cache else "nothing is kept, as there is no cache"
        return (
            f"stopped before the cap {caps} could be passed: {self.spent.sentence()}; the next request can take up to "
            f"{self._ledger.needs(job):,} tokens; {kept}"
        )


def _passing(result: Reply | NoReply) -> Reply | NoReply:
    return result if isinstance(result, Reply) else replace(result, permanent=False)
