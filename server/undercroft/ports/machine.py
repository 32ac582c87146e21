"""Which machine this is, and what its kernel keeps for itself.

A machine is known by an identity of its own: names change, and many are called `localhost`. The
system's identity is never told as it is (machine-id(5) asks for that): what leaves is an HMAC.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger("undercroft.ports")

_SYSTEM_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_LINUX_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_OWN_ID = "machine-id"

SHORTEST = 16
"""Characters of an identity that can be one; a container's file may say `uninitialized` or less."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine that this process runs on."""

    id: str
    name: str
    ephemeral: tuple[int, int]
    """First port, and the one after the last, that the kernel gives to outgoing connections."""


def this_machine(home: Path, chosen: str = "") -> Machine:
    """The machine; `chosen` is an operator's name for it, `home` holds an id where there is none.

    It blocks: ask in a thread.
    """
    known = chosen or _digest(_system_id() or _own_id(home))
    return Machine(id=known, name=socket.gethostname()[:255], ephemeral=_ephemeral())


def _digest(identity: str) -> str:
    return hmac.new(identity.encode(), b"undercroft.ports", hashlib.sha256).hexdigest()[:32]


def _system_id() -> str:
    if sys.platform == "darwin":
        return _asked(["ioreg", "-rd1", "-c", "IOPlatformExpertDevice"], r'UUID" = "([^"]+)"')
    if sys.platform == "win32":
        key = r"HKLM\SOFTWARE\Microsoft\Cryptography"
        return _asked(["reg", "query", key, "/v", "MachineGuid"], r"REG_SZ\s+(\S+)")
    for path in _SYSTEM_IDS:
        with suppress(OSError, UnicodeDecodeError):
            text = path.read_text("ascii").strip()
            if len(text) >= SHORTEST:
                return text
    return ""


def _asked(command: list[str], pattern: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - the system's own program, with constant words
            command, capture_output=True, text=True, timeout=5, check=True
        )
        found = re.search(pattern, done.stdout)
        return found[1] if found else ""
    return ""


def _own_id(home: Path) -> str:
    """An identity that the first process to ask has written down for all."""
    path = home / _OWN_ID
    identity = secrets.token_hex(16)
    aside = path.with_name(f".{_OWN_ID}.{identity}")
    try:
        home.mkdir(parents=True, exist_ok=True)
        aside.write_text(identity, "ascii")
        with suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
        return path.read_text("ascii").strip()
    except OSError as error:
        # As in a container whose disk is read-only, before an external PostgreSQL.
        log.warning("no_machine_id", error=error.strerror, hint="UNDERCROFT_MACHINE names it")
        return socket.gethostname()


def _ephemeral() -> tuple[int, int]:
    if sys.platform == "linux":
        with suppress(OSError, ValueError):
            first, last = _LINUX_EPHEMERAL.read_text("ascii").split()
            return int(first), int(last) + 1
    if sys.platform == "darwin":
        name = "net.inet.ip.portrange.first"
        return int(_asked(["sysctl", "-n", name], r"^(\d+)$") or 49152), 65536
    # IANA's dynamic ports, which Windows keeps to (RFC 6335, section 6).
    return 49152, 65536
