"""Kill switches of a bot, a user and the platform: in memory for the gate, on the disk for ever (kill_files).

Nothing here needs the database, a position or a profit. A watcher looks at the files every half second, so that `haechi kill` stops
a server it cannot reach; what is turned on in this process counts at once, also while the disk refuses to keep it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from haechi.errors import Conflict
from haechi.platform.clock import Clock, instant
from haechi.platform.house import House
from haechi.trading import kill_files
from haechi.trading.kill_files import BOT, PLATFORM, REASON_CHARS_MAX, UNREADABLE, USER, NotKept, Scope, Switch

LOOK_S = 1 / 2  # between two looks; a switch acts within a second
WHO = {PLATFORM: "The operator has stopped all trading on this server", USER: "Your trading is stopped by your kill switch",
       BOT: "This bot is stopped by its kill switch"}
Listener = Callable[[Switch], None]
Sleep = Callable[[float], Awaitable[None]]
Key = tuple[str, str]

log = structlog.get_logger(__name__)


class Kills:
    """Which switches are on. `listeners` hear of each that goes on, within a second; one that fails holds up no other."""

    name = "kills"

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self.listeners: list[Listener] = []
        self.switches: dict[Key, Switch] = {}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._unkept: set[Key] = set()  # on, though the disk did not take their file yet
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.error("kill_switches_unreadable", error=str(error))
        self.look()

    # ---- asked by the gate

    def on(self, user_id: str, bot_id: str = "") -> str:
        """'' or the widest switch that is on for them: platform | user | bot."""
        if not self.switches:
            return ""
        if (PLATFORM, "") in self.switches:
            return PLATFORM
        if (USER, user_id) in self.switches:
            return USER
        return BOT if bot_id and (BOT, bot_id) in self.switches else ""

    def read(self, scope: Scope = "platform", id: str = "") -> Switch | None:
        """None: it is off."""
        return self.switches.get((scope, id))

    def refuse_while_killed(self, user_id: str, bot_id: str = "") -> None:
        """Before anything starts. Raises Conflict, code `killed`."""
        scope = self.on(user_id, bot_id)
        if scope:
            switch = self.switches[(scope, {PLATFORM: "", USER: user_id, BOT: bot_id}[scope])]
            since = {"since": instant(switch.since_ms).isoformat()} if switch.since_ms else {}
            raise Conflict(f"{WHO[scope]}; nothing starts until the kill switch is turned off.", code="killed",
                           details={"scope": scope, **since})

    def condition(self) -> dict[str, Any]:
        return {"state": "up", "on": len(self.switches)}

    # ---- turned

    def turn_on(self, scope: Scope, id: str = "", *, by: str, reason: str = "") -> Switch:
        """At once here, and on the disk when this returns. One that is on stays as it is: since when is part of the truth.

        Raises BadInput for no such scope, and NotKept when the disk does not take it: it is on then too, and is tried again.
        """
        kill_files.checked(scope, id)
        there = self.switches.get((scope, id))
        if there is not None and (scope, id) not in self._unkept:
            return there
        switch = there or Switch(scope, id, self.clock.now_ms(), by, reason[:REASON_CHARS_MAX])
        self._set(switch)
        if not self._keep(switch):
            raise NotKept("The kill switch is on, but the disk does not take it: until it does, it would not outlive this process. "
                          "Free some room; it is tried again by itself.")
        return switch

    def turn_off(self, scope: Scope, id: str = "") -> None:
        """Nothing starts by itself. Raises NotKept when the file cannot be taken away: then it stays on."""
        kill_files.checked(scope, id)
        try:
            kill_files.remove(self.folder, scope, id)
        except OSError as error:
            raise NotKept("The file of the kill switch cannot be taken away; it stays on. See var/kill.") from error
        self._unkept.discard((scope, id))
        self.switches.pop((scope, id), None)
        log.warning("kill_switch_off", scope=scope, id=id)
        self._stamps = {}
        self.look()

    def _set(self, switch: Switch) -> None:
        key = (switch.scope, switch.id)
        new = key not in self.switches
        self.switches[key] = switch
        if new:
            log.warning("kill_switch_on", scope=switch.scope, id=switch.id, by=switch.by, reason=switch.reason)
            self._tell(switch)

    def _tell(self, switch: Switch) -> None:
        for listener in list(self.listeners):
            try:
                listener(switch)
            except Exception:
                log.exception("kill_listener_failed", scope=switch.scope, id=switch.id)

    def _keep(self, switch: Switch) -> bool:
        try:
            kill_files.write(self.folder, switch)
        except OSError as error:
            log.error("kill_switch_not_kept", scope=switch.scope, id=switch.id, error=str(error))
            self._unkept.add((switch.scope, switch.id))
            return False
        self._unkept.discard((switch.scope, switch.id))
        return True

    # ---- looked for on the disk

    def look(self) -> None:
        """Take over what the files say; a folder that cannot be read is the platform's switch."""
        for key in sorted(self._unkept):
            self._keep(self.switches[key])
        try:
            found = kill_files.stamps(self.folder)
        except OSError:
            self._stamps = {}
            self._set(self.switches.get((PLATFORM, "")) or Switch(PLATFORM, "", 0, "", UNREADABLE))
            return
        unread = any(not switch.since_ms for switch in self.switches.values())  # its file may be readable by now
        if found != self._stamps or unread:
            self._stamps = found
            self._take([kill_files.read(self.folder, name) for name in sorted(found)])

    def _take(self, found: list[Switch]) -> None:
        there = {(switch.scope, switch.id) for switch in found} | self._unkept
        for key in [key for key in self.switches if key not in there]:
            del self.switches[key]
            log.warning("kill_switch_off", scope=key[0], id=key[1])
        for switch in found:
            self._set(switch)

    async def watch(self, sleep: Sleep) -> None:
        """For as long as the process lives. Whatever goes wrong in a look stops trading, and the next look is made all the same."""
        while True:
            await sleep(LOOK_S)
            try:
                self.look()
            except Exception:
                log.exception("kill_switches_unreadable")
                self._stamps = {}
                self._set(Switch(PLATFORM, "", 0, "", UNREADABLE))


@asynccontextmanager
async def open_kills(house: House) -> AsyncIterator[Kills]:
    kills = Kills(house.settings.haechi_var.resolve() / "kill", house.clock)
    watcher = asyncio.create_task(kills.watch(asyncio.sleep))
    try:
        yield kills
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
