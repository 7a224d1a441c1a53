"""Logs: one line, no secrets."""

import io
import json
import logging

import pytest
import structlog

from haechi.platform import log


@pytest.fixture
def lines():
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    log.configure(level="info", production=True, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize("name", ["password", "api_key", "apiKey", "refresh_token", "Authorization", "jwt_secret", "passphrase", "Cookie"])
def test_a_field_with_a_secrets_name_is_hidden_even_when_nested(lines, name):
    structlog.get_logger().info("saved", bot_id="b7", **{name: "hunter2"}, inside={"deep": [{name: "hunter2"}]})
    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["bot_id"] == "b7"


@pytest.mark.parametrize("text", [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "Bearer abc.def-123", "123456789:AAF0abcdefghijklmnopqrstuvwxyz012345",
    "gAAAAABlx0123456789abcdefghijklmnop=="])
def test_a_secret_inside_a_sentence_is_hidden(lines, text):
    structlog.get_logger().warning(f"the exchange answered {text} and hung up")
    (line,) = lines()
    assert text.split()[-1] not in line["event"]
    assert line["event"].startswith("the exchange answered")
    assert line["event"].endswith("and hung up")


def test_the_password_in_a_database_address_is_hidden_in_a_traceback(lines):
    try:
        raise OSError("cannot reach postgresql://haechi:hunter2@db/haechi")
    except OSError:
        structlog.get_logger().exception("fault")
    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert "OSError" in line["exception"]


def test_the_standard_librarys_loggers_go_the_same_way(lines):
    logging.getLogger("some.library").info("token=%s", "Bearer abcdef")
    (line,) = lines()
    assert (line["logger"], line["level"]) == ("some.library", "info")
    assert "abcdef" not in line["event"]


def test_a_text_from_outside_cannot_begin_a_line_in_the_readable_form():
    written = log.one_line(None, "info", {"path": "/x\n2026 forged", "event": "a\rb", "exception": "line\nline"})
    assert written == {"path": "/x\\n2026 forged", "event": "a\\rb", "exception": "line\nline"}
