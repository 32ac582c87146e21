"""One frozen `Settings`; flags win over the environment, that over the file, that over defaults."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from undercroft.errors import InvalidInput

PREFIX = "UNDERCROFT_"
Transport = Literal["stdio", "http", "sse"]
Level = Literal["debug", "info", "warning", "error"]


def default_home() -> Path:
    """The user's data directory of the platform, for example `~/.local/share/undercroft`."""
    import platformdirs  # noqa: PLC0415 - 50 ms that a server with UNDERCROFT_HOME never needs

    return Path(platformdirs.user_data_dir("undercroft", appauthor=False))


def setting(default: Any, text: str, *, secret: bool = False) -> Any:
    """A field of Settings with its line for the README and `doctor`."""
    return field(default=default, metadata={"help": text, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every switch of the server. Times are seconds, sizes are counts unless named."""

    home: Path = field(
        default_factory=default_home,
        metadata={"help": "Folder of the embedded PostgreSQL, its log and config.toml."},
    )
    database_url: str = setting(
        "", "DSN of an external PostgreSQL; empty: the embedded one.", secret=True
    )
    postgres_bindir: str = setting("", "Folder of PostgreSQL programs to run as the embedded one.")
    registry_database: str = setting("mcp_registry", "Database that lists the projects.")
    environment: str = setting("production", "Which `-- environments:` migrations apply.")
    auto_migrate: bool = setting(True, "Bring databases to this version's schema on first use.")

    project: str = setting("", "Serve only this project.")
    toolsets: str = setting("default", "Toolsets to offer, separated by commas; `all` for all.")
    read_only: bool = setting(False, "Offer only tools that change nothing.")
    actor: str = setting("", "Who acts, in history; empty: the MCP client's name.")
    call_timeout: float = setting(60.0, "Deadline of one tool call.")
    shutdown_timeout: float = setting(10.0, "How long calls may finish when the server ends.")

    transport: Transport = setting("stdio", "stdio, http (streamable) or sse.")
    host: str = setting("127.0.0.1", "Address for http and sse; other than loopback needs a token.")
    port: int = setting(8377, "Port for http and sse.")
    stateless: bool = setting(False, "HTTP without sessions, for several replicas.")
    token: str = setting("", "Bearer token that HTTP clients must send.", secret=True)
    allowed_hosts: str = setting("", "Further Host headers to accept, separated by commas.")
    allowed_origins: str = setting("", "Further Origin headers to accept, separated by commas.")

    log_level: Level = setting("info", "debug, info, warning or error.")
    log_format: Literal["auto", "json", "pretty"] = setting(
        "auto", "json, pretty, or auto: pretty on a terminal."
    )

    pool_budget: int = setting(20, "Connections over all pools of this process.")
    registry_pool_min: int = setting(2, "Registry connections kept open.")
    registry_pool_max: int = setting(10, "Registry connections at most.")
    registry_pool_idle: float = setting(300.0, "Registry connections idle longer are closed.")
    registry_command_timeout: float = setting(60.0, "Deadline of one registry statement.")
    project_pool_min: int = setting(1, "Connections kept open to a project in use.")
    project_pool_max: int = setting(5, "Connections to one project at most.")
    project_pool_idle: float = setting(600.0, "Project connections idle longer are closed.")
    project_command_timeout: float = setting(120.0, "Deadline of one project statement.")
    pool_max_queries: int = setting(50_000, "A connection is replaced after this many statements.")
    acquire_timeout: float = setting(10.0, "How long a call waits for a connection.")

    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where each value that is not a default came from: flag, environment or the file."""


def fields() -> list[dataclasses.Field[Any]]:
    """The settings a person can set, in the order of the documentation."""
    return [f for f in dataclasses.fields(Settings) if f.name != "sources"]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings of this process.

    Raises:
        InvalidInput: A value does not fit its setting, or the file names an unknown one.

    """
    environ = os.environ if environ is None else environ
    given = {k: (v, "flag") for k, v in (flags or {}).items() if v is not None}
    from_env = {
        f.name: (environ[variable(f.name)], variable(f.name))
        for f in fields()
        if environ.get(variable(f.name))
    }
    home = (given | from_env if "home" not in given else given).get("home", (None, ""))[0]
    path = Path(home).expanduser() if home else default_home()
    from_file = {k: (v, "config.toml") for k, v in _read_file(path / "config.toml").items()}
    merged = from_file | from_env | given
    values = {name: _parse(name, raw, origin) for name, (raw, origin) in merged.items()}
    return Settings(**values, sources={name: origin for name, (_, origin) in merged.items()})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("config.toml cannot be read.", hint=str(error)) from error
    known = {f.name for f in fields()}
    if unknown := sorted(set(content) - known):
        raise InvalidInput(
            f"config.toml names an unknown setting: {unknown[0]}.",
            hint="`undercroft doctor` lists the settings.",
        )
    return content


def _parse(name: str, raw: Any, origin: str) -> Any:
    kind = next((f.type for f in fields() if f.name == name), None)
    if kind is None:
        raise InvalidInput(f"There is no setting {name!r}.")
    try:
        value = TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise InvalidInput(f"{origin} does not fit the setting {name}: {reason}.") from None
    return value.expanduser() if isinstance(value, Path) else value
