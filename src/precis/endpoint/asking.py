"""The scheduler of one call: bounded requests under way, waits before another try, caps before every request.

All decisions are made in the caller's thread; the threads it starts only send. They are daemons and are not waited for
when the caller stops: Ctrl-C returns at once, and in a notebook what is under way still reaches the cache.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from ..errors import UserError
from .backoff import Clock, delay
from .config import EndpointConfig
from .messages import NoReply
from .outcomes import Again, Answered, Fatal, NotKept, Outcome
from .payload import Job
from .spending import Ledger

# So many requests in a row that fail say that the server or the settings, not the requests, are at fault.
_HOPELESS = 20
# A server that has never answered is more likely a wrong address than a busy machine.
_FIRST_CONTACT_RETRIES = 2
# A 200 that is no answer of the protocol may come from a busy proxy; again and again, it comes from the server, and is
# charged each time.
_MALFORMED_RETRIES = 2
# What is under way when a run must stop is already paid for: so long is it waited for.
_GRACE_SECONDS = 10.0

_Result = tuple[Job, "Outcome | BaseException"]


class CapReached(Exception):
    """The next request, which is `job`, could pass a cap, and nothing under way can make room."""

    def __init__(self, job: Job):
        self.job = job


@dataclass
class Health:
    """What is known of the server, over all calls.

    `reached` is whether it was ever there, whatever it said, `works` whether it has done what it was asked, `worked`
    whether the cache says so of an earlier run. `given_up` counts the requests in a row that were given up, `in_vain`
    those that ended without an answer before the first that shows that the server works.
    """

    reached: bool = False
    works: bool = False
    worked: bool = False
    given_up: int = 0
    in_vain: int = 0


class Asking:
    """Sends jobs with `send`, several at a time, until each is answered or given up."""

    def __init__(
        self, send: Callable[[Job], Outcome], config: EndpointConfig, ledger: Ledger, health: Health, clock: Clock
    ):
        self._send, self._config, self._ledger, self._health, self._clock = send, config, ledger, health, clock
        self._todo: deque[Job] = deque()
        self._waiting: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._under_way = self._threads = 0
        self._not_before = 0.0
        self._work: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()

    def add_first(self, job: Job) -> None:
        """Send `job` before all that are not sent yet; also while `run` goes on."""
        self._todo.appendleft(job)

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[Job, Answered], None, None]:
        """Yield each job with how it ended, as they end.

        Raises `UserError` for what would meet every request, and `CapReached`; both after what is under way has ended.
        """
        self._todo.extend(jobs)
        try:
            while self._todo or self._waiting or self._under_way:
                wait = self._start_what_may()
                result = self._clock.wait(self._results, wait)
                if result is not None:
                    self._under_way -= 1
                    yield from self._judge(*result)
        finally:
            for _ in range(self._threads):
                self._work.put(None)

    def _start_what_may(self) -> float | None:
        """Send what has a place, a time and money; return the seconds until more may be sent, if that is known."""
        while True:
            now = self._clock.now()
            job, due = self._next()
            if job is None:
                return None
            due = max(due, self._not_before)
            if due > now:
                return due - now
            if not self._ledger.reserve(job):
                if self._under_way:
                    return None
                raise CapReached(job)
            self._take(job)

    def _next(self) -> tuple[Job | None, float]:
        """The job to send next, and the time before which it may not be sent.

        One that waits for another try keeps its place: else all jobs would be tried once while a server is down.
        """
        if self._waiting and self._under_way < self._config.concurrency:
            due, _, job = self._waiting[0]
            fresh = self._todo and self._under_way + len(self._waiting) < self._config.concurrency
            if due <= self._clock.now() or not fresh:
                return job, due
        if self._todo and self._under_way + len(self._waiting) < self._config.concurrency:
            return self._todo[0], 0.0
        return None, 0.0

    def _take(self, job: Job) -> None:
        if self._waiting and self._waiting[0][2] is job:
            heapq.heappop(self._waiting)
        else:
            self._todo.popleft()
        job.tries += 1
        self._ledger.count(sent=1, retried=int(job.tries > 1))
        self._under_way += 1
        if self._threads < min(self._under_way, self._config.concurrency):
            self._threads += 1
            threading.Thread(target=self._serve, name="precis-endpoint", daemon=True).start()
        self._work.put(job)

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            try:
                self._results.put((job, self._send(job)))
            except BaseException as error:  # raised again in the caller's thread
                self._results.put((job, error))

    def _judge(self, job: Job, outcome: Outcome | BaseException) -> Iterator[tuple[Job, Answered]]:
        if isinstance(outcome, Fatal) and outcome.own and (self._health.works or self._health.worked):
            outcome = Answered(outcome.own, free=True)
        self._account(job, outcome)
        if isinstance(outcome, BaseException):
            raise outcome
        self._note_contact(job, outcome)
        if isinstance(outcome, Fatal | NotKept):
            self._stop(outcome.why)
        elif isinstance(outcome, Answered):
            self._note_answer(outcome)
            yield job, outcome
            self._stop_if_in_vain(outcome)
        elif self._may_try_again(job, outcome):
            self._put_off(job, outcome)
        else:
            yield job, self._give_up(job, outcome)

    def _note_contact(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Again):
            job.malformed += outcome.malformed
        self._health.reached = self._health.reached or not (isinstance(outcome, Again) and outcome.unreachable)

    def _note_answer(self, answer: Answered) -> None:
        self._health.given_up = 0
        self._health.works = self._health.works or answer.shows_it_works
        self._health.in_vain += not self._health.works

    def _stop_if_in_vain(self, answer: Answered) -> None:
        if not self._health.works and self._health.in_vain >= _HOPELESS and isinstance(answer.result, NoReply):
            did = "refused" if answer.free else "answered none of"
            self._stop(
                f"{self._config.url}, asked for the model {self._config.model!r}, {did} the first {_HOPELESS} "
                f"requests; the last time {answer.result.why}"
            )

    def _may_try_again(self, job: Job, outcome: Again) -> bool:
        known = self._health.reached or self._health.worked
        retries = self._config.retries if known else min(self._config.retries, _FIRST_CONTACT_RETRIES)
        return job.tries <= retries and job.malformed <= _MALFORMED_RETRIES

    def _put_off(self, job: Job, outcome: Again) -> None:
        due = self._clock.now() + delay(job.tries, outcome.after, self._config.longest_wait_seconds, self._clock)
        if outcome.after is not None:  # the server asks this of everybody
            self._not_before = max(self._not_before, due)
        heapq.heappush(self._waiting, (due, next(self._order), job))

    def _give_up(self, job: Job, outcome: Again) -> Answered:
        self._health.given_up += 1
        tries = f"after {job.tries} tries" if job.tries > 1 else "at the first try"
        if outcome.unreachable or self._health.given_up >= _HOPELESS:
            others = f" (the last {_HOPELESS} requests all failed)" if not outcome.unreachable else ""
            self._stop(f"{self._config.url} {outcome.why}, {tries}{others}")
        return Answered(NoReply(f"the server {outcome.why}, {tries}", raw=outcome.raw, permanent=False), free=True)

    def _stop(self, why: str) -> None:
        """Wait a moment for what is under way, which reaches the cache, and stop the run."""
        until = self._clock.now() + _GRACE_SECONDS
        while self._under_way and self._clock.now() < until:
            if result := self._clock.wait(self._results, None):
                self._under_way -= 1
                self._account(*result)
        raise UserError(why)

    def _account(self, job: Job, outcome: Outcome | BaseException) -> None:
        if isinstance(outcome, NotKept):
            outcome = outcome.answer
        if isinstance(outcome, Answered):
            self._ledger.settle(job, outcome)
        elif isinstance(outcome, Again) and outcome.charged:
            self._ledger.lost(job)
        else:
            self._ledger.release(job)
