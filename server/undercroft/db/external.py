"""A PostgreSQL that others run, named by a DSN."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from undercroft.db.source import ServerAddress
from undercroft.errors import InvalidInput

DEFAULT_PORT = 5432
LAST_PORT = 65_535
_PASSED = {"target_session_attrs", "passfile", "krbsrvname", "gsslib", "direct_tls"}


class ExternalPostgres:
    """A server that we neither start nor stop."""

    def __init__(self, dsn: str) -> None:
        self._address, self.database = parse_dsn(dsn)

    async def address(self) -> ServerAddress:
        """Where the DSN points."""
        return self._address

    async def recover(self) -> None:
        """Nothing of ours to mend."""

    async def close(self) -> None:
        """Nothing of ours to stop."""


def parse_dsn(dsn: str) -> tuple[ServerAddress, str]:
    """The address in a DSN, and the database that it names ("postgres" where it names none).

    Several hosts may be given (`host1:5432,host2:5433`), TLS files and modes as libpq has them.

    Raises:
        InvalidInput: It is not a DSN; the message does not repeat it.

    """
    parts = _split(dsn)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    names, ports = _hosts(query.pop("host", "") or hosts, query.pop("port", ""))
    parameters = _parameters(query)
    address = ServerAddress(
        host=names,
        port=ports,
        user=unquote(user) or query.get("user", "") or "postgres",
        password=unquote(password) or query.get("password"),
        parameters=parameters,
    )
    return address, unquote(parts.path.lstrip("/")) or query.get("dbname", "") or "postgres"


def _split(dsn: str) -> SplitResult:
    try:
        parts = urlsplit(dsn)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("postgres", "postgresql") or parts.fragment:
        raise InvalidInput(
            "UNDERCROFT_DATABASE_URL is not a PostgreSQL DSN.",
            hint="It looks like postgresql://user:password@host:5432/postgres.",
        )
    return parts


def _hosts(text: str, ports: str) -> tuple[str | list[str], int | list[int]]:
    names, numbers = [], []
    given = ports.split(",") if ports else []
    for index, entry in enumerate(text.split(",") if text else ["localhost"]):
        host, _, port = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
        names.append(unquote(host).strip("[]"))
        numbers.append(_port(port or (given[min(index, len(given) - 1)] if given else "")))
    return (names[0], numbers[0]) if len(names) == 1 else (names, numbers)


def _has_port(entry: str) -> bool:
    return ":" in entry.rpartition("]")[2]


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isdigit() or not 0 < int(text) <= LAST_PORT:
        raise InvalidInput(f"UNDERCROFT_DATABASE_URL has a port that is none of 1 to {LAST_PORT}.")
    return int(text)


def _parameters(query: dict[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {k: v for k, v in query.items() if k in _PASSED}
    if "sslmode" in query:
        parameters["ssl"] = query["sslmode"]
    if root := query.get("sslrootcert"):
        parameters["ssl"] = _verified(root, query)
    return parameters


def _verified(root: str, query: dict[str, str]) -> Any:
    """A TLS context that checks the server against a given root certificate."""
    import ssl  # noqa: PLC0415 - only where TLS files are named

    context = ssl.create_default_context(cafile=root)
    context.check_hostname = query.get("sslmode", "verify-full") == "verify-full"
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    return context
