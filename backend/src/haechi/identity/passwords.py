"""Passwords: Argon2id for new hashes, bcrypt ones still read; computed in threads of their own, never in the event loop."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from haechi.errors import HaechiError

PASSWORD_BYTES_MAX = 1024
THREADS = 2
WAITING_MAX = 32  # about two seconds of work; more than that is a flood, and each waiter would hold 64 MB in turn

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class TooBusy(HaechiError):
    """More sign-ins at once than there are hands."""

    status = 503
    code = "busy"


class Passwords:
    """Hashes and verifies. Close it when the server closes."""

    def __init__(self, hashers: PasswordHash | None = None) -> None:
        self._hash = hashers or PasswordHash((Argon2Hasher(), BcryptHasher()))
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Argon2id hash of the normalised password."""
        return await self._work(self._hash.hash, prepared(password))

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
        return self._hash.verify_and_update(password, hashed)

    async def _work(self, function: Callable[[*Given], Result], *given: *Given) -> Result:
        if self._waiting >= WAITING_MAX:
            raise TooBusy("Too many people sign in at this moment; try again in a few seconds.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *given)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def prepared(password: str) -> str:
    """NFC, so that one password typed on two keyboards is one password. The length limit is tested at the HTTP door."""
    return unicodedata.normalize("NFC", password)
