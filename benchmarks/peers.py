"""The systems measured against: their names, versions and venvs, from peers.toml. A venv is made when it is first needed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / ".peers"
STAMP = "installed.txt"


@dataclass(frozen=True)
class Peer:
    name: str
    packages: tuple[str, ...]

    @property
    def python(self) -> Path:
        return FOLDER / self.name / "bin" / "python"

    @property
    def script(self) -> Path:
        return HERE / f"peer_{self.name}.py"


class CannotInstallError(Exception):
    """Why a peer has no venv, in one sentence."""


def known() -> dict[str, Peer]:
    """By name, in the order of peers.toml."""
    found = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    return {name: Peer(name, tuple(entry["packages"])) for name, entry in found.items()}


def ensure(peer: Peer) -> None:
    """Make its venv, or make it new where other packages are asked for than it was made with. Raises CannotInstallError."""
    stamp, wanted = FOLDER / peer.name / STAMP, "\n".join(peer.packages) + "\n"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing {', '.join(peer.packages)} into .peers/{peer.name}; this happens once.", file=sys.stderr, flush=True)
    _call([sys.executable, "-m", "venv", str(FOLDER / peer.name)])
    _call([str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages])
    stamp.write_text(wanted, encoding="utf-8")


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own list of words
    if done.returncode != 0:
        words = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise CannotInstallError(f"does not install: {words[-1]}")
