"""Kill switches on the disk and in memory: at once, for ever, and on when in doubt."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from haechi.errors import BadInput, Conflict
from haechi.platform.clock import SetClock
from haechi.trading import kill_files
from haechi.trading.kill_files import NotKept
from haechi.trading.kill_switch import LOOK_S, Kills

CLOCK = SetClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "var" / "kill"


def kills_in(folder) -> Kills:
    return Kills(folder, CLOCK)


@pytest.mark.parametrize(("scope", "id", "mine", "same_user", "stranger"), [
    ("platform", "", "platform", "platform", "platform"), ("user", "mina", "user", "user", ""), ("bot", "b1", "bot", "", "")])
def test_a_switch_stops_whom_it_names(folder, scope, id, mine, same_user, stranger) -> None:
    kills = kills_in(folder)
    assert kills.on("mina", "b1") == ""
    kills.turn_on(scope, id, by="root", reason="a drill")
    assert (kills.on("mina", "b1"), kills.on("mina", "b2"), kills.on("jun", "b3")) == (mine, same_user, stranger)
    again = kills_in(folder)
    assert again.on("mina", "b1") == mine, "after a restart too"
    assert again.read(scope, id) == kills.read(scope, id) and again.read(scope, id).reason == "a drill"
    again.turn_off(scope, id)
    assert again.on("mina", "b1") == "" and list(folder.iterdir()) == []


def test_it_keeps_since_when(folder) -> None:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    kills = Kills(folder, clock)
    first = kills.turn_on("platform", by="root", reason="one")
    clock.advance(timedelta(hours=1))
    assert kills.turn_on("platform", by="other", reason="two") == first


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"scope": "user"}', b"x" * 10_000])
@pytest.mark.parametrize(("name", "mine", "stranger"), [("platform.json", "platform", "platform"), ("user-mina.json", "user", ""), ("bot-b1.json", "bot", ""),
                                                        ("what.txt", "platform", "platform"), ("user-.json", "platform", "platform")])
def test_a_file_that_says_nothing_is_a_switch_that_is_on(folder, name, content, mine, stranger) -> None:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    kills = kills_in(folder)
    assert (kills.on("mina", "b1"), kills.on("jun", "b9")) == (mine, stranger)
    (folder / name).unlink()
    kills.look()
    assert kills.on("mina", "b1") == ""


def test_a_file_cannot_speak_for_another(folder) -> None:
    kills = kills_in(folder)
    kills.turn_on("user", "mina", by="root")
    (folder / "user-mina.json").rename(folder / "user-jun.json")
    kills.look()
    assert (kills.on("mina"), kills.on("jun")) == ("", "user")


def test_a_folder_that_cannot_be_read_stops_all(folder) -> None:
    kills = kills_in(folder)
    folder.rmdir()
    kills.look()
    assert kills.on("anybody") == "platform"
    folder.write_text("no folder")
    kills.look()
    assert kills.on("anybody") == "platform" and kills_in(folder).on("anybody") == "platform"
    folder.unlink()
    folder.mkdir()
    kills.look()
    assert kills.on("anybody") == ""


def test_a_file_half_written_is_none_yet(folder) -> None:
    folder.mkdir(parents=True)
    (folder / ".platform.json.77").write_text('{"sco')
    assert kills_in(folder).on("anybody") == ""


@pytest.mark.parametrize(("scope", "id"), [("user", ""), ("user", "../x"), ("bot", "a/b"), ("bot", "x" * 65), ("platform", "x"), ("all", ""), ("user", "a-b")])
def test_a_name_that_is_none_is_refused(folder, scope, id) -> None:
    with pytest.raises(BadInput):
        kills_in(folder).turn_on(scope, id, by="root")
    assert list(folder.iterdir()) == []


def test_nothing_starts_while_one_is_on(folder) -> None:
    kills = kills_in(folder)
    kills.refuse_while_killed("mina", "b1")
    kills.turn_on("user", "mina", by="mina")
    kills.refuse_while_killed("jun")
    with pytest.raises(Conflict) as found:
        kills.refuse_while_killed("mina")
    assert found.value.code == "killed" and found.value.details == {"scope": "user", "since": "2026-01-01T00:00:00+00:00"}


def test_on_though_the_disk_is_full_and_kept_when_there_is_room(folder, monkeypatch) -> None:
    kills, write = kills_in(folder), kill_files.write

    def full(*_given) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(kill_files, "write", full)
    with pytest.raises(NotKept):
        kills.turn_on("user", "mina", by="root")
    kills.look()
    assert kills.on("mina") == "user" and kills_in(folder).on("mina") == ""
    monkeypatch.setattr(kill_files, "write", write)
    kills.look()
    assert kills_in(folder).on("mina") == kills.on("mina") == "user"


def test_what_cannot_be_taken_away_stays_on(folder, monkeypatch) -> None:
    kills = kills_in(folder)
    kills.turn_on("platform", by="root")

    def stuck(*_given) -> None:
        raise OSError(30, "read-only")

    monkeypatch.setattr(kill_files, "remove", stuck)
    with pytest.raises(NotKept):
        kills.turn_off("platform")
    assert kills.on("anybody") == "platform"


def test_listeners_hear_it_once_and_one_that_fails_holds_up_no_other(folder) -> None:
    kills, heard = kills_in(folder), []

    def broken(_switch) -> None:
        raise RuntimeError("no report")

    kills.listeners += [broken, lambda switch: heard.append((switch.scope, switch.id))]
    kills.turn_on("bot", "b1", by="root")
    kills.turn_on("bot", "b1", by="root")
    kills.look()
    assert heard == [("bot", "b1")]


async def test_the_watcher_sees_another_process_within_a_second(folder, monkeypatch) -> None:
    kills, heard, turns = kills_in(folder), [], asyncio.Queue()
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await turns.get()
        turns.task_done()

    async def one_look() -> None:
        turns.put_nowait(None)
        before = len(slept)
        while len(slept) == before:  # noqa: ASYNC110
            await asyncio.sleep(0)

    kills.listeners.append(lambda switch: heard.append(switch.reason))
    watcher = asyncio.create_task(kills.watch(sleep))
    await asyncio.sleep(0)
    kills_in(folder).turn_on("platform", by="command line", reason="from outside")
    assert kills.on("anybody") == ""
    await one_look()
    assert kills.on("anybody") == "platform" and heard == ["from outside"] and max(slept) <= LOOK_S < 1
    kills_in(folder).turn_off("platform")
    await one_look()
    assert kills.on("anybody") == ""
    monkeypatch.setattr(kill_files, "stamps", lambda _folder: 1 / 0)
    await one_look()
    assert kills.on("anybody") == "platform", "a fault in the look stops trading"
    monkeypatch.undo()
    await one_look()
    assert kills.on("anybody") == "", "and the watcher lives on"
    watcher.cancel()
