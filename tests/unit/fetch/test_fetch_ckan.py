"""What a CKAN portal holds, by file and by the datastore's pages; and to whom the credentials go."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from owner_server import Asked, Owner, Reply, reply

from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, Held, Order, fetch

FEED = "komdigi__kewajiban"
MakeOrder = Callable[..., Order]


@dataclass
class Portal:
    """A portal with one resource in its datastore; a test bends what it needs."""

    records: list[dict[str, Any]] = field(
        default_factory=lambda: [{"_id": n + 1, "kode_desa": f"{n}"} for n in range(5)]
    )
    resource: dict[str, Any] = field(
        default_factory=lambda: {
            "id": "r1", "name": "kewajiban-operator-2026-08", "datastore_active": True,
            "last_modified": "2026-09-08T01:00:00",
        }
    )  # fmt: skip
    before: Callable[["Portal", Asked], None] = lambda *_: None

    def __call__(self, asked: Asked) -> Reply:
        self.before(self, asked)
        if asked.path.endswith("package_show"):
            older = {**self.resource, "id": "r0", "last_modified": "2026-09-01T01:00:00"}
            return reply({"success": True, "result": {"resources": [self.resource, older]}})
        assert asked.query["resource_id"] == self.resource["id"]
        begin = int(asked.query["offset"])
        records = self.records[begin : begin + int(asked.query["limit"])]
        return reply({"result": {"records": records, "total": len(self.records)}})


@pytest.fixture
def portal(owner: Owner) -> Portal:
    owner.answer = Portal()
    return owner.answer


@pytest.fixture
def pull(owner: Owner, order: MakeOrder) -> Callable[[], Fetched | None]:
    return lambda: fetch(order(FEED, owner.connection(login="u:p"), page_rows=2))


def test_all_rows_of_the_newest_resource(owner: Owner, portal: Portal, pull: Callable[[], Fetched]) -> None:
    got = pull()
    pages = [json.loads(f.path.read_bytes())["result"]["records"] for f in got.files]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [record for page in pages for record in page] == portal.records
    assert [asked.query.get("offset") for asked in owner.asked] == [None, "0", "2", "4", None]
    assert got.sender == "ckan kewajiban-operator/kewajiban-operator-2026-08"


def test_the_portals_own_keys_are_no_content(portal: Portal, pull: Callable[[], Fetched]) -> None:
    first = pull()
    portal.records = [{**record, "_id": record["_id"] + 100} for record in portal.records]
    assert pull().content_hash == first.content_hash


def test_rows_that_are_not_loaded_yet_are_not_there_yet(
    portal: Portal, pull: Callable[[], Fetched | None]
) -> None:
    portal.resource["datastore_active"] = False
    assert pull() is None
    portal.resource["name"] = "another"
    assert pull() is None


def drop(portal: Portal, asked: Asked) -> None:
    if asked.query.get("offset") == "2":
        portal.records = portal.records[:4]


def replace(portal: Portal, asked: Asked) -> None:
    if asked.query.get("offset") == "4":
        portal.resource = {**portal.resource, "last_modified": "2026-10-01T01:00:00"}


@pytest.mark.parametrize(
    ("change", "message"),
    [(drop, "it states 4 items, and 5 before"), (replace, "replaced while its rows were read")],
)
def test_rows_that_change_while_they_are_read_are_not_kept(
    portal: Portal, pull: Callable[[], Fetched], change: Callable[[Portal, Asked], None], message: str
) -> None:
    portal.before = change
    with pytest.raises(TransientError, match=message):
        pull()


def test_pages_that_end_early_are_not_kept(owner: Owner, portal: Portal, pull: Callable[[], Fetched]) -> None:
    whole = owner.answer
    owner.answer = lambda asked: (
        reply({"result": {"records": [], "total": 5}}) if asked.query.get("offset") == "4" else whole(asked)
    )
    with pytest.raises(TransientError, match="4 items came where 5 are stated"):
        pull()


def test_what_is_no_answer_of_ckan_is_told(owner: Owner, pull: Callable[[], Fetched]) -> None:
    owner.answer = lambda _: (200, {}, b"<html>Masuk</html>")
    with pytest.raises(PantauError, match="not what package_show gives: '<html>Masuk"):
        pull()


def test_credentials_go_to_the_connections_host_alone(owner: Owner, order: MakeOrder) -> None:
    """The portal names a file on another host (the same server by another name)."""
    elsewhere = owner.host.replace("127.0.0.1", "localhost")
    resource = {"id": "r", "name": "desa-4g-2026-08", "url": f"http://{elsewhere}/x/desa-4g-2026-08.csv"}

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("package_show"):
            return reply({"result": {"resources": [resource]}})
        return 200, {}, b"kode_desa\n"

    owner.answer = answer
    got = fetch(order("komdigi__desa_4g", owner.connection()))
    assert got is not None
    assert got.files[0].path.read_bytes() == b"kode_desa\n"
    assert ["authorization" in asked.headers for asked in owner.asked] == [True, False]


def test_a_stated_hash_that_we_hold_is_not_fetched_again(owner: Owner, order: MakeOrder) -> None:
    digest = sha256(b"x").hexdigest()
    resource = {"name": "desa-4g-2026-08", "hash": f"sha256:{digest}", "url": "http://nowhere.invalid/x"}
    owner.answer = lambda _: reply({"result": {"resources": [resource]}})
    got = fetch(order("komdigi__desa_4g", owner.connection(), held=Held(sha256=digest)))
    assert got is not None
    assert got.unchanged


def test_a_plain_file_is_asked_for_by_what_we_hold(owner: Owner, order: MakeOrder) -> None:
    owner.answer = lambda asked: (
        (304, {}, b"") if asked.headers.get("if-none-match") == '"a"' else (200, {"ETag": '"a"'}, b"kode\n")
    )
    first = fetch(order("komdigi__desa_3t", owner.connection()))
    assert first is not None
    assert first.validator == '"a"'
    again = fetch(order("komdigi__desa_3t", owner.connection(), held=Held(validator=first.validator)))
    assert again is not None
    assert again.unchanged
    owner.answer = lambda _: (304, {}, b"")
    with pytest.raises(PantauError, match="answered 304"):  # nobody asked that
        fetch(order("komdigi__desa_3t", owner.connection()))
