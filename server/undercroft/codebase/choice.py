"""Which embedding model a project has: one that the operator offers, chosen by its name.

    operator   settings `embedding_models`, `embedding`   name → URL, model, key's variable
    project    settings {"embedding": "nomic"}            the name alone

So no setting of a project can send code or a key to an address, or make the server ask one: agents
may change a project's settings (see `offers`). A name that is not offered chooses nothing. It does
not fall back to the default, or a word misspelt would have everything embedded anew and the old
vectors removed; what is stored goes on answering if its model is still offered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undercroft.errors import UndercroftError
from undercroft.offers import BUILTIN, EmbeddingOffer
from undercroft.settings import variable

if TYPE_CHECKING:
    from undercroft.codebase.embedding.model import Model
    from undercroft.settings import Settings

SETTING = "embedding"
"""What a project's settings call the choice."""

REMEMBER = 5.0
"""Seconds for which a project's choice is remembered; every search asks for it."""

ReadSettings = Callable[[str], Awaitable[Mapping[str, Any]]]
"""The settings of the project that has this database."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A project's model; None, and why."""

    model: Model | None = None
    fault: str = ""


class Models:
    """The models of this server, each made on first use and shared by all projects."""

    def __init__(
        self,
        offers: Sequence[EmbeddingOffer] = (),
        default: str = BUILTIN,
        *,
        read: ReadSettings | None = None,
        key: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._offers = {offer.name: offer for offer in offers}
        self._default = default
        self._read = read
        self._key = key
        self._made: dict[str, Model] = {}
        self._known: dict[str, tuple[float, Any]] = {}

    @classmethod
    def of(cls, settings: Settings, read: ReadSettings | None = None) -> Models:
        """What the settings offer."""
        own = variable("embedding_key")

        def key(name: str) -> str:
            return settings.embedding_key if name == own else os.environ.get(name, "")

        return cls(settings.embedding_models, settings.embedding, read=read, key=key)

    async def chosen(self, database: str) -> Choice:
        """The model of the project with this database."""
        try:
            name = await self._name(database)
        except UndercroftError as error:
            return Choice(fault=f"The project's settings cannot be read: {error.message}")
        if name == BUILTIN or name in self._offers:
            return Choice(model=self.named(name))
        shown = repr(name)[:60]
        offered = ", ".join([BUILTIN, *self._offers])
        return Choice(fault=f"This server offers no embedding model {shown}, but: {offered}.")

    async def _name(self, database: str) -> Any:
        until, name = self._known.get(database, (0.0, None))
        if time.monotonic() >= until:
            settings = await self._read(database) if self._read else {}
            name = settings.get(SETTING, self._default)
            self._known[database] = time.monotonic() + REMEMBER, name
        return name if isinstance(name, str) else str(name)

    def forget(self) -> None:
        """Read each project's choice anew on its next use."""
        self._known.clear()

    def named(self, name: str) -> Model:
        """The model of that name, which is offered."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Model:
        # Loaded on first use: numpy, and what a provider needs.
        if name == BUILTIN:
            from undercroft.codebase.embedding.local import BuiltIn  # noqa: PLC0415

            return BuiltIn()
        offer = self._offers[name]
        if offer.provider == "sentence-transformers":
            from undercroft.codebase.embedding.transformer import Transformer  # noqa: PLC0415

            return Transformer(offer)
        from undercroft.codebase.embedding.endpoint import Endpoint  # noqa: PLC0415

        return Endpoint(offer, self._key(offer.key) if offer.key else "")

    async def that_made(self, identity: str) -> Model | None:
        """The model with this identity, if it is still offered."""
        for offer in self._offers.values():
            if identity.startswith(f"{offer.label}/"):
                model = self.named(offer.name)
                if await model.identity() == identity:
                    return model
        builtin = self.named(BUILTIN)
        return builtin if await builtin.identity() == identity else None

    async def close(self) -> None:
        """Give back what the models hold."""
        made, self._made = list(self._made.values()), {}
        for model in made:
            await model.close()
