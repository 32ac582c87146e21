import pytest

from undercroft.db.migrate.reversible import assert_reversible
from undercroft.db.migrate.verify import SchemaManager, verify
from undercroft.errors import Forbidden

GARDEN = """
CREATE SCHEMA garden;
CREATE TYPE garden.season AS ENUM ('spring', 'autumn');
CREATE TABLE garden.beds (id int PRIMARY KEY, area int NOT NULL DEFAULT 1, sown garden.season);
CREATE TABLE garden.plants (
    id bigint GENERATED ALWAYS AS IDENTITY, name text, bed int,
    CONSTRAINT in_bed FOREIGN KEY (bed) REFERENCES garden.beds, CONSTRAINT named CHECK (name <> '')
);
CREATE INDEX by_name ON garden.plants (name);
CREATE FUNCTION garden.grow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER growing BEFORE UPDATE ON garden.plants FOR EACH ROW EXECUTE FUNCTION garden.grow();
CREATE VIEW garden.names AS SELECT name FROM garden.plants;
GRANT SELECT ON garden.plants TO PUBLIC;
"""
FILES = {"_0001_garden": GARDEN, "_0001_garden_down": "DROP SCHEMA garden CASCADE;"}


async def test_an_untouched_database_is_valid(bench) -> None:
    migrator = bench.migrator(bench.line(**FILES))
    await migrator.up(bench.database)
    found = await verify(migrator, bench.database)
    assert found.valid, found.differences
    assert await bench.value("SELECT count(*) FROM pg_database WHERE datname ~ '_verify_'") == 0


@pytest.mark.parametrize(
    ("damage", "what", "name", "part"),
    [
        ("DROP TABLE plants CASCADE", "missing_tables", "garden.plants", ""),
        ("CREATE TABLE weeds ()", "extra_tables", "garden.weeds", ""),
        ("CREATE UNLOGGED TABLE public.weeds ()", "extra_tables", "public.weeds", ""),
        ("ALTER TABLE plants SET UNLOGGED", "changed_tables", "garden.plants", "persistence"),
        ("ALTER TABLE beds DROP area", "missing_columns", "garden.beds.area", ""),
        ("ALTER TABLE beds ADD x int", "extra_columns", "garden.beds.x", ""),
        ("ALTER TABLE beds ALTER area TYPE bigint", "changed_columns", "garden.beds.area", "type"),
        (
            "ALTER TABLE beds ALTER area DROP NOT NULL",
            "changed_columns", "garden.beds.area", "not_null",
        ),
        (
            "ALTER TABLE beds ALTER area SET DEFAULT 2",
            "changed_columns", "garden.beds.area", "default",
        ),
        ("DROP INDEX by_name", "missing_indexes", "garden.by_name", ""),
        ("CREATE INDEX more ON plants (bed)", "extra_indexes", "garden.more", ""),
        (
            "DROP INDEX by_name; CREATE INDEX by_name ON plants (bed)",
            "changed_indexes", "garden.by_name", "definition",
        ),
        (
            "ALTER TABLE plants DROP CONSTRAINT named",
            "missing_constraints", "garden.plants.named", "",
        ),
        (
            "ALTER TABLE beds ADD CONSTRAINT big CHECK (area > 0)",
            "extra_constraints", "garden.beds.big", "",
        ),
        (
            ("ALTER TABLE plants DROP CONSTRAINT named; ALTER TABLE plants ADD CONSTRAINT "
            "named CHECK (name <> 'x') NOT VALID"),
            "changed_constraints", "garden.plants.named", "validated",
        ),
        (
            ("CREATE OR REPLACE FUNCTION grow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
            "RETURN OLD; END$$"),
            "changed_functions", "garden.grow()", "definition",
        ),
        (
            "CREATE FUNCTION wilt(int) RETURNS int LANGUAGE sql RETURN 1",
            "extra_functions", "garden.wilt(integer)", "",
        ),
        ("DROP FUNCTION grow() CASCADE", "missing_triggers", "garden.plants.growing", ""),
        (
            "ALTER TABLE plants DISABLE TRIGGER growing",
            "changed_triggers", "garden.plants.growing", "enabled",
        ),
        (
            "CREATE OR REPLACE VIEW names AS SELECT upper(name) AS name FROM plants",
            "changed_views", "garden.names", "query",
        ),
        ("DROP VIEW names", "missing_views", "garden.names", ""),
        ("REVOKE SELECT ON plants FROM PUBLIC", "changed_tables", "garden.plants", "grants"),
        ("ALTER TABLE beds OWNER TO pg_monitor", "changed_tables", "garden.beds", "owner"),
        (
            "ALTER TABLE beds ENABLE ROW LEVEL SECURITY",
            "changed_tables", "garden.beds", "row_security",
        ),
        ("ALTER TYPE season ADD VALUE 'summer'", "changed_types", "garden.season", "labels"),
        ("CREATE POLICY p ON beds USING (true)", "extra_policies", "garden.beds.p", ""),
        ("CREATE SCHEMA shed", "extra_schemas", "shed", ""),
        ("CREATE SEQUENCE s", "extra_sequences", "garden.s", ""),
        ("CREATE EXTENSION citext", "extra_extensions", "citext", ""),
    ],
)  # fmt: skip
async def test_every_damage_is_named(bench, damage: str, what: str, name: str, part: str) -> None:
    manager = SchemaManager(migrator=bench.migrator(bench.line(**FILES)), database=bench.database)
    await manager.migrator.up(bench.database)
    async with bench.postgres.session(bench.database) as connection:
        await connection.execute("SET search_path = garden")
        await connection.execute(damage)
    found = await manager.validate_schema()
    assert not found["valid"]
    assert name in found[what]
    if part:
        difference = next(d for d in found["differences"] if d["name"] == name)
        assert part in difference["expected"]


async def test_only_the_damage_is_named(bench) -> None:
    migrator = bench.migrator(bench.line(**FILES))
    await migrator.up(bench.database)
    await bench.fetch("ALTER TABLE garden.beds ALTER area SET DEFAULT 2")
    found = await verify(migrator, bench.database)
    assert [str(d) for d in found.differences] == ["changed column garden.beds.area (default)"]


async def test_an_empty_database_misses_everything_and_can_be_filled(bench) -> None:
    manager = SchemaManager(migrator=bench.migrator(bench.line(**FILES)), database=bench.database)
    found = await manager.validate_schema()
    assert not found["valid"]
    assert "garden.plants" in found["missing_tables"]
    assert found["pending"] == ["0001_garden"]
    assert (await manager.create_missing())["valid"]


async def test_indexes_that_features_build_at_run_time_are_left_alone(bench) -> None:
    migrator = bench.migrator(bench.line(**FILES))
    await migrator.up(bench.database)
    await bench.fetch("CREATE INDEX entity_x_due ON garden.plants (lower(name))")
    assert (await verify(migrator, bench.database)).valid


async def test_a_login_that_may_create_no_database_is_told_so(bench, postgres) -> None:
    migrator = bench.migrator(bench.line(**FILES))
    await migrator.up(bench.database)
    await bench.fetch(
        "DO $$BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN END$$"
    )
    plain = type(migrator)(lambda name: postgres.session(name, "plain"), migrator.line)
    with pytest.raises(Forbidden, match="scratch database"):
        await verify(plain, bench.database)


async def test_a_faithful_way_back_passes(bench) -> None:
    files = FILES | {
        "_0002_more": "ALTER TABLE garden.beds ADD soil text;",
        "_0002_more_down": "ALTER TABLE garden.beds DROP soil;",
    }
    await assert_reversible(bench.migrator(bench.line(**files)), bench.database)


async def test_a_way_back_that_forgets_something_is_caught(bench) -> None:
    files = FILES | {
        "_0002_more": "ALTER TABLE garden.beds ADD soil text; CREATE VIEW soils AS SELECT 1;",
        "_0002_more_down": "ALTER TABLE garden.beds DROP soil;",
    }
    with pytest.raises(AssertionError, match=r"0002_more down: .*extra view public.soils"):
        await assert_reversible(bench.migrator(bench.line(**files)), bench.database)


async def test_a_way_back_that_damages_what_stood_before_is_caught(bench) -> None:
    files = FILES | {
        "_0002_more": "CREATE INDEX more ON garden.plants (bed);",
        "_0002_more_down": "DROP INDEX garden.more; DROP INDEX garden.by_name;",
    }
    with pytest.raises(AssertionError, match=r"missing index garden.by_name"):
        await assert_reversible(bench.migrator(bench.line(**files)), bench.database)
