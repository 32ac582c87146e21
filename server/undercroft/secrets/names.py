"""What a secret may be called, and what its value may be."""

from __future__ import annotations

import re

from undercroft.errors import InvalidInput, LimitReached

MAX_VALUE = 64 * 1024
"""Bytes of a value."""
MAX_TEXT = 1_000
"""Characters of a description or purpose."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_TAKEN = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TERM|TMPDIR|LANG|TZ|HOSTNAME"
    r"|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|PS[0-4]|PROMPT_COMMAND|CDPATH|GLOBIGNORE|BASH_FUNC_.*"
    r"|ZDOTDIR|EDITOR|VISUAL|PAGER|BROWSER|LESSOPEN|LESSCLOSE|MANPAGER|GCONV_PATH|LOCPATH|NLSPATH"
    r"|LC_.*|LD_.*|DYLD_.*|GLIBC_.*|MALLOC_.*|PYTHON.*|PERL5.*|PERLLIB|RUBY.*|GEM_.*|BUNDLE_GEMFILE"
    r"|NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|NPM_CONFIG_.*|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS"
    r"|_JAVA_OPTIONS|CLASSPATH|DOTNET_STARTUP_HOOKS|PHPRC|PHP_INI_SCAN_DIR|LUA_INIT.*|LUA_C?PATH.*"
    r"|GIT_SSH.*|GIT_.*COMMAND|GIT_ASKPASS|GIT_EDITOR|GIT_PAGER|GIT_EXEC_PATH|GIT_CONFIG.*"
    r"|GIT_TEMPLATE_DIR|GIT_EXTERNAL_DIFF|SSH_ASKPASS.*|SUDO_.*|XDG_.*|OPENSSL_CONF|OPENSSL_MODULES"
    r"|MAKEFLAGS|MFLAGS|GNUMAKEFLAGS|MAKEFILES|CC|CXX|CPP|LD|AR|(C|CPP|CXX|LD|RUST|RUSTDOC|GO)FLAGS"
    r"|CMAKE_.*|PKG_CONFIG.*|GOENV|GOROOT|GOTOOLCHAIN|GOINSECURE|GOSUMDB|GONOSUMDB"
    r"|RUSTC|RUSTC_.*|RUSTDOC|RUSTUP_.*|CARGO_(HOME|BUILD_.*|TARGET_.*)|JAVA_HOME|JAVA_OPTS"
    r"|(MAVEN|GRADLE)_OPTS|MAVEN_ARGS|(PIP|UV)_CONFIG_FILE|PSQLRC|PSQL_(EDITOR|PAGER)|PGSYSCONFDIR"
    r"|PGSERVICEFILE|DOCKER_(HOST|CONFIG|CONTEXT|CERT_PATH)"
    r"|SSL_CERT_.*|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY|UNDERCROFT_.*",
    re.ASCII | re.IGNORECASE,
)
"""Variables that decide what shells, loaders, runtimes and build tools load, run or trust, or that
are the user's own. Other programs have others: no such list is whole.
"""


def check_name(name: str) -> None:
    """Refuse what cannot be the environment variable of a secret.

    The name is not repeated where it is none: some confuse it with the value.

    Raises:
        InvalidInput: It is no name, or one that changes how programs run.

    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A secret's name has 1 to 128 characters out of A-Z, a-z, 0-9 and _, and begins with "
            "no digit.",
            hint="Name it like an environment variable, for example STRIPE_API_KEY.",
        )
    if dangerous(name):
        raise InvalidInput(
            f"{name} changes how programs run, so no secret has that name.",
            hint="Choose another name; a command can pass it on under this one.",
        )


def dangerous(name: str) -> bool:
    """Whether an environment variable of that name changes how a child process runs."""
    return _TAKEN.fullmatch(name) is not None


def check_value(value: str) -> None:
    """Refuse what cannot be a value; no part of it is repeated.

    Raises:
        InvalidInput: It is empty, or no environment can hold it.
        LimitReached: It is too long.

    """
    if not value:
        raise InvalidInput("The value is empty.")
    if "\0" in value:
        raise InvalidInput("The value contains the NUL character, which no environment can hold.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidInput("The value is not Unicode text.") from None
    if size > MAX_VALUE:
        raise LimitReached(f"The value has {size} bytes; {MAX_VALUE} are allowed.")


def check_text(text: str, what: str) -> None:
    """Refuse a description or purpose that is too long.

    Raises:
        LimitReached: It has too many characters.

    """
    if len(text) > MAX_TEXT:
        raise LimitReached(f"The {what} has {len(text)} characters; {MAX_TEXT} are allowed.")
    if "\0" in text:
        raise InvalidInput(f"The {what} contains the NUL character.")
