"""One migration on one connection, up or down.

Whatever the manner, the ledger's row comes first in the same transaction as the work it stands for;
its primary key makes a second runner wait and then step back.
"""

from undercroft.db.migrate.files import Migration
from undercroft.db.migrate.ledger import SQL
from undercroft.db.migrate.resume import Claim, run_rest
from undercroft.db.migrate.workplace import Workplace, patiently, refuse_if_overtaken


async def step_up(work: Workplace, migration: Migration) -> bool:
    """Apply one migration; False where another runner has done so meanwhile."""
    header = migration.up.header
    if header.transaction and not header.batches:
        return await patiently(work, lambda: _up_whole(work, migration))
    claim = await _claim(work, migration)
    if claim is None:
        return False
    await run_rest(work, migration, migration.up, claim)
    async with work.transaction():
        await _finish(work, migration)
    return True


async def step_down(work: Workplace, migration: Migration, *, skipped: bool) -> bool:
    """Take one migration back; False where another runner has done so meanwhile."""
    if skipped or migration.down.header.transaction:
        return await patiently(work, lambda: _down_whole(work, migration, skipped=skipped))
    async with work.transaction():
        done = await _take_over(work, migration, "reverting", ("applied", "running", "reverting"))
    if done is None:
        return False
    await run_rest(work, migration, migration.down, Claim(done=done, resumed=True))
    async with work.transaction() as connection:
        return await connection.fetchval(SQL.remove_entry.text, *_key(work, migration)) is not None


async def skip(work: Workplace, migration: Migration) -> bool:
    """Write down that a migration does not belong into this environment."""

    async def attempt() -> bool:
        async with work.transaction():
            return await _begin(work, migration, "skipped")

    return await patiently(work, attempt)


async def _up_whole(work: Workplace, migration: Migration) -> bool:
    async with work.transaction():
        done: int | None = 0
        if not await _begin(work, migration, "running"):
            done = await _take_over(work, migration, "running", ("running",))
        if done is None:
            return False
        for statement in migration.up.statements[done:]:
            await work.run(migration.up, statement)
        await _finish(work, migration)
    return True


async def _down_whole(work: Workplace, migration: Migration, *, skipped: bool) -> bool:
    async with work.transaction() as connection:
        if await connection.fetchval(SQL.remove_entry.text, *_key(work, migration)) is None:
            return False
        for statement in () if skipped else migration.down.statements:
            await work.run(migration.down, statement)
    return True


async def _claim(work: Workplace, migration: Migration) -> Claim | None:
    """Begin, or take over from a runner that was killed; None when it is finished already."""
    async with work.transaction():
        if await _begin(work, migration, "running"):
            return Claim(done=0, resumed=False)
        done = await _take_over(work, migration, "running", ("running",))
        return None if done is None else Claim(done=done, resumed=True)


async def _begin(work: Workplace, migration: Migration, state: str) -> bool:
    what = (migration.name, migration.checksum, state, work.runner)
    begun = await work.connection.fetchval(SQL.begin_entry.text, *_key(work, migration), *what)
    return begun is not None


async def _take_over(
    work: Workplace, migration: Migration, state: str, states: tuple[str, ...]
) -> int | None:
    what = (work.runner, state, states, migration.name, migration.checksum)
    done: int | None = await work.connection.fetchval(
        SQL.take_over_entry.text, *_key(work, migration), *what
    )
    return done


async def _finish(work: Workplace, migration: Migration) -> None:
    ended = await work.connection.fetchval(
        SQL.finish_entry.text, *_key(work, migration), work.runner
    )
    refuse_if_overtaken(work, ended)


def _key(work: Workplace, migration: Migration) -> tuple[str, int]:
    return work.line, migration.version
