"""A folder becomes an index, and stays one when the folder changes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from undercroft.codebase import lexical, words
from undercroft.codebase.indexing import reading
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.errors import InvalidInput, NotFound

BUDGET = 60.0


async def test_a_folder_becomes_searchable(indexer: Indexer, tree: Path, rows, sound) -> None:
    report = await indexer.index(tree, "splines")
    assert (report.files, report.changed, report.removed) == (31, 31, 0)
    assert report.chunks == report.stored_chunks >= 31
    await sound()
    status = await indexer.status(report.repository)
    assert (status.status, status.name, status.total_files) == ("completed", "splines", 31)
    assert not status.interrupted
    assert status.last_indexed_at is not None
    [chunk] = await rows(
        "SELECT file_path, file_type, content, start_line, end_line, embedding::text"
        " FROM codebase.code_chunks WHERE symbol LIKE '%reticulate_17%'"
    )
    assert chunk["file_path"] == "part2/module_17.py"
    assert chunk["file_type"] == "python"
    assert "def reticulate_17(spline):" in chunk["content"]
    assert len(chunk["embedding"].split(",")) == 256
    [symbol] = await rows("SELECT * FROM codebase.symbols WHERE name = 'reticulate_17'")
    assert (symbol["role"], symbol["lines"]) == ("definition", [4])


async def test_the_stored_postings_find_the_chunk(indexer: Indexer, tree: Path, rows) -> None:
    await indexer.index(tree)
    segments = await rows("SELECT id, first_chunk, lengths FROM codebase.segments ORDER BY id")
    collection = lexical.Collection([(s["first_chunk"], s["lengths"]) for s in segments])
    places = {s["id"]: place for place, s in enumerate(segments)}
    asked = words.asked("reticulate_17")
    postings: dict[str, list[tuple[int, bytes]]] = {}
    for row in await rows("SELECT * FROM codebase.postings"):
        if row["term"] in asked:
            postings.setdefault(row["term"], []).append(
                (places[row["segment_id"]], row["postings"])
            )
    terms = {term: collection.occurrences(of) for term, of in postings.items()}
    scores = collection.score(collection.idf(terms), terms)
    first = int(collection.chunks(lexical.best(scores, 1))[0])
    [chunk] = await rows(f"SELECT content FROM codebase.chunks WHERE id = {first}")
    assert "reticulate_17" in chunk["content"]


async def test_processes_make_the_same_index_as_a_thread(
    project_db, tree: Path, tmp_path: Path, rows, sound
) -> None:
    few = await Indexer(project_db).index(tree)
    text = "SELECT string_agg(content || kind || symbol, '' ORDER BY content) FROM codebase.chunks"
    [by_thread] = await rows(text)
    await Indexer(project_db).remove(few.repository)
    await Indexer(project_db).settled()
    assert not await rows("SELECT FROM codebase.chunks")
    report = await Indexer(project_db, few_files=0, batch_files=5).index(tree)
    assert report.stored_chunks == few.stored_chunks
    assert [by_thread] == await rows(text)
    await sound()


async def test_nothing_changed_writes_nothing(indexer: Indexer, tree: Path, rows) -> None:
    report = await indexer.index(tree)
    [before] = await rows("SELECT xmin::text, generation FROM codebase.repositories")
    fresh = await indexer.refresh(report.repository, BUDGET)
    assert (fresh.changed, fresh.removed, fresh.complete) == (0, 0, True)
    assert [before] == await rows("SELECT xmin::text, generation FROM codebase.repositories")


async def test_a_change_an_addition_and_a_removal_are_noticed(
    indexer: Indexer, tree: Path, rows, sound
) -> None:
    repository = (await indexer.index(tree)).repository
    before = await indexer.status(repository)
    (tree / "part0" / "module_0.py").write_text("def frobnicate():\n    pass\n")
    (tree / "new.py").write_text("def added():\n    pass\n")
    (tree / "part1" / "module_1.py").unlink()
    fresh = await indexer.refresh(repository, BUDGET)
    assert (fresh.changed, fresh.removed, fresh.complete) == (2, 1, True)
    after = await indexer.status(repository)
    assert after.total_files == 31
    assert after.generation > before.generation
    await indexer.settled()
    await sound()
    names = {row["name"] for row in await rows("SELECT name FROM codebase.symbols")}
    assert {"frobnicate", "added"} <= names
    assert not {"reticulate_0", "reticulate_1"} & names


async def test_a_moved_file_costs_a_row(indexer: Indexer, tree: Path) -> None:
    repository = (await indexer.index(tree)).repository
    (tree / "part0" / "module_0.py").rename(tree / "elsewhere.py")
    report = await indexer.index(tree)
    assert (report.repository, report.stored_chunks, report.removed) == (repository, 0, 1)


async def test_a_second_worktree_costs_rows_of_files_alone(
    indexer: Indexer, tree: Path, tmp_path: Path, rows, sound
) -> None:
    first = await indexer.index(tree)
    [before] = await rows("SELECT next_content, next_chunk FROM codebase.counters")
    shutil.copytree(tree, tmp_path / "second")
    second = await indexer.index(tmp_path / "second")
    assert second.repository != first.repository
    assert (second.files, second.chunks, second.stored_chunks) == (31, first.chunks, 0)
    assert [before] == await rows("SELECT next_content, next_chunk FROM codebase.counters")
    assert [row[0] for row in await rows("SELECT count(*) FROM codebase.files")] == [62]
    await sound()


async def test_equal_files_of_one_folder_are_stored_once(
    project_db, tmp_path: Path, rows, sound
) -> None:
    root = tmp_path / "doubles"
    root.mkdir()
    for number in range(40):
        (root / f"f{number}.py").write_text("def same():\n    pass\n")
    report = await Indexer(project_db, few_files=0, batch_files=4).index(root)
    assert (report.files, report.stored_chunks) == (40, 1)
    await sound()


async def test_removing_one_worktree_leaves_the_other(
    indexer: Indexer, tree: Path, tmp_path: Path, rows, sound
) -> None:
    first = await indexer.index(tree)
    shutil.copytree(tree, tmp_path / "second")
    second = await indexer.index(tmp_path / "second")
    assert await indexer.remove(first.repository)
    await indexer.settled()
    await sound()
    assert (await indexer.status(second.repository)).total_files == 31
    assert [row[0] for row in await rows("SELECT count(*) FROM codebase.contents")] == [31]
    assert await indexer.remove(second.repository)
    await indexer.settled()
    for table in ("contents", "chunks", "symbols", "embeddings", "segments", "postings"):
        assert not await rows(f"SELECT FROM codebase.{table}"), table
    assert not await indexer.remove(second.repository)


async def test_a_write_within_the_same_tick_is_noticed(indexer: Indexer, tree: Path, rows) -> None:
    victim = tree / "part0" / "module_0.py"
    ahead = time.time_ns() + 10**12
    os.utime(victim, ns=(ahead, ahead))
    repository = (await indexer.index(tree)).repository
    seen = victim.stat()
    victim.write_text(victim.read_text().replace("reticulate_0", "articulate_0"))
    os.utime(victim, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert victim.stat().st_size == seen.st_size
    fresh = await indexer.refresh(repository, BUDGET)
    assert fresh.complete
    assert await rows("SELECT FROM codebase.symbols WHERE name = 'articulate_0'")


async def test_secrets_are_not_stored(indexer: Indexer, tree: Path, rows) -> None:
    secret = "AKIA" + "QZ3TX5NPW7RBK2MD"
    (tree / "deploy.py").write_text(f'ACCESS_KEY = "{secret}"\n')
    await indexer.index(tree)
    assert (await rows("SELECT sum(masked) FROM codebase.contents"))[0][0] == 1
    for table in ("contents", "chunks", "symbols", "files"):
        assert not await rows(f"SELECT FROM codebase.{table} AS t WHERE t::text ~* '{secret}'")
    assert not await rows(f"SELECT FROM codebase.postings WHERE term ~* '{secret[4:]}'")
    again = await indexer.index(tree)
    assert again.stored_chunks == 0


async def test_what_is_left_out_is_counted_with_its_reason(indexer: Indexer, tree: Path) -> None:
    (tree / "image.bin").write_bytes(bytes(range(256)) * 10)
    (tree / "package-lock.json").write_text("{}\n")
    report = await indexer.index(tree)
    assert report.omitted == {"binary": 1, "lockfile": 1}
    status = await indexer.status(report.repository)
    assert status.omitted["binary"]["examples"] == ["image.bin"]
    again = await indexer.index(tree)
    assert again.omitted == report.omitted


async def test_odd_names_are_kept_apart(indexer: Indexer, tmp_path: Path, rows, aged) -> None:
    root = tmp_path / "odd"
    root.mkdir()
    names = [b"caf\xe9.py", "café.py".encode(), b"new\nline.py", b"quote'\".py", b"caf\xe8.py"]
    for number, name in enumerate(names):
        (root / os.fsdecode(name)).write_text(f"x = {number}\n")
    report = await indexer.index(root)
    assert report.files == len(names) - report.omitted.get("name", 0)
    aged(root)
    await indexer.index(root)
    fresh = await indexer.refresh(report.repository, BUDGET)
    assert (fresh.changed, fresh.removed, fresh.complete) == (0, 0, True)
    paths = [row["path"] for row in await rows("SELECT path FROM codebase.files")]
    on_disk = {os.fsdecode(name) for name in names}
    assert {reading.disk_path(path) for path in paths} <= on_disk


async def test_other_rules_read_everything_anew(indexer: Indexer, tree: Path, project_db) -> None:
    await indexer.index(tree)
    await project_db.execute_text("UPDATE codebase.repositories SET rules = 'older'")
    assert (await indexer.index(tree)).changed == 31
    assert (await indexer.index(tree)).changed == 0


async def test_a_folder_that_is_none_is_refused(indexer: Indexer, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        await indexer.index(tmp_path / "nowhere")
    assert not await indexer.list()


async def test_an_empty_folder_is_an_index(indexer: Indexer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = await indexer.index(tmp_path / "empty")
    assert (report.files, report.chunks) == (0, 0)
    assert (await indexer.status(report.repository)).status == "completed"


async def test_the_lines_around_a_chunk_are_those_of_its_neighbours(
    indexer: Indexer, tmp_path: Path, rows
) -> None:
    root = tmp_path / "around"
    root.mkdir()
    body = "".join(f"    total += {number}  # {'x' * 60}\n" for number in range(12))
    texts = [f"def part_{n}(total):\n{body}    return total\n" for n in range(3)]
    (root / "long.py").write_text("\n".join(texts))
    await indexer.index(root)
    first, second, third = await rows(
        "SELECT symbol, context_before, context_after FROM codebase.code_chunks ORDER BY start_line"
    )
    assert first["context_before"] is None
    assert third["context_after"] is None
    assert second["context_before"].rstrip().endswith("return total")
    assert second["context_after"].startswith("def part_2(total):")


async def test_an_unknown_repository_is_not_found(indexer: Indexer) -> None:
    from uuid import uuid4

    for ask in (indexer.status, indexer.cancel):
        with pytest.raises(NotFound):
            await ask(uuid4())
    with pytest.raises(NotFound):
        await indexer.refresh(uuid4(), 1.0)
