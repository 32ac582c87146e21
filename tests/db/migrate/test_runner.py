import pytest

from undercroft.db.migrate.failure import MigrationFailed
from undercroft.errors import Conflict, Forbidden, InvalidInput

ROSES = "CREATE TABLE roses (id int PRIMARY KEY, colour text);"
TULIPS = "CREATE TABLE tulips (id int PRIMARY KEY);"
LINE = {
    "_0001_roses": ROSES,
    "_0001_roses_down": "DROP TABLE roses;",
    "_0002_tulips": TULIPS,
    "_0002_tulips_down": "DROP TABLE tulips;",
}
TABLES = (
    "SELECT array_agg(relname ORDER BY relname)::text[] FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


async def test_up_applies_everything_once_and_down_takes_it_back(bench) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    first = await migrator.up(bench.database)
    again = await migrator.up(bench.database)
    assert (first.steps, again.steps) == (("0001_roses", "0002_tulips"), ())
    assert await bench.value(TABLES) == ["roses", "tulips"]
    taken = await migrator.down(bench.database, to=0, force=True)
    assert taken.steps == ("0002_tulips", "0001_roses")
    assert await bench.value(TABLES) is None


async def test_up_and_down_stop_at_the_version_asked_for(bench) -> None:
    migrator = bench.migrator(bench.line(**LINE), environment="test")
    assert (await migrator.up(bench.database, to=1)).steps == ("0001_roses",)
    assert (await migrator.up(bench.database)).steps == ("0002_tulips",)
    assert (await migrator.down(bench.database)).steps == ("0002_tulips",)
    assert (await migrator.status(bench.database)).version == 1


async def test_a_dry_run_tells_and_changes_nothing(bench) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    assert (await migrator.up(bench.database, dry_run=True)).steps == ("0001_roses", "0002_tulips")
    assert await bench.value("SELECT to_regnamespace('undercroft') IS NULL")


@pytest.mark.parametrize("target", [-1, 3])
async def test_a_version_that_does_not_exist_is_refused(bench, target: int) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    with pytest.raises(InvalidInput, match="has no version"):
        await migrator.up(bench.database, to=target)


async def test_up_never_goes_backwards(bench) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    await migrator.up(bench.database)
    with pytest.raises(InvalidInput, match="stands at 0002"):
        await migrator.up(bench.database, to=1)


async def test_a_failing_statement_leaves_its_migration_undone_and_says_where(bench) -> None:
    broken = "CREATE TABLE lilies (id int);\n\nINSERT INTO lilies VALUES ('SECRET');"
    migrator = bench.migrator(bench.line(_0001_roses=ROSES, _0002_lilies=broken))
    with pytest.raises(MigrationFailed) as failed:
        await migrator.up(bench.database)
    assert failed.value.explain().startswith("0002_lilies.up.sql:3: ")
    assert failed.value.sqlstate == "22P02"
    assert not failed.value.retryable
    assert "SECRET" not in str(failed.value.as_dict())
    assert await bench.value(TABLES) == ["roses"]
    assert (await migrator.status(bench.database)).version == 1


async def test_an_edited_file_is_refused_with_what_to_do(bench) -> None:
    await bench.migrator(bench.line(**LINE)).up(bench.database)
    edited = bench.migrator(bench.line(**LINE | {"_0001_roses": ROSES + " -- more"}))
    with pytest.raises(Conflict, match="0001_roses was changed after") as refused:
        await edited.up(bench.database)
    assert "new migration" in refused.value.hint
    assert (await edited.status(bench.database)).state == "drift"


async def test_a_database_newer_than_the_code_is_refused_with_what_to_do(bench) -> None:
    await bench.migrator(bench.line(**LINE)).up(bench.database)
    older = bench.migrator(bench.line("shed", _0001_roses=ROSES))
    await bench.fetch("UPDATE undercroft.migration_history SET line = 'shed'")
    for attempt in (older.up, older.down):
        with pytest.raises(Conflict, match="newer than this Undercroft") as refused:
            await attempt(bench.database)
        assert "migrate down --line shed --to 1" in refused.value.hint


async def test_the_question_at_start_up_is_one_statement(bench, postgres) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    asked: list[str] = []
    async with postgres.session(bench.database) as connection:
        connection.add_query_logger(lambda record: asked.append(record.query))
        assert not await migrator.is_current(connection, bench.database)
        await migrator.up(bench.database)
        assert await migrator.is_current(connection, bench.database)
    assert len(asked) == 2


async def test_way_back_in_production_must_be_forced(bench) -> None:
    migrator = bench.migrator(bench.line(**LINE))
    await migrator.up(bench.database)
    with pytest.raises(Forbidden, match="production"):
        await migrator.down(bench.database)


async def test_an_irreversible_migration_stops_the_way_back_before_anything_is_lost(bench) -> None:
    files = LINE | {"_0001_roses_down": "-- irreversible: the roses were burnt\n"}
    migrator = bench.migrator(bench.line(**files))
    await migrator.up(bench.database)
    with pytest.raises(Conflict, match="cannot be taken back: the roses were burnt"):
        await migrator.down(bench.database, to=0, force=True)
    assert await bench.value(TABLES) == ["roses", "tulips"]


async def test_a_migration_of_another_environment_is_skipped_and_remembered(bench) -> None:
    files = LINE | {"_0002_tulips": "-- environments: development, test\n" + TULIPS}
    line = bench.line(**files)
    production = bench.migrator(line)
    assert (await production.up(bench.database)).steps == ("0001_roses",)
    assert await bench.value(TABLES) == ["roses"]
    status = await production.status(bench.database)
    assert (status.state, status.version) == ("current", 2)
    assert (await production.down(bench.database, to=0, force=True)).steps[0] == "0002_tulips"
    assert (await bench.migrator(line, environment="test").up(bench.database)).steps == (
        "0001_roses",
        "0002_tulips",
    )


async def test_a_requirement_on_another_line_is_asked_for(bench) -> None:
    line = bench.line(_0001_roses="-- requires: soil/0003\n" + ROSES)
    have: list[int] = []

    async def applied(name: str) -> list[int]:
        assert name == "soil"
        return have

    migrator = bench.migrator(line, applied_elsewhere=applied)
    with pytest.raises(Conflict, match="0001_roses requires soil/0003"):
        await migrator.up(bench.database)
    have.append(3)
    assert (await migrator.up(bench.database)).steps == ("0001_roses",)


async def test_a_requirement_that_this_environment_skips_is_not_met(bench) -> None:
    line = bench.line(
        _0001_roses="-- environments: test\n" + ROSES, _0002_tulips="-- requires: 0001\n" + TULIPS
    )
    with pytest.raises(Conflict, match="requires garden/0001"):
        await bench.migrator(line).up(bench.database)


async def test_batches_run_in_transactions_of_their_own_until_nothing_is_left(bench) -> None:
    line = bench.line(
        _0001_roses=ROSES + "INSERT INTO roses SELECT n FROM generate_series(1, 25) n;",
        _0002_paint=(
            "-- data: batches\nUPDATE roses SET colour = txid_current()::text WHERE id IN "
            "(SELECT id FROM roses WHERE colour IS NULL ORDER BY id LIMIT 10);"
        ),
    )
    await bench.migrator(line).up(bench.database)
    counts = await bench.fetch("SELECT count(*) FROM roses GROUP BY colour ORDER BY 1 DESC")
    assert [row[0] for row in counts] == [10, 10, 5]


async def test_everything_belongs_to_the_owner_and_the_application_gets_its_grants(
    bench, postgres
) -> None:
    await bench.fetch("DO $$BEGIN CREATE ROLE keeper; EXCEPTION WHEN duplicate_object THEN END$$")
    await bench.fetch(
        'DO $$BEGIN CREATE ROLE "a\'pp" LOGIN; EXCEPTION WHEN duplicate_object THEN END$$'
    )
    await bench.fetch(
        "DO $$BEGIN CREATE ROLE login LOGIN; GRANT keeper TO login WITH INHERIT FALSE;"
        "EXCEPTION WHEN duplicate_object THEN END$$"
    )
    await bench.fetch("GRANT CREATE ON SCHEMA public TO keeper")
    await bench.fetch(f"GRANT CREATE ON DATABASE {bench.database} TO keeper")
    line = bench.line(
        _0001_roses=ROSES + "GRANT SELECT ON roses TO :app;",
        _0002_index="-- no transaction\nCREATE INDEX CONCURRENTLY by_colour ON roses (colour);",
    )
    migrator = bench.migrator(line, owner_role="keeper", app_role="a'pp")
    login = migrator.__class__(
        lambda database: postgres.session(database, "login"),
        line, owner_role="keeper", app_role="a'pp", patience=migrator.patience,
    )  # fmt: skip
    assert len((await login.up(bench.database)).steps) == 2
    owners = await bench.fetch(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'undercroft')"
    )
    assert [row[0] for row in owners] == ["keeper"]
    async with postgres.session(bench.database, "a'pp") as connection:
        assert await login.is_current(connection, bench.database)
        assert await connection.fetch("SELECT * FROM roses") == []
