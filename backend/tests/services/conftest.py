"""Private PostgreSQL, Redis and nginx for the tests here: Debian's programs, free loopback ports, a folder that goes in the end.

Where a program is not installed its tests are skipped, with the reason. PostgreSQL refuses to run as root: started by root
it runs as the user `postgres` of its package.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT = Path(__file__).resolve().parents[3]
PASSWORD, REDIS_PASSWORD = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
START_S_MAX = 180  # a server of ours may have to compile the engine first


def of_integration(name: str) -> ModuleType:
    """A module of the integration tests: the same server is tried here on other databases."""
    found = importlib.util.spec_from_file_location(f"haechi_integration_{name}", ROOT / "backend" / "tests" / "integration" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    made = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made


running = of_integration("conftest").running


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def program(name: str, *folders: str) -> Path:
    """Where the program is; skips the test when it is nowhere."""
    found = shutil.which(name) or next((str(one / name) for folder in folders for one in sorted(Path("/").glob(folder), reverse=True)
                                        if (one / name).exists()), None)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install postgresql redis-server nginx")
    return Path(found)


class Process:
    """One private server: started, stopped and started again on the same port and folder."""

    def __init__(self, command: list[str | Path], port: int, folder: Path, user: str | None = None,
                 environment: dict[str, str] | None = None, ready: Callable[[int], bool] | None = None) -> None:
        self.command, self.port, self.folder, self.user, self.environment = command, port, folder, user, environment
        self.ready = ready or listening
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections. Raises RuntimeError with the end of its log when it does not come up."""
        with (self.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                                            env=self.environment, **identity(self.user))
        until = time.monotonic() + START_S_MAX
        while not self.ready(self.port):
            if self.running.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.command[0]} did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)  # another process: its port is all there is to wait for

    def stop(self) -> None:
        """SIGINT: PostgreSQL ends its connections and writes all down; the others just end."""
        if self.running is not None:
            self.running.send_signal(2)
            self.running.wait(START_S_MAX)
            self.running = None


def listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def identity(user: str | None) -> dict[str, object]:
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


@contextmanager
def own_folder(user: str | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="haechi-"))
    (folder / "log").touch()
    if user:
        for one in (folder, folder / "log"):
            os.chown(one, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stopped_in_the_end(process: Process) -> Iterator[Process]:
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Process]:
    """The server itself, for tests that stop and start it. Whoever stops it starts it again."""
    binaries = program("initdb", "usr/lib/postgresql/*/bin").resolve().parent
    user = "postgres" if os.geteuid() == 0 else None
    with own_folder(user) as folder:
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)  # another user's; the folder itself is closed
        subprocess.run([binaries / "initdb", "-D", folder / "data", "-U", "haechi", "--pwfile", folder / "password", "-A", "scram-sha-256",
                        "-E", "UTF8", "--no-sync", "--no-instructions"], check=True, capture_output=True, cwd=folder, **identity(user))
        port = free_port()
        command = [binaries / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
                   "-c", "fsync=off", "-c", "shared_buffers=16MB"]

        def ready(port: int) -> bool:  # for a moment after its start it listens and refuses
            return subprocess.run([binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode == 0

        with stopped_in_the_end(Process(command, port, folder, user, ready=ready)) as process:
            yield process


@pytest.fixture
async def postgres(postgres_server: Process) -> str:
    """Address of a new empty database, with its password."""
    name = f"t{secrets.token_hex(8)}"
    link = await asyncpg.connect(host="127.0.0.1", port=postgres_server.port, user="haechi", password=PASSWORD, database="postgres")
    await link.execute(f'CREATE DATABASE "{name}"')
    await link.close()
    return f"postgresql://haechi:{PASSWORD}@127.0.0.1:{postgres_server.port}/{name}"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Process]:
    """The server itself, for tests that stop and start it. Nothing is kept over a stop."""
    binary, port = program("redis-server", "usr/bin"), free_port()
    with own_folder() as folder:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", REDIS_PASSWORD, "--save", "", "--appendonly", "no",
                   "--dir", folder]
        with stopped_in_the_end(Process(command, port, folder)) as process:
            yield process


@pytest.fixture
async def redis(redis_server: Process) -> str:
    """Address of an empty Redis, with its password."""
    import redis.asyncio as client

    url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis_server.port}/0"
    async with client.from_url(url) as link:
        await link.flushall()
    return url


@pytest.fixture
def nginx() -> Iterator[Callable[[int], Front]]:
    """`nginx(port)` is our own configuration, running in front of whatever listens on that port."""
    binary, user = program("nginx", "usr/sbin"), "nobody" if os.geteuid() == 0 else None
    with ExitStack() as stack:
        def in_front_of(port: int) -> Front:
            folder = stack.enter_context(own_folder(user))
            front = Front(http=free_port(), https=free_port(), certificate=self_signed(folder))
            (folder / "nginx.conf").write_text(here(folder, port, front))
            command = [binary, "-e", "/dev/stderr", "-c", folder / "nginx.conf", "-g", "daemon off;"]
            with (folder / "log").open("ab") as log:  # a file: nginx opens /dev/stderr anew, and a pipe of root's is closed to it
                tried = subprocess.run([*command, "-t"], stdout=log, stderr=log, cwd=folder, **identity(user))
            assert tried.returncode == 0, (folder / "log").read_text()
            stack.enter_context(stopped_in_the_end(Process(command, front.https, folder, user)))
            return front

        yield in_front_of


@dataclass(frozen=True)
class Front:
    """Ports nginx listens on, and the certificate it shows (its own authority)."""

    http: int
    https: int
    certificate: Path


def here(folder: Path, port: int, front: Front) -> str:
    """The configuration as it is delivered, with this machine's ports and folders in place of the container's."""
    text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    for theirs, ours in {" /tmp/": f" {folder}/", "/etc/nginx/certs/": f"{folder}/", "http://api:8000": f"http://127.0.0.1:{port}",
                         "listen 8080": f"listen 127.0.0.1:{front.http}", "listen 8443": f"listen 127.0.0.1:{front.https}"}.items():
        assert theirs in text, f"nginx.conf no longer has {theirs!r}: this table must follow"
        text = text.replace(theirs, ours)
    return text


def self_signed(folder: Path) -> Path:
    """A certificate for localhost, good for a day; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256()))
    (folder / "privkey.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "privkey.pem").chmod(0o644)  # another user's; the folder itself is closed
    (folder / "fullchain.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "fullchain.pem"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Callable[[list[str | Path], dict[str, str]], int]]:
    """`own_server(command, environment)` starts haechi on a free port with a folder of its own and returns the port."""
    with ExitStack() as stack:
        def started(command: list[str | Path], environment: dict[str, str]) -> int:
            folder, port = stack.enter_context(own_folder()), free_port()
            given = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT / "backend" / "src"),
                     "PORT": str(port), "HAECHI_VAR": str(folder / "var"), "HAECHI_DATA": str(folder / "data"),
                     "DATABASE_URL": f"sqlite:///{folder}/var/haechi.db"} | environment
            stack.enter_context(stopped_in_the_end(Process(command, port, folder, environment=given)))
            return port

        yield started


@pytest.fixture
def unused_port() -> int:
    return free_port()
