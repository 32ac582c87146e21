from collections.abc import Sequence
from itertools import count
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.codebase.ranking import Candidate, Observer, Ranked, observe, rank, read
from undercroft.codebase.ranking.matching import Matcher, meets, together
from undercroft.codebase.ranking.weights import WEIGHTS, Weights
from undercroft.codebase.words import stem


def candidates(*described: dict) -> list[Candidate]:
    numbers = count(1)
    plain = {"repository": "r", "kind": "function", "symbol": "", "lexical": 1.0, "dense": 0.5}
    return [Candidate(**{"chunk": next(numbers), **plain, **one}) for one in described]


def ranked(query: str, *described: dict | str, limit: int = 10) -> list[Ranked]:
    rows = [one if isinstance(one, dict) else {"path": one} for one in described]
    return rank(observe(read(query), candidates(*rows), {}), limit=limit)


def paths(query: str, *described: dict | str) -> list[str]:
    return [one.candidate.path for one in ranked(query, *described)]


def test_what_is_called_like_the_query_comes_before_what_only_mentions_it() -> None:
    assert paths("WebSocket client", "web.py", "client_ws.py")[0] == "client_ws.py"
    assert paths("JSON object with fields", "JsonReader.java", "JsonObject.java") == [
        "JsonObject.java",
        "JsonReader.java",
    ]
    assert paths("server-sent events", "events_log.kt", "SSE.kt")[0] == "SSE.kt"


def test_a_path_that_is_alike_in_meaning_comes_before_one_that_is_not() -> None:
    query = "cryptographic signatures of messages"
    found = ranked(query, "web/colors.py", "web/hashing.py")
    assert [one.candidate.path for one in found] == ["web/hashing.py", "web/colors.py"]
    assert found[0].parts["path"] > found[1].parts["path"]
    assert "its path is alike in meaning" in found[0].reasons


def test_where_no_path_is_alike_none_counts_in_full() -> None:
    best = ranked("retry policy", "zebra/umbrella.py", "lib/violin.py")[0]
    assert best.parts["path"] < WEIGHTS.path


def test_what_the_project_is_called_says_nothing_of_a_file() -> None:
    deep = "home/signatures/crypto/src/pkg/web/colors.py"
    found = ranked("cryptographic signatures", deep, "src/pkg/web/colors.py")
    assert len({one.parts["path"] for one in found}) == 1


def test_a_method_is_found_by_its_name_with_that_of_its_class() -> None:
    found = ranked(
        "where is the cookie jar saved",
        {"path": "jar.py", "symbol": "DummyCookieJar"},
        {"path": "jar.py", "symbol": "save", "scope": "http.CookieJar"},
        {"path": "jar.py", "symbol": "save", "scope": "http.Session"},
    )
    assert (found[0].candidate.symbol, found[0].candidate.scope) == ("save", "http.CookieJar")
    assert "named like it: http.CookieJar.save" in found[0].reasons


WORDS = ["cookie", "jar", "save", "jars", "form", "ck", "the"]
NAMES = st.lists(st.sampled_from(WORDS), max_size=4)


@given(NAMES, NAMES)
def test_two_names_together_are_compared_as_one(outer: list[str], name: list[str]) -> None:
    matcher = Matcher(read("save the cookie jar form"), {})
    both = matcher["_".join([*outer, *name])]
    found = together(matcher["_".join(outer)], matcher["_".join(name)])
    assert found == pytest.approx((both.said / (both.words or 1), both.asked))


def test_a_module_is_called_by_its_folder() -> None:
    assert paths("routing", "src/handler/mod.rs", "src/routing/mod.rs")[0] == "src/routing/mod.rs"


def test_a_definition_comes_before_its_uses() -> None:
    found = ranked(
        "ClientSession",
        {"path": "b.py", "symbol": "request", "lexical": 1.3},
        {"path": "c.py", "symbol": "client_session", "lexical": 1.0},
        {"path": "a.py", "symbol": "ClientSession", "lexical": 1.0},
    )
    assert [one.candidate.path for one in found] == ["a.py", "c.py", "b.py"]
    assert "defines ClientSession" in found[0].reasons


@pytest.mark.parametrize(
    ("query", "aside"),
    [
        ("parse the header", "tests/test_header.py"),
        ("parse the header", "docs/header.md"),
        ("parse the header", "src/test/java/HeaderTest.java"),
        ("parse the header", "src/win/header.c"),
        ("parse the docker header", "docs/header.c"),
        ("parse the header of a window", "src/win/header.c"),
        ("parse the header", "commonTest/Header.kt"),
        ("parse the header", "src/legacy/header.c"),
    ],
)
def test_tests_documents_and_ports_come_after_the_thing_itself(query, aside) -> None:
    assert paths(query, {"path": aside, "lexical": 1.4}, "src/parser.c")[0] == "src/parser.c"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("test of the header parser", "tests/test_header.py"),
        ("documentation of the header parser", "docs/header.md"),
        ("header parser on windows", "src/windows/header.c"),
        ("header parser in v1", "src/v1/header.ts"),
    ],
)
def test_they_come_first_when_the_query_asks_for_them(query, wanted) -> None:
    rest = wanted.replace("v1", "v2") if "v1" in wanted else "src/other.c"
    assert paths(query, {"path": wanted, "lexical": 1.4}, rest)[0] == wanted


def test_words_that_only_contain_test_are_no_tests() -> None:
    assert ranked("find the newest", {"path": "src/latest.py"})[0].factors == {}


def test_an_older_version_beside_a_newer_one_is_a_variant() -> None:
    assert paths("errors", "zod/v3/errors.ts", "zod/v4/errors.ts")[0] == "zod/v4/errors.ts"
    (only,) = ranked("errors", {"path": "zod/v3/errors.ts"})
    assert "variant" not in only.factors


def test_a_file_of_many_good_chunks_comes_before_one_of_a_single_good_chunk() -> None:
    several = [{"path": "many.py", "lexical": 0.9}] * 4
    assert paths("retry policy", {"path": "one.py"}, *several)[0] == "many.py"


def test_the_first_places_go_to_different_files() -> None:
    found = paths("retry", *[{"path": "retrying.py"}] * 5, "b.py", "c.py", "d.py")
    assert len(set(found[:4])) == 4
    assert found.count("retrying.py") == 5


def test_a_chunk_that_stands_in_two_files_is_found_once() -> None:
    found = ranked("retry", {"path": "a.py", "chunk": 7}, {"path": "retry.py", "chunk": 7})
    assert [one.candidate.path for one in found] == ["retry.py"]


def test_equal_paths_of_two_repositories_are_two_files() -> None:
    found = ranked("retry", {"path": "a.py", "repository": "one"}, {"path": "a.py"})
    assert [one.factors for one in found] == [{}, {}]


def test_words_alone_rank_when_there_are_no_vectors() -> None:
    found = ranked(
        "retry", {"path": "a", "dense": 0.0}, {"path": "b", "dense": 0.0, "lexical": 2.0}
    )
    assert [one.candidate.path for one in found] == ["b", "a"]
    assert found[0].parts["meaning"] == 0


def told(ranked: list[Ranked]) -> list[tuple[int, float, Sequence[str]]]:
    return [(one.candidate.chunk, one.score, one.reasons) for one in ranked]


def test_candidates_may_come_one_after_the_other() -> None:
    query = read("where is the cookie jar saved")
    given = candidates(
        {"path": "src/v1/jar.py", "symbol": "save", "scope": "CookieJar", "dense": 0.2},
        {"path": "src/v2/jar.py", "symbol": "save", "scope": "CookieJar"},
        {"path": "tests/jar.py", "symbol": "test_saving", "lexical": 3.0},
        {"path": "src/v2/jar.py", "symbol": "load", "lexical": 2.0},
    )
    at_once = told(rank(observe(query, given, {}), limit=10))
    for first in range(len(given)):
        observer = Observer(query, {})
        observer.add(given[first:])
        observer.add(given[:first])
        assert told(rank(observer.seen(), limit=10)) == at_once
    assert rank(Observer(query, {}).seen(), limit=10) == []


def test_other_weights_rank_otherwise() -> None:
    query, given = read("retry"), candidates({"path": "retry.py"}, {"path": "b.py", "lexical": 2.0})
    seen = observe(query, given, {})
    words = Weights(name=0.0, path=0.0, meaning=0.0)
    for weights, first in ((WEIGHTS, "retry.py"), (words, "b.py")):
        found = rank(seen, limit=1, weights=weights)
        assert [one.candidate.path for one in found] == [first]


def test_a_score_is_the_sum_of_its_parts_times_its_factors() -> None:
    for one in ranked(
        "retry policy",
        {"path": "tests/retry.py", "symbol": "retry_policy"},
        {"path": "tests/retry.py"},
        {"path": "windows/policy.py"},
    ):
        product = 1.0
        for factor in one.factors.values():
            product *= factor
        assert one.score == pytest.approx(sum(one.parts.values()) * product)


def test_nothing_comes_of_nothing() -> None:
    assert ranked("retry") == []
    assert ranked("retry", {"path": "ж.py", "lexical": 0.0, "dense": -0.2})[0].score == 0
    assert ranked("?!", {"path": "a.py"})[0].score > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("documentation", "doc"),
        ("websocket", "websockets"),
        ("routes", "router"),
        ("validators", "validation"),
        ("ws", "ws"),
    ],
)
def test_shortened_and_related_words_meet(one, other) -> None:
    assert meets(stem(one), stem(other)) > 0


@pytest.mark.parametrize(("one", "other"), [("context", "content"), ("a", "app"), ("in", "index")])
def test_words_that_only_look_alike_do_not(one, other) -> None:
    assert meets(stem(one), stem(other)) == 0


def test_a_query_is_read_for_names_compounds_and_weights() -> None:
    query = read("how absl::StrSplit is used for splitting status codes")
    assert query.identifiers == {"StrSplit"}
    assert query.terms["strsplit"] == 1.0
    assert query.terms["split"] == 1.0
    assert query.terms["stat" if "stat" in query.terms else "status"] < 1
    assert {"statuscode", "statuscodes"} <= query.compounds
    assert read("Router").identifiers == {"Router"}
    assert read("the router").identifiers == set()
    assert read("?").terms == {}


def test_two_hundred_candidates_take_milliseconds() -> None:
    rows = [
        {
            "path": f"src/some/folder{n % 60}/file_name{n % 90}.py",
            "symbol": f"parse_thing{n} Other{n}",
        }
        for n in range(200)
    ]
    query, given = read("how does the parser read names of files"), candidates(*rows)
    rank(observe(query, given, {}), limit=10)
    took = []
    for _ in range(5):
        start = process_time()
        rank(observe(query, given, {}), limit=10)
        took.append(process_time() - start)
    assert min(took) < 0.02
