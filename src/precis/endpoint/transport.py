"""One HTTP request to a server, and what became of it. The only file that knows httpx.

What is tried again: what a busy or restarting server, or a bad line, can cause (408, 409, 425, 429, 5xx, no
connection, silence, an answer that is cut off or is no JSON). What is not: 400, 413, 422 and the like are about this
request, which has no answer then. What would meet every request (a wrong key, no money left, a wrong model or
address, a redirect) stops the run. A redirect is not followed: the key would go along. 403 is either: a key that may
not, or, once the server has answered others, a text that a gateway's moderation does not pass.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx

from ..errors import UserError
from .backoff import Clock, retry_after
from .config import EndpointConfig
from .messages import NoReply
from .outcomes import Again, Answered, Fatal, Outcome
from .payload import Job
from .replies import read_reply
from .secret import Secret

_MAY_PASS = {408, 409, 425, 429}
_FOR_ALL = {
    401: "check the key in the environment variable {key}",
    402: "the account has no money left",
    403: "the key in {key} may not use this model, or not from here",
    404: "check the address and the model's name",
    405: "check the address",
    407: "check the proxy's settings",
}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_NO_MODEL = {"model_not_found"}
_LARGEST_BODY = 64 * 2**20
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Transport:
    """Sends to one server. Safe to use from several threads. Raises `UserError` for an address or an environment with
    which nothing can be sent."""

    def __init__(self, config: EndpointConfig, key: Secret, clock: Clock):
        self._config, self._key, self._clock = config, key, clock
        self._lock = threading.Lock()
        self._busy, self._closing = 0, False
        try:
            httpx.URL(config.url)
        except httpx.InvalidURL as error:
            raise UserError(f"endpoint setting url: no address: {self._said(error)}") from None
        try:
            self._client = httpx.Client(
                headers={"User-Agent": "precis", **key.header()},
                timeout=httpx.Timeout(config.read_seconds, connect=config.connect_seconds, pool=None),
                limits=httpx.Limits(max_connections=config.concurrency),
                follow_redirects=False,
            )
        except (ImportError, ValueError, httpx.InvalidURL, OSError) as error:
            raise UserError(_unusable_proxy() or _unusable_environment(error, self._said(error))) from None

    def close(self) -> None:
        """Close the connections, now or when the last request under way has ended: a thread may still listen."""
        with self._lock:
            self._closing = True
            idle = not self._busy
        if idle:
            self._client.close()

    def send(self, job: Job) -> Outcome:
        """Try `job` once. Never raises for what a server or a network does."""
        with self._lock:
            self._busy += 1
        try:
            return self._send(job)
        finally:
            with self._lock:
                self._busy -= 1
                last = self._closing and not self._busy
            if last:
                self._client.close()

    def _send(self, job: Job) -> Outcome:
        try:
            with self._client.stream("POST", self._config.url + job.path, json=job.body) as response:
                content = self._read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            return Again(f"cannot be reached: {self._said(error)}", unreachable=True)
        except httpx.TimeoutException:
            return Again(f"did not answer within {self._config.read_seconds:g} seconds", charged=True)
        except (httpx.InvalidURL, UnicodeError) as error:  # a name that cannot be looked for: nothing was sent
            return Fatal(_unusable_proxy() or f"{self._config.url} cannot be asked: {self._said(error)}")
        except (httpx.HTTPError, httpx.StreamError) as error:
            return Again(f"broke off: {self._said(error)}", charged=True)
        if response.status_code == HTTPStatus.OK:
            return self._read_ok(content, job)
        return self._read_failure(response, content, job)

    def _read(self, response: httpx.Response) -> bytes:
        """The body, whole, unless it takes too long or too much room: one that drips would hold a place forever."""
        parts, size, until = [], 0, self._clock.now() + self._config.read_seconds
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > _LARGEST_BODY:
                raise httpx.DecodingError(f"an answer of more than {_LARGEST_BODY >> 20} MB")
            if self._clock.now() > until:
                raise httpx.ReadTimeout("an answer without end")
        return b"".join(parts)

    def _read_ok(self, content: bytes, job: Job) -> Outcome:
        try:
            body = json.loads(content)
            # A placeholder is no secret, and may be a word of the answer ("anything"), which must stay as it is.
            body = self._key.hide_in(body) if self._key.looks_drawn else body
        except (ValueError, RecursionError):
            why = "answered with something that is not JSON"
            return Again(why, raw=self._short(content), charged=True, malformed=True)
        outcome = read_reply(body, job.request)
        if isinstance(outcome, Again):
            return replace(outcome, why=self._key.short(outcome.why), raw=self._short(content))
        return self._without_key(outcome)

    def _without_key(self, answer: Answered) -> Answered:
        """`answer` without the key in what may be shown: the reason for having none, and the model's name."""
        result = answer.result
        if isinstance(result, NoReply):
            result = replace(result, why=self._key.hide_in(result.why), raw=self._key.hide_in(result.raw))
        return replace(answer, result=result, model=self._key.hide_in(answer.model))

    def _read_failure(self, response: httpx.Response, content: bytes, job: Job) -> Outcome:
        status, (said, code) = response.status_code, _error_in(content)
        raw = self._key.short(said)
        why = f"answered {status} ({_phrase(status)})" + (f": {raw}" if raw else "")
        advice = _FOR_ALL.get(status)
        if 300 <= status < 400:
            advice = f"it redirects to {self._key.short(response.headers.get('location', 'nowhere'))}"
        elif code in _NO_MONEY:
            advice = _FOR_ALL[402]
        elif code in _NO_MODEL:
            advice = _FOR_ALL[404]
        if advice:
            key = self._config.key_env or "(none is set: key_env is empty)"
            own = NoReply(f"the server {why}", raw=raw, permanent=False) if advice == _FOR_ALL[403] else None
            advice = advice.format(key=key) if status in (401, 403) else advice
            asked = f"{self._config.url}{job.path}, asked for the model {self._config.model!r}"
            return Fatal(f"{asked}, {why}; {advice}", own)
        if status in _MAY_PASS or status >= 500 or status < 300:
            return Again(why, raw=raw, after=retry_after(response.headers, self._clock))
        return Answered(NoReply(f"the server {why}", raw=raw), free=True)

    def _short(self, content: bytes) -> str:
        return self._key.short(content.decode("utf-8", "replace"))

    def _said(self, error: Exception) -> str:
        return self._key.short(str(error)) or type(error).__name__


def _unusable_proxy() -> str | None:
    """What is wrong with one of the environment's proxies, without its address: there may be a password in it."""
    for name, value in os.environ.items():
        if name.lower() not in _PROXIES or not value:
            continue
        address = value if "://" in value else f"http://{value}"
        try:
            httpx.HTTPTransport(proxy=address, trust_env=False).close()
            if httpx.URL(address).host.encode("idna"):
                continue
        except ImportError:
            return f"the environment variable {name} names a SOCKS proxy, which needs: pip install 'httpx[socks]'"
        except (ValueError, httpx.InvalidURL):
            pass
        return f"the environment variable {name} names no proxy: expected an address such as http://host:3128"
    return None


def _unusable_environment(error: Exception, said: str) -> str:
    """What else there can be in the environment that no connection can be made with."""
    if isinstance(error, OSError):
        names = [name for name in _CERTIFICATES if os.environ.get(name)]
        which = f"that the environment variable {names[0]} names" if names else "of this system"
        return f"cannot read the certificates {which}: {said}"
    names = [name for name in ("NO_PROXY", "no_proxy") if os.environ.get(name)]
    which = f"the environment variable {names[0]}" if names else "this system's proxy"
    return f"{which} cannot be used: {said}"


def _error_in(content: bytes) -> tuple[str, str]:
    """What an error's body says, and its code. OpenAI's form, or whatever else there is."""
    text = content.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text, ""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return error if isinstance(error, str) else text, ""
    said: Any = error.get("message") or error.get("detail") or text
    code = error.get("code") or error.get("type")
    return said if isinstance(said, str) else json.dumps(said), code if isinstance(code, str) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "a status of its own"
