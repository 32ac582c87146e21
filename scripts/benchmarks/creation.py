"""A new project, against the bare CREATE DATABASE from the same template."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

from benchmarks.figures import Figure, Judgement, bare, times_bare
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from undercroft.db.queries import quote_ident

JUDGEMENT = Judgement(
    name="create_project",
    meaning="create_project, against CREATE DATABASE … TEMPLATE … STRATEGY wal_log alone",
    unit="ms",
    value_unit="x",
    target=2.0,
    of=times_bare,
    baseline=bare,
)


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Creation of projects."""
    async with scratch_app() as app:
        await ask(app, "create_project", name="first")
        template = quote_ident(await app.started.schemas.template_name())
        number = count()
        async with bare_connection(app, "postgres") as connection:

            async def ours() -> None:
                await ask(app, "create_project", name=f"p{next(number)}")

            async def alone() -> None:
                name = quote_ident(f"bare_{next(number)}")
                await connection.execute(
                    f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log"
                )

            effort.tell("create_project: from the same template")
            sides = {"ours": timed(ours), "bare": timed(alone)}
            yield JUDGEMENT.figure(await interleave(sides, rounds=effort.rounds(25, 5), warm=2))
