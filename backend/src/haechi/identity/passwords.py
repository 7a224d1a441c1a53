"""Passwords: Argon2id for new hashes, bcrypt ones still read; computed in threads of their own, never in the event loop."""

from __future__ import annotations

import asyncio
import os
import threading
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import TypeVar, TypeVarTuple

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from haechi.errors import BadInput
from haechi.platform.limits import Full

PASSWORD_BYTES_MAX = 1024
PASSWORD_CHARS_MIN = 10
DISTINCT_MIN = 4
NICE = 10
FLOOD = 4  # places taken: two sign-ins at once are none yet
WAITING_MAX = 16  # places: two for a sign-in, one for other work. More than that is a flood

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class Passwords:
    """Hashes and verifies. Close it when the server closes."""

    def __init__(self, hashers: PasswordHash | None = None) -> None:
        self.hashers = hashers or PasswordHash((Argon2Hasher(), BcryptHasher()))
        self._threads = ThreadPoolExecutor(threads(), thread_name_prefix="password", initializer=step_back)
        self._in_a_flood = ThreadPoolExecutor(threads(), thread_name_prefix="password-flood", initializer=step_far_back)
        self._waiting = 0
        self._nobody: str | None = None

    @property
    def full(self) -> bool:
        """Whoever comes now is turned away; asked before any work is done for somebody."""
        return self._waiting >= WAITING_MAX

    def make_sure_of_room(self) -> None:
        """Raises Full."""
        if self.full:
            raise Full("Too many people sign in at this moment; try again in a few seconds.")

    @contextmanager
    def room(self) -> Iterator[None]:
        """A place in the queue, from before the first work for somebody to its end. Raises Full."""
        self.make_sure_of_room()
        with self._counted():
            yield

    async def hash(self, password: str) -> str:
        """Argon2id hash of the normalised password."""
        return await self._work(self.hashers.hash, prepared(password))

    async def verify(self, password: str, hashed: str) -> tuple[bool, str | None]:
        """Whether it fits; with it a better hash to store, when the stored one is of an older kind."""
        return await self._work(self._verify, prepared(password), hashed)

    async def verify_nobody(self, password: str) -> None:
        """As much work as for a real person, so that time does not tell which addresses are known."""
        if self._nobody is None:
            self._nobody = await self.hash("nobody's password")
        await self.verify(password, self._nobody)

    def _verify(self, password: str, hashed: str) -> tuple[bool, str | None]:
        if hashed.startswith("$2") and len(password.encode()) > 72:
            return False, None  # bcrypt reads 72 bytes at most and refuses more: such a hash was never made from this
        return self.hashers.verify_and_update(password, hashed)

    async def _work(self, function: Callable[[*Given], Result], *given: *Given) -> Result:
        pool = self._in_a_flood if self._waiting > FLOOD else self._threads
        with self._counted():
            return await asyncio.get_running_loop().run_in_executor(pool, function, *given)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def close(self) -> None:
        for pool in (self._threads, self._in_a_flood):
            pool.shutdown(wait=False, cancel_futures=True)


def threads() -> int:
    """At most half of the machine hashes: the other half answers."""
    return max(1, (os.cpu_count() or 2) // 2)


def step_back() -> None:
    """A hashing thread gives way to the one that answers; where the system knows no such thing, nothing happens."""
    with suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def step_far_back() -> None:
    """In a flood of sign-ins hashing takes only what nobody else wants. Not always so: beside a back-test on every core one sign-in
    would take a quarter of a minute."""
    step_back()
    with suppress(AttributeError, OSError):
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))


def check_new(password: str, email: str) -> None:
    """Long enough and on no list of common ones; no rules about kinds of signs, they make passwords worse. Raises BadInput."""
    if len(prepared(password)) < PASSWORD_CHARS_MIN:
        raise BadInput(f"The password is too short: {PASSWORD_CHARS_MIN} characters or more; a few words are good.", code="password_short")
    core = stripped(password) or password
    if len(set(password)) < DISTINCT_MIN or core in common() or core in {"haechi", stripped(email.split("@", maxsplit=1)[0])}:
        raise BadInput("This password is one that many people have, or easy to guess; take another, a few words are good.",
                       code="password_common")


def stripped(password: str) -> str:
    """Without what people add to a common word: case, digits and signs at its ends."""
    return prepared(password).casefold().strip("0123456789!@#$%^&*()-_=+[]{};:'\",.<>/?`~|\\ ")


@cache
def common() -> frozenset[str]:
    """Some 30,000 common passwords, and the words they are made of, as they come with zxcvbn."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    words = FREQUENCY_LISTS["passwords"]
    return frozenset({stripped(word) for word in words} | set(words)) - {""}


def prepared(password: str) -> str:
    """NFC, so that one password typed on two keyboards is one password. The length limit is tested at the HTTP door."""
    return unicodedata.normalize("NFC", password)
