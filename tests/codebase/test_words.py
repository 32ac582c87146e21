import pytest

from undercroft.codebase.words import asked, parts, singular, terms


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("HTTPServer", ["http", "server"]),
        ("parseHTTPBody", ["parse", "http", "body"]),
        ("flat_hash_map", ["flat", "hash", "map"]),
        ("OAuth2PasswordBearer", ["oauth", "2", "password", "bearer"]),
        ("__init__", ["init"]),
        ("größe_max", ["größe", "max"]),
    ],
)
def test_an_identifier_is_made_of_words(identifier, words) -> None:
    assert parts(identifier) == words


def test_an_identifier_gives_its_parts_and_itself() -> None:
    assert terms("ClientSession") == ["client", "session", "clientsession"]
    assert terms("client_session")[-1] == terms("clientSession")[-1]


@pytest.mark.parametrize(
    "forms",
    [
        ("cache", "caches", "cached", "caching"),
        ("route", "routes", "routing"),
        ("class", "classes"),
        ("policy", "policies"),
        ("stop", "stops", "stopped", "stopping"),
        ("handle", "handled", "handles", "handling"),
        ("call", "called", "calling"),
    ],
)
def test_the_forms_of_a_word_are_one_term(forms) -> None:
    assert len({terms(form)[0] for form in forms}) == 1


@pytest.mark.parametrize("word", ["status", "string", "bus", "process", "alias", "need"])
def test_what_only_looks_like_an_inflection_stays(word) -> None:
    assert terms(word)[0].startswith(word[:4])


def test_what_is_nothing_but_an_ending_stays() -> None:
    assert [singular(word) for word in ("s", "ss", "")] == ["s", "ss", ""]


def test_stop_words_leave_a_query_but_never_empty_it() -> None:
    assert asked("how does the cache work with a cache") == ["cach", "work"]
    assert asked("with") == ["with"]


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    assert terms("全文検索") == ["全文", "文検", "検索"]


def test_encoded_data_is_no_name() -> None:
    assert terms("x" * 100) == []
    assert len(terms("a1b2c3d4e5f6a7b8c9")) == 1
    assert terms("1234567890") == []
