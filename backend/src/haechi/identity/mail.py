"""Letters: by SMTP, or, in development without one, as a link in the log. Sent after the answer, so that no clock tells who exists."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from haechi.errors import HaechiError
from haechi.settings import Settings

SECONDS_MAX = 20
WAITING_MAX = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Letter:
    to: str
    subject: str
    text: str


class Post(Protocol):
    """Where letters go."""

    async def send(self, letter: Letter) -> None: ...


class Smtp:
    """smtp://user@host:587 (STARTTLS when the server knows it; required in production) or smtps://user@host:465."""

    def __init__(self, url: str, password: str, sender: str, *, must_be_private: bool) -> None:
        self.url, self.password, self.sender, self.must_be_private = urlsplit(url), password, sender, must_be_private

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._send, letter)

    def _send(self, letter: Letter) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, letter.to, letter.subject
        message.set_content(letter.text)
        with self._connected() as server:
            if self.url.username:
                server.login(self.url.username, self.password)
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        host, trusted = self.url.hostname or "localhost", ssl.create_default_context()
        if self.url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, self.url.port or 465, timeout=SECONDS_MAX, context=trusted)
        server = smtplib.SMTP(host, self.url.port or 587, timeout=SECONDS_MAX)
        server.ehlo()
        if self.must_be_private or server.has_extn("starttls"):
            server.starttls(context=trusted)
        return server


class Log:
    """Development: somebody who runs it at home reads the letter in the log."""

    async def send(self, letter: Letter) -> None:
        log.info("letter", to=letter.to, subject=letter.subject, text=letter.text)


Errand = Callable[[], Awaitable[Letter | None]]


class Nowhere:
    """Production without SMTP_URL: nothing is sent, and no link with its token gets into a log."""

    async def send(self, letter: Letter) -> None:
        log.error("letter_not_sent", subject=letter.subject, why="SMTP_URL is not set")


class Letterbox:
    """Takes letters, and errands that may end in one, at once and does them one by one: the time of an answer tells nothing about them.
    What fails is logged, without its text."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self._waiting: asyncio.Queue[Errand] = asyncio.Queue(WAITING_MAX)
        self._task = asyncio.create_task(self._bring())

    def put(self, letter: Letter) -> None:
        async def written() -> Letter:
            return letter

        self.run(written)

    def run(self, errand: Errand) -> None:
        try:
            self._waiting.put_nowait(errand)
        except asyncio.QueueFull:
            log.error("letter_dropped", why="too many wait")

    async def _bring(self) -> None:
        while True:
            errand = await self._waiting.get()
            try:
                letter = await errand()
                if letter is not None:
                    await self.post.send(letter)
            except (OSError, smtplib.SMTPException, SQLAlchemyError, HaechiError) as error:
                log.error("letter_not_sent", why=type(error).__name__)
            except Exception as error:  # a fault of ours in one errand must not end all letters; its words may hold the letter's
                log.error("letter_fault", why=type(error).__name__, where="".join(traceback.format_tb(error.__traceback__)))
            finally:
                self._waiting.task_done()

    async def brought(self) -> None:
        """Nothing waits any more."""
        await self._waiting.join()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def post_of(settings: Settings) -> Post:
    """By the settings; without SMTP_URL development reads letters in its log, and production sends none."""
    if settings.smtp_url:
        return Smtp(settings.smtp_url, settings.smtp_password.get_secret_value(), settings.mail_from, must_be_private=settings.production)
    return Nowhere() if settings.production else Log()
