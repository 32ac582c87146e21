"""How a value goes in that only a person has: they are asked, on a page of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undercroft.errors import Forbidden, InvalidInput, Unavailable
from undercroft.secrets.making import Making
from undercroft.secrets.models import Pending, Secret
from undercroft.secrets.names import check_name, check_text
from undercroft.secrets.page_forms import Inquiry

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.person import Person
    from undercroft.secrets.asking import Asking, Outcome
    from undercroft.secrets.pages import Keep
    from undercroft.secrets.ring import KeyRing

IN_TRANSACTION = 1.0
"""Seconds that a call with an open transaction waits for a person."""


class Asked(Making):
    """Everything that a person is asked for."""

    def __init__(self, database: Database, ring: KeyRing, asking: Asking | None = None) -> None:
        super().__init__(database, ring)
        self._ring = ring
        self._asking = asking

    async def ask(  # noqa: PLR0913 - what is known of a secret
        self,
        name: str,
        person: Person,
        *,
        project: str,
        kind: str = "",
        description: str = "",
        expires_days: int = 0,
    ) -> Secret | Pending:
        """Have a person give the value on a page that only they see, kept as by `set`.

        Raises:
            InvalidInput: The name is not allowed, or nobody can be shown a page.
            NotFound: There is no such kind.
            Forbidden: The person has declined.
            Unavailable: Nobody has answered in time.
            Question: The caller is to bring the person's reply with the same call once more.

        """
        check_name(name)
        check_text(description, "description")
        if kind:
            await self._template(kind)
        # They may answer after the call: what they give has no part in its transaction.
        own = Asked(self.outside, self._ring)

        async def keep(value: str) -> None:
            await own.set(
                name, value, kind=kind, description=description, expires_days=expires_days
            )

        inquiry = Inquiry(name=name, project=project, asker=self._db.actor, note=description)
        outcome = await self._shown(inquiry, keep, person)
        if outcome == "stored":
            return await own.facts(name)
        if outcome == "waiting":
            return Pending(name=name, hint="A person has the page. Call get_secret in a while.")
        raise _refusal(outcome, name)

    async def _shown(self, inquiry: Inquiry, keep: Keep, person: Person) -> Outcome:
        if self._asking is None:
            return "unsupported"
        patience = IN_TRANSACTION if self._db.in_transaction else None
        return await self._asking.ask(inquiry, keep, person, patience=patience)


def _refusal(outcome: Outcome, name: str) -> Forbidden | InvalidInput | Unavailable:
    command = f"`undercroft secret set {name}`"
    if outcome == "declined":
        return Forbidden(
            f"The person does not give {name} now.", hint="Ask them why before you ask once more."
        )
    if outcome == "unsupported":
        return InvalidInput(
            "No value was given.",
            hint=f"Ask the person to run {command} in a terminal of this folder: the value stays "
            "out of the conversation.",
        )
    return Unavailable(
        f"Nobody has given {name} in time.",
        hint=f"Ask the person, then call again; or they run {command} in a terminal.",
    )
