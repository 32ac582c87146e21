"""From one embedding model to the next: the old vectors answer until the new ones are all there.

    wanted ─▶ target: filled in the background ─▶ its graph is built ─▶ it answers ─▶ the others go

The same steps bring a project its first vectors, follow up what an index run has added, and go on
after a crash: each begins with what the database says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from undercroft.codebase.embedding.faults import ModelFault
from undercroft.codebase.indexing.backfill import Backfill
from undercroft.codebase.indexing.sql import SQL, VECTORS
from undercroft.codebase.indexing.turn import Turn, TurnLost
from undercroft.codebase.indexing.vectors import keep_index
from undercroft.errors import UndercroftError

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.codebase.embedding.model import Model
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.codebase")

SOON = 5.0
"""Seconds until another look, where another process is at work or a fault may pass."""

LATER = 60.0
"""Seconds until another look, where somebody has to mend something first."""

AT_THE_LATEST = 300.0
"""Seconds until another look, however long a provider wants to be left alone."""

REMOVED_AT_ONCE = 20_000
"""Chunks whose surplus vectors one transaction removes."""


async def align(db: Database, models: Models) -> float | None:
    """Bring the vectors in line with the project's choice; seconds until it is worth another try.

    None: all is done.
    """
    choice = await models.chosen(db.name)
    state = await _state(db)
    if choice.model is None:
        await db.execute(VECTORS.note_wait, choice.fault)
        return LATER
    if not state["last_chunk"] or await _is_settled(state, choice.model):
        return None
    turn = await Turn.take(db, state)
    if turn is None:
        return SOON
    return await _work(Succession(turn=turn, model=choice.model))


async def _work(work: Succession) -> float | None:
    """Do it and give the turn back, whatever happens."""
    waits_for, again = "", None
    try:
        async with work.turn.kept():
            await work.do()
    except TurnLost:
        return SOON
    except ModelFault as fault:
        pause = max(fault.pause or 0, SOON if fault.passing else LATER)
        waits_for, again = fault.message, min(pause, AT_THE_LATEST)
        log.info("embedding_waits", database=work.turn.db.name, reason=fault.message)
    finally:
        with suppress(UndercroftError):
            await work.turn.end(waits_for)
    return again


async def _state(db: Database) -> Mapping[str, Any]:
    state = await db.fetch_row(VECTORS.get_vectors)
    assert state is not None  # noqa: S101 - the migration made the row
    return dict(state)


async def _is_settled(state: Mapping[str, Any], model: Model) -> bool:
    return (
        state["answering"] == state["target"]
        and state["filled_to"] >= state["last_chunk"]
        and not state["surplus"]
        and not state["waits_for"]
        and state["target_identity"] == await model.identity()
    )


@dataclass(frozen=True, kw_only=True)
class Succession:
    """One turn's work for the model that is wanted."""

    turn: Turn
    model: Model

    async def do(self) -> None:
        """All steps; raises as `Backfill.do`."""
        db = self.turn.db
        number, dimension = await self._target()
        while (state := await _state(db))["filled_to"] < state["last_chunk"]:
            await Backfill(
                turn=self.turn,
                model=self.model,
                number=number,
                dimension=dimension,
                begun=state["filled_to"],
                last=state["last_chunk"],
            ).do()
        if state["answering"] != number:
            await self._index()
            async with self.turn.writing() as bound:
                await bound.execute(VECTORS.let_target_answer)
            log.info("embedding_model_answers", database=db.name, model=self.model.name)
        await self._remove_surplus()

    async def _target(self) -> tuple[int, int]:
        """The wanted model's number and dimension; from now on it is the target."""
        identity = await self.model.identity()
        row = await self.turn.db.fetch_row(SQL.get_model, identity)
        dimension = row["dimension"] if row else await self.model.dimension()
        async with self.turn.writing() as bound:
            await bound.execute(SQL.add_model, identity, dimension)
            row = await bound.fetch_row(SQL.get_model, identity)
            assert row is not None  # noqa: S101 - it was added
            await bound.execute(VECTORS.reopen_model, row["id"])
            await bound.execute(VECTORS.set_target, row["id"])
        return row["id"], row["dimension"]

    async def _index(self) -> None:
        """Without a graph a search takes longer and finds the same, so a failure stops nothing."""
        try:
            await keep_index(self.turn.db)
        except UndercroftError as error:
            log.warning("vectors_not_indexed", database=self.turn.db.name, error=error.code)

    async def _remove_surplus(self) -> None:
        """Vectors that nobody asks any more, and before them their graph."""
        surplus = await self.turn.db.fetch(VECTORS.list_surplus)
        async with self.turn.writing() as bound:
            for model in surplus:
                await bound.execute(VECTORS.retire_model, model["id"])
        await self._index()
        for model in surplus:
            for low in range(model["cleared_to"], model["last_chunk"], REMOVED_AT_ONCE):
                high = min(low + REMOVED_AT_ONCE, model["last_chunk"])
                async with self.turn.writing() as bound:
                    await bound.execute(VECTORS.delete_vectors, model["id"], low, high)
                    await bound.execute(VECTORS.set_cleared, model["id"], high)
                await asyncio.sleep(0)
