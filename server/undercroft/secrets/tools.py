"""Secrets as tools: an agent names them, and never sees them."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from undercroft.mcp.call import Caller
from undercroft.mcp.toolset import Confidential, Toolset
from undercroft.paging import Page
from undercroft.person import Person
from undercroft.secrets.models import Access, Pending, Rotated, Secret, SecretDetails, Template
from undercroft.secrets.service import Secrets

tools = Toolset("secrets")

Value = Annotated[str, Confidential()]
Days = Annotated[int, Field(ge=0, le=3650)]
Limit = Annotated[int, Field(ge=1, le=200)]


@tools.write
async def store_secret(  # noqa: PLR0913, PLR0917 - what is known of a secret
    secrets: Secrets,
    caller: Caller,
    person: Person,
    name: str,
    value: Value = "",
    kind: str = "",
    description: str = "",
    expires_days: int = 0,
) -> Secret | Pending:
    """Keep a value by name (STRIPE_KEY). Without value: a person gives it unseen."""
    more: Any = {"kind": kind, "description": description, "expires_days": expires_days}
    if value:
        return await secrets.set(name, value, **more)
    return await secrets.ask(name, person, project=caller.project, **more)


@tools.write
async def generate_secret(  # noqa: PLR0913, PLR0917 - how a value is made
    secrets: Secrets,
    name: str,
    kind: str = "token",
    length: int = 0,
    around: str = "",
    description: str = "",
) -> Secret:
    """Make a value unseen: password, token, ssh_key, … around: postgresql://app:{}@host/db."""
    return await secrets.generate(name, kind, length=length, around=around, description=description)


@tools.read
async def list_secrets(
    secrets: Secrets, limit: Limit = 50, cursor: str = "", deleted: bool = False
) -> Page[Secret]:
    """Names and facts. `undercroft run -- CMD` has the values in its environment."""
    return await secrets.page(limit, cursor, deleted=deleted)


@tools.read
async def get_secret(secrets: Secrets, name: str, reveal: bool = False) -> SecretDetails:
    """Facts, masked value. reveal: only while a person allows it."""
    value = await secrets.reveal(name) if reveal else None
    return replace(await secrets.get(name), value=value)


@tools.write
async def rotate_secret(secrets: Secrets, name: str) -> Secret:
    """Make the next value as the last was made."""
    return await secrets.rotate(name)


@tools.write(toolset="secrets_admin", idempotent=True, destructive=True)
async def delete_secret(secrets: Secrets, name: str, version: int = 0) -> None:
    """Put a secret away; restore_secret brings it back. version: only if it still has it."""
    await secrets.delete(name, expected_version=version)


@tools.write(toolset="secrets_admin", idempotent=True)
async def restore_secret(secrets: Secrets, name: str) -> Secret:
    """Bring a deleted secret back."""
    return await secrets.restore(name)


@tools.write(toolset="secrets_admin", idempotent=True)
async def schedule_rotation(secrets: Secrets, name: str, every_days: Days) -> Secret:
    """Have a secret listed as due so many days after each new value; 0 ends that."""
    return await secrets.schedule_rotation(name, every_days)


@tools.read(toolset="secrets_admin")
async def get_secret_access_log(
    secrets: Secrets, name: str = "", limit: Limit = 50, cursor: str = ""
) -> Page[Access]:
    """Show who used, saw or changed secrets, the newest first; of one where it is named."""
    return await secrets.access_log(name, limit, cursor)


@tools.read(toolset="secrets_admin")
async def list_secret_templates(secrets: Secrets) -> list[Template]:
    """List the kinds of secrets: shape, how one is made, expiry."""
    return await secrets.templates()


@tools.write(toolset="secrets_admin")
async def rotate_encryption_key(secrets: Secrets) -> Rotated:
    """Encrypt every value anew under a new data key; one that was cut off goes on."""
    return await secrets.rotate_data_key()
