"""What was spent, and what may still be: the caps hold before a request is sent, not after."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, fields, replace

from .config import EndpointConfig
from .outcomes import Answered
from .payload import Job

_MILLION = 1_000_000
# Where a server tells no usage: on the high side for most languages, so that caps rather stop early.
_TOKENS_PER_BYTE = 0.5


@dataclass(frozen=True)
class Spent:
    """The totals of one engine, over all its calls.

    `sent` counts requests that went out, `retried` those of them that were further tries; `answered`, `no_reply` and
    `cached` count what was asked for, duplicates within one call as cached. `estimated_tokens` is the part of
    `prompt_tokens` and `completion_tokens` that no server told: of answers without usage, and of answers that were
    lost on their way and may be charged. `other_model` counts answers of another model than was asked for. `money` is
    None without prices; discounts of the vendor are not known here, so it is the most that it can be.
    """

    sent: int = 0
    retried: int = 0
    answered: int = 0
    no_reply: int = 0
    cached: int = 0
    damaged: int = 0
    other_model: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated_tokens: int = 0
    money: float | None = None

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def estimated_share(self) -> float | None:
        """The share of `tokens` that is estimated; None where nothing was spent."""
        return self.estimated_tokens / self.tokens if self.tokens else None

    def sentence(self) -> str:
        """The totals in words, for a log or an error."""
        parts = [f"{self.sent:,} requests sent", f"{self.tokens:,} tokens"]
        if share := self.estimated_share:
            parts[-1] += f" ({math.ceil(100 * share)}% estimated)"
        parts += [f"{self.money:,.2f} in money"] if self.money is not None else []
        counts = {
            "from the cache": self.cached,
            "further tries": self.retried,
            "without an answer": self.no_reply,
            "damaged files in the cache": self.damaged,
            "by another model": self.other_model,
        }
        return ", ".join(parts + [f"{count:,} {what}" for what, count in counts.items() if count])


class Ledger:
    """Adds up, and holds back what requests under way may still cost. Safe to use from several threads."""

    def __init__(self, config: EndpointConfig):
        self._config = config
        self._lock = threading.Lock()
        self._held_in = self._held_out = 0
        self._spent = Spent(money=self._money(0, 0))

    @property
    def spent(self) -> Spent:
        with self._lock:
            return self._spent

    def reserve(self, job: Job) -> bool:
        """Hold back the most that `job` can cost; False, and nothing held, if that could pass a cap."""
        with self._lock:
            tokens_in = self._spent.prompt_tokens + self._held_in + job.prompt_bound
            tokens_out = self._spent.completion_tokens + self._held_out + job.completion_bound
            limit, money = self._config.max_tokens_spent, self._config.max_money
            if limit is not None and tokens_in + tokens_out > limit:
                return False
            if money is not None and (self._money(tokens_in, tokens_out) or 0.0) > money:
                return False
            self._held_in += job.prompt_bound
            self._held_out += job.completion_bound
            return True

    def release(self, job: Job) -> None:
        """`job` failed in a way that costs nothing."""
        with self._lock:
            self._let_go(job)

    def lost(self, job: Job) -> None:
        """`job`'s answer did not arrive and may be charged: the prompt as estimated, the answer at its longest."""
        with self._lock:
            self._let_go(job)
            self._charge(_estimate(job.prompt_bytes), job.completion_bound, known=0)

    def settle(self, job: Job, answer: Answered) -> None:
        """`job` was answered: charge the server's usage, or an estimate where it tells none."""
        with self._lock:
            self._let_go(job)
            if answer.free:
                return
            tokens_in, tokens_out = answer.prompt_tokens, answer.completion_tokens
            known = (tokens_in or 0) + (tokens_out or 0)
            if tokens_in is None:
                tokens_in = _estimate(job.prompt_bytes)
            if tokens_out is None:
                tokens_out = min(_estimate(answer.written) or job.completion_bound, job.completion_bound)
            self._charge(tokens_in, tokens_out, known)

    def count(self, **counts: int) -> None:
        """Add to other totals, by name."""
        with self._lock:
            self._add(**counts)

    def needs(self, job: Job) -> int:
        """The most tokens that `job` can cost."""
        return job.prompt_bound + job.completion_bound

    def _let_go(self, job: Job) -> None:
        self._held_in -= job.prompt_bound
        self._held_out -= job.completion_bound

    def _charge(self, tokens_in: int, tokens_out: int, known: int) -> None:
        self._add(
            prompt_tokens=tokens_in, completion_tokens=tokens_out, estimated_tokens=tokens_in + tokens_out - known
        )
        money = self._money(self._spent.prompt_tokens, self._spent.completion_tokens)
        self._spent = replace(self._spent, money=money)

    def _add(self, **counts: int) -> None:
        assert counts.keys() <= {field.name for field in fields(Spent)}
        self._spent = replace(
            self._spent, **{name: getattr(self._spent, name) + count for name, count in counts.items()}
        )

    def _money(self, tokens_in: int, tokens_out: int) -> float | None:
        price_in, price_out = self._config.price_in, self._config.price_out
        if price_in is None or price_out is None:
            return None
        return (tokens_in * price_in + tokens_out * price_out) / _MILLION


def _estimate(size: int) -> int:
    return math.ceil(size * _TOKENS_PER_BYTE)
