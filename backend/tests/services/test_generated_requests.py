"""The whole OpenAPI document against the whole server: generated requests, good and bad, as somebody signed in and as nobody.

No server error, no status that is not documented, answers as their schemas say. HAECHI_EXAMPLES raises the number for long searches.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from haechi.app import create_app
from haechi.identity.origins import Origin
from haechi.identity.service import Identity
from haechi.settings import load_settings

EXAMPLES = int(os.environ.get("HAECHI_EXAMPLES", "15"))
EXAMPLES_MORE = max(4, EXAMPLES // 3)  # on the second database: what differs there is not how requests are read
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)
ENDS_THE_SESSION = {"logout", "logout_all", "delete_me", "change_password", "two_factor_verify", "two_factor_disable", "end_session"}


class Server:
    """A real server on a loopback port, in a thread of its own. examples: of each operation."""

    examples = EXAMPLES

    def __init__(self, folder: Path, **given: Any) -> None:
        self.app = create_app(load_settings(_env_file=None, haechi_var=folder / "var", haechi_data=folder / "data", rate_limit_per_minute=1_000_000,
                                            speed=0.001, bitget_rest="http://127.0.0.1:9", **given), announce=lambda _: None)
        self.server = uvicorn.Server(uvicorn.Config(self.app, host="127.0.0.1", port=0, log_config=None, access_log=False))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def start(self) -> None:
        ready = threading.Event()
        begun = self.server.startup

        async def startup(*given: Any, **more: Any) -> None:
            await begun(*given, **more)
            self.loop = asyncio.get_running_loop()
            ready.set()

        self.server.startup = startup  # type: ignore[method-assign]
        self.thread.start()
        assert ready.wait(60)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)

    def token(self, number: int) -> str:
        """Of a new person, so that one operation's ends do not end the next."""
        async def made() -> str:
            identity = self.app.state.house.part(Identity)
            async with self.app.state.house.database.writing() as session:
                user = await identity.accounts.add(session, email=f"s{number}@example.com", password_hash=None)
                return (await identity.sessions.begin(session, user, Origin(), with_2fa=False)).access_token

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(made(), self.loop).result(30)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    given = {"database_url": request.getfixturevalue("postgres")} if request.param == "postgresql" else {}
    made = Server(tmp_path, **given)
    made.examples = EXAMPLES_MORE if given else EXAMPLES
    made.start()
    yield made
    made.stop()


def test_generated_requests_meet_no_fault_and_no_surprise(server: Server) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    count = 0
    for number, found in enumerate(schema.get_all_operations()):
        operation = found.ok()
        count += 1
        name = operation.definition.raw["operationId"]

        tried(operation, name, server, number)
    assert count >= 30


def tried(operation: Any, name: str, server: Server, number: int) -> None:
    from hypothesis import given

    tokens = iter(range(10**6))
    token = [server.token(number * 10_000)]

    @settings(max_examples=server.examples, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate], database=None,
              derandomize=True)
    @given(case=operation.as_strategy())
    def one(case: Any) -> None:
        if name in ENDS_THE_SESSION:
            token[0] = server.token(number * 10_000 + 1 + next(tokens))
        case.call_and_validate(headers={"authorization": f"Bearer {token[0]}"}, checks=CHECKS)

    one()
