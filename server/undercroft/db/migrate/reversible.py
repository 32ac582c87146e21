"""Proof that every way down undoes its way up, and that the way up can be gone again."""

from undercroft.db.migrate.catalog import Difference, Snapshot, compare, take_snapshot
from undercroft.db.migrate.runner import Migrator


async def assert_reversible(migrator: Migrator, database: str) -> None:
    """Walk an empty database up, down and up again, one migration at a time.

    The catalogs before and after each step back, and after both steps up, must be equal. A
    migration that says it is irreversible is walked up only.

    Raises:
        AssertionError: Names the migration and every object that differs.

    """
    line = migrator.line
    await migrator.up(database, to=0)
    for step in line.migrations:
        before = await _dump(migrator, database)
        await migrator.up(database, to=step.version)
        above = await _dump(migrator, database)
        if step.down.header.irreversible:
            continue
        await migrator.down(database, to=step.version - 1, force=True)
        below = await _dump(migrator, database)
        # The first step up also makes the ledger, which the way down leaves standing.
        _require_equal(_without_ledger(before), _without_ledger(below), f"{step.label} down")
        await migrator.up(database, to=step.version)
        _require_equal(above, await _dump(migrator, database), f"{step.label} up again")


async def _dump(migrator: Migrator, database: str) -> Snapshot:
    async with migrator.connect(database) as connection:
        return await take_snapshot(connection)


def _without_ledger(snapshot: Snapshot) -> Snapshot:
    ledger = "undercroft.migration_history"
    return {
        (kind, name): definition
        for (kind, name), definition in snapshot.items()
        if (kind, name) != ("schema", "undercroft") and not name.startswith(ledger)
    }


def _require_equal(expected: Snapshot, found: Snapshot, what: str) -> None:
    differences: tuple[Difference, ...] = compare(expected, found)
    if differences:
        raise AssertionError(f"{what}: {'; '.join(map(str, differences))}")
