"""Values go every way, rows are tampered with, keys are rotated by the dying, the log fails."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.scratch import Scratch, scratch
from tortures.secret_audit import FAILURES, audited
from tortures.secret_canaries import Search, canary
from tortures.secret_commands import CommandLine, through_commands
from tortures.secret_places import PLACES, Places, make_talkative, mark
from tortures.secret_rotations import rotated
from tortures.secret_tampering import tampered
from tortures.secret_tools import Told, through_tools
from undercroft.app import App

PROJECT = "leaky"
DATABASE = f"project_{PROJECT}"
SHORT = {"project_command_timeout": 1.0, "registry_command_timeout": 5.0}
"""A log that is locked is given up after a second."""
_REFUSE = """
CREATE FUNCTION vault.refuse_bad() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused: %', NEW USING DETAIL = NEW::text; END $$;
CREATE TRIGGER refuse_bad BEFORE INSERT ON vault.secret_versions
    FOR EACH ROW WHEN (NEW.name LIKE 'BAD%') EXECUTE FUNCTION vault.refuse_bad();
"""


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """No value is where it should not be, no changed row opens, no value leaves unlogged."""
    async with scratch(effort.fault) as place:
        await make_talkative(place)
        async for one in leaks(effort, place):
            yield one
        async with place.app(**SHORT) as app:
            async for one in attacks(effort, place, app):
                yield one


async def attacks(effort: Effort, place: Scratch, app: App) -> AsyncIterator[Invariant]:
    """Rows that are changed, a log that fails, rotations that are cut off."""
    vandal = await tampered(place, app, effort.count(1_500, quick=40))
    done = vandal.done
    meant = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    yield none_of("changed rows that open", vandal.opened, meant)
    yield none_of("odd refusals", vandal.odd, "that do not say what is wrong")
    yield none_of("values lost by it", vandal.lost, "once all was put back")
    yield at_least("changes of rows", done.total(), effort.count(1_000, quick=40), "looked at")
    audit = await audited(place, app, effort.count(4, quick=1))
    yield none_of("values left unlogged", audit.left, f"{audit.tries} tries")
    yield none_of("ways out that stay shut", audit.deaf, "once the log works again")
    yield at_least("failures of the log", len(FAILURES), 10, f"{len(audit.ways)} ways out")
    for kind, rows in (("data", 1_250), ("master", 300)):
        async for one in rotations(effort, place, app, kind, effort.count(rows, quick=4)):
            yield one


async def leaks(effort: Effort, place: Scratch) -> AsyncIterator[Invariant]:
    """Every way of a value, and then the search for all of them."""
    folder = place.home.parent / "searched"
    folder.mkdir()
    tree = place.home.parent / "tree"
    tree.mkdir()
    told = Told(folder=folder)
    places = Places(scratch=place, project=DATABASE, folder=folder)
    async with place.app() as app:
        await (await app.projects("torture")).create(PROJECT)
        await app.secrets(PROJECT)
    await effort.plant(place)
    async with place.asked(DATABASE) as admin:
        await admin.execute(_REFUSE)
    decoys = {name: canary() for name in PLACES}
    values = effort.count(1_000, quick=40)
    async with places.watched():
        await through_tools(place, told, PROJECT, values)
        line = CommandLine(place=place, told=told, project=PROJECT, folder=tree)
        await through_commands(line, effort.count(200, quick=5), part=effort.quick)
        made = await _made(place)
        await mark(places, decoys)
    for one in await searched(places, told, decoys, made, values):
        yield one


async def _made(place: Scratch) -> dict[str, str]:
    """Values that the server has made, and that nobody has seen."""
    async with place.app() as app:
        found = await (await app.secrets(PROJECT)).use(purpose="torture")
    return {f"made {name}": value for name, value in found.items() if name.startswith("G")}


async def searched(
    places: Places, told: Told, decoys: dict[str, str], made: dict[str, str], values: int
) -> list[Invariant]:
    """What was found, where; each place holds a value that was put there on purpose."""
    marks = {f"mark {place}": value for place, value in decoys.items()}
    search = Search(values=told.values | made | marks)
    leaked, blind, size = [], [], 0
    for place, pieces in (await places.contents()).items():
        found: set[str] = set()
        for piece in pieces:
            size += len(piece)
            found |= search.find(piece)
        if f"mark {place}" not in found:
            blind.append(place)
        leaked += [f"{place}: {name}" for name in found if not name.startswith("mark ")]
    return [
        none_of("values found", leaked, f"{len(PLACES)} places, {size / 1e6:.0f} MB"),
        none_of("places not searched", blind, "a value was put into each on purpose"),
        none_of("wrong answers", told.wrong, "defects of ours"),
        at_least("values", len(told.values) + len(made), values, f"{len(made)} made unseen"),
        at_least("answers", told.answers, values // 2, f"{told.refused} of them refusals"),
        at_least("answers that were allowed", told.allowed, 1, "by a person, and none else"),
    ]


async def rotations(
    effort: Effort, place: Scratch, app: App, kind: str, rows: int
) -> AsyncIterator[Invariant]:
    """One kind of rotation."""
    rotation = await rotated(place, app, kind, rows)
    meant = f"{rotation.looks} looks at {rows} values, {rotation.deaths} deaths"
    yield none_of(f"unreadable, {kind} key", rotation.lost, meant)
    yield none_of(f"left by it, {kind} key", rotation.left, "older keys in use, defects")
    floor = effort.count(1_000 if kind == "data" else 200, quick=2)
    yield at_least(f"deaths, {kind} key", rotation.deaths, floor, "with -9, at another row each")
    yield at_least(f"rotations done, {kind} key", rotation.finished, 1, "by who did not die")
