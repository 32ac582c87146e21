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
from undercroft.offers import BUILTIN, EmbeddingOffers

PREFIX = "UNDERCROFT_"
Transport = Literal["stdio", "http", "sse"]
KeyProvider = Literal["auto", "keyring", "file", "environment", "command"]
Level = Literal["debug", "info", "warning", "error"]


def default_home() -> Path:
    """The user's data directory of the platform, for example `~/.local/share/undercroft`."""
    import platformdirs  # noqa: PLC0415 - 50 ms that a server with UNDERCROFT_HOME never needs

    return Path(platformdirs.user_data_dir("undercroft", appauthor=False))


def default_key_folder() -> Path:
    """Beside the data directory and never inside it, for example `~/.config/undercroft-keys`."""
    import platformdirs  # noqa: PLC0415 - as above

    return Path(platformdirs.user_config_dir("undercroft-keys", appauthor=False))


def setting(text: str, *, default: Any, secret: bool = False, at_least: float = 0) -> Any:
    """A field of Settings with its line for the README and `doctor`."""
    return field(default=default, metadata={"help": text, "secret": secret, "at_least": at_least})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every switch of the server. Times are seconds, sizes are counts unless named."""

    home: Path = field(
        default_factory=default_home,
        metadata={"help": "Folder of the embedded PostgreSQL, its log and config.toml."},
    )
    database_url: str = setting(
        "DSN of an external PostgreSQL; empty: the embedded one.", default="", secret=True
    )
    postgres_bindir: str = setting(
        "Folder of PostgreSQL programs to run as the embedded one.", default=""
    )
    registry_database: str = setting("Database that lists the projects.", default="mcp_registry")
    environment: str = setting("Which `-- environments:` migrations apply.", default="production")
    auto_migrate: bool = setting(
        "Bring databases to this version's schema on first use.", default=True
    )

    project: str = setting("Serve only this project.", default="")
    toolsets: str = setting(
        "Toolsets to offer, separated by commas; `all` for all.", default="default"
    )
    read_only: bool = setting("Offer only tools that change nothing.", default=False)
    actor: str = setting("Who acts, in history; empty: the MCP client's name.", default="")
    call_timeout: float = setting("Deadline of one tool call.", default=60.0)
    shutdown_timeout: float = setting(
        "How long calls may finish when the server ends.", default=10.0
    )

    transport: Transport = setting("stdio, http (streamable) or sse.", default="stdio")
    host: str = setting(
        "Address for http and sse; other than loopback needs a token.", default="127.0.0.1"
    )
    port: int = setting("Port for http and sse.", default=8377)
    stateless: bool = setting("HTTP without sessions, for several replicas.", default=False)
    token: str = setting("Bearer token that HTTP clients must send.", default="", secret=True)
    allowed_hosts: str = setting("Further Host headers to accept, separated by commas.", default="")
    allowed_origins: str = setting(
        "Further Origin headers to accept, separated by commas.", default=""
    )

    index_roots: str = setting(
        "Folders that may be indexed, separated by commas; empty: over stdio any, else none.",
        default="",
    )
    embedding: str = setting("Embedding model of projects that choose none.", default=BUILTIN)
    embedding_models: EmbeddingOffers = setting(
        "Further embedding models that a project may choose, by name: a table or JSON.", default=()
    )
    embedding_key: str = setting(
        "Key for the embedding models that name this variable as theirs.", default="", secret=True
    )

    machine: str = setting(
        "Identity of this machine in the list of ports; empty: the system's own.", default=""
    )

    key_provider: KeyProvider = setting(
        "Where the key that protects secrets is kept: keyring, file, environment, command; "
        "auto: the system's keyring where there is one, else a file.",
        default="auto",
    )
    key_folder: Path = field(
        default_factory=default_key_folder,
        metadata={"help": "Folder of the files of such keys; never in a backup of the database."},
    )
    key_command: str = setting(
        "Program that prints such keys in base64, the current one first.", default=""
    )

    log_level: Level = setting("debug, info, warning or error.", default="info")
    log_format: Literal["auto", "json", "pretty"] = setting(
        "json, pretty, or auto: pretty on a terminal.", default="auto"
    )

    pool_budget: int = setting(
        "Connections over all pools of this process.", default=20, at_least=8
    )
    registry_pool_min: int = setting("Registry connections kept open.", default=2)
    registry_pool_max: int = setting("Registry connections at most.", default=10, at_least=3)
    registry_pool_idle: float = setting(
        "Registry connections idle longer are closed.", default=300.0
    )
    registry_command_timeout: float = setting("Deadline of one registry statement.", default=60.0)
    project_pool_min: int = setting("Connections kept open to a project in use.", default=1)
    project_pool_max: int = setting("Connections to one project at most.", default=5, at_least=2)
    project_pool_idle: float = setting("Project connections idle longer are closed.", default=600.0)
    project_command_timeout: float = setting("Deadline of one project statement.", default=120.0)
    pool_max_queries: int = setting(
        "A connection is replaced after this many statements.", default=50_000
    )
    acquire_timeout: float = setting("How long a call waits for a connection.", default=10.0)

    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where each value that is not a default came from: flag, environment or the file."""


def fields() -> list[dataclasses.Field[Any]]:
    """The settings a person can set, in the order of the documentation."""
    return [f for f in dataclasses.fields(Settings) if f.name != "sources"]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def own_keys() -> frozenset[str]:
    """Variables that open what this program keeps; no program that it starts needs them.

    UNDERCROFT_KEY and UNDERCROFT_OLD_KEYS are no settings: nothing but the environment has them.
    """
    named = {variable(f.name) for f in fields() if f.metadata.get("secret")}
    return frozenset({"UNDERCROFT_KEY", "UNDERCROFT_OLD_KEYS"} | named)


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
    chosen = next((f for f in fields() if f.name == name), None)
    if chosen is None:
        raise InvalidInput(f"There is no setting {name!r}.")
    kind: Any = chosen.type
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        value = adapter.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"] if isinstance(part, str))
        reason = f"{where}{first['msg'].removeprefix('Value error, ')}"
        raise InvalidInput(f"{origin} does not fit the setting {name}: {reason}.") from None
    lowest = chosen.metadata.get("at_least", 0)
    if kind in (int, float) and value < lowest:
        raise InvalidInput(f"{origin} is too low for the setting {name}: at least {lowest}.")
    return value.expanduser() if isinstance(value, Path) else value
