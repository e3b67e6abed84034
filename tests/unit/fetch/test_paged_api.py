"""The list behind OAuth2, page by page: whole and of one moment, or nothing."""

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from owner_server import Asked, Owner, Reply, reply

from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, Held, Order, fetch

FEED = "operator__cakupan"
MakeOrder = Callable[..., Order]


@dataclass
class Api:
    """An operator's API with items 0..n: its tokens, its cursors; a test bends what it needs."""

    items: list[Any] = field(default_factory=lambda: [{"kode_desa": f"{n}"} for n in range(7)])
    size: int = 3
    etag: str = '"v1"'
    tokens: int = 0
    pages: int = 0  # answered well
    bend: Callable[["Api", Asked], Reply | None] = lambda *_: None

    def __call__(self, asked: Asked) -> Reply:
        if bent := self.bend(self, asked):
            return bent
        if asked.path == "/operator/telkomsel/oauth/token":
            self.tokens += 1
            return reply({"access_token": f"t{self.tokens}", "token_type": "Bearer", "expires_in": 300})
        if asked.headers.get("authorization") != f"Bearer t{self.tokens}":
            return reply({"kesalahan": "token"}, 401)
        if asked.headers.get("if-none-match") == self.etag:
            return 304, {"ETag": self.etag}, b""
        return self.page(int(asked.query.get("kursor", "0")))

    def page(self, begin: int, **more: Any) -> Reply:
        self.pages += 1
        end = begin + self.size
        document = {
            "jumlah": len(self.items),
            "berikut": str(end) if end < len(self.items) else None,
            "data": self.items[begin:end],
            **more,
        }
        return reply(document, **({"ETag": self.etag} if begin == 0 else {}))


@pytest.fixture
def api(owner: Owner) -> Api:
    owner.answer = Api()
    return owner.answer


@pytest.fixture
def pull(owner: Owner, order: MakeOrder) -> Callable[..., Fetched | None]:
    """Fetch August's list of Telkomsel. The slash in the path comes quoted, as Airflow writes it."""

    def run(**more: Any) -> Fetched | None:
        return fetch(order(FEED, owner.connection("/operator%2Ftelkomsel"), part="telkomsel", **more))

    return run


def test_all_pages_are_kept_with_their_bytes(owner: Owner, api: Api, pull: Callable[..., Fetched]) -> None:
    got = pull()
    assert [file.name for file in got.files] == [f"page-000{n}.json" for n in (1, 2, 3)]
    assert [i for f in got.files for i in json.loads(f.path.read_bytes())["data"]] == api.items
    assert got.validator == '"v1"'
    token, *pages = owner.asked
    assert (token.method, token.path, token.body) == (
        "POST", "/operator/telkomsel/oauth/token", "grant_type=client_credentials",
    )  # fmt: skip
    assert token.headers["authorization"] == "Basic " + base64.b64encode(b"client:s/e@cret").decode()
    assert [page.query.get("kursor") for page in pages] == [None, "3", "6"]
    assert {page.query["periode"] for page in pages} == {"2026-08"}
    assert {page.headers["authorization"] for page in pages} == {"Bearer t1"}


def test_the_same_items_on_other_pages_are_the_same_content(api: Api, pull: Callable[..., Fetched]) -> None:
    first = pull()
    api.size, api.items = 2, api.items[::-1]
    again = pull()
    assert len(again.files) == 4
    assert first.content_hash == again.content_hash
    api.items[0] = {"kode_desa": "other"}
    assert pull().content_hash != first.content_hash


def test_nothing_there_yet(api: Api, pull: Callable[..., Fetched | None]) -> None:
    api.bend = lambda _, asked: reply({"kesalahan": "-"}, 404) if "periode" in asked.query else None
    assert pull() is None


def test_an_empty_list_is_a_list(api: Api, pull: Callable[..., Fetched]) -> None:
    api.items = []
    assert len(pull().files) == 1


def test_what_we_hold_is_not_sent_again(owner: Owner, api: Api, pull: Callable[..., Fetched]) -> None:
    got = pull(held=Held(validator='"v1"'))
    assert (got.unchanged, got.files, api.pages) == (True, [], 0)
    assert pull(held=Held(validator='"v0"')).files
    assert [a.headers.get("if-none-match") for a in owner.asked[3:]] == ['"v0"', None, None]


def test_a_token_that_expires_is_renewed_once(api: Api, pull: Callable[..., Fetched]) -> None:
    def expire(api: Api, asked: Asked) -> Reply | None:
        old = asked.headers.get("authorization") == "Bearer t1"
        return reply({}, 401) if old and asked.query.get("kursor") == "3" else None

    api.bend = expire
    assert len(pull().files) == 3
    assert api.tokens == 2


def test_a_fresh_token_that_is_refused_is_told(api: Api, pull: Callable[..., Fetched]) -> None:
    api.bend = lambda _, asked: reply({}, 401) if "periode" in asked.query else None
    with pytest.raises(PantauError, match="refuses the token that it has just given") as error:
        pull()
    assert not isinstance(error.value, TransientError)
    assert api.tokens == 2
    assert "part telkomsel" in str(error.value)


def test_a_wrong_secret_is_told_and_shown_nowhere(
    api: Api, pull: Callable[..., Fetched], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.bend = lambda _, asked: reply({"error": "invalid_client"}, 401)
    with pytest.raises(PantauError, match="refuses the client id or secret") as error:
        pull()
    assert "Renew the connection 'operator_telkomsel'." in str(error.value)
    for shown in (str(error.value), caplog.text):
        for secret in ("s/e@cret", "s%2Fe%40cret", base64.b64encode(b"client:s/e@cret").decode()):
            assert secret not in shown


def test_tokens_are_in_no_log(
    api: Api, pull: Callable[..., Fetched], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.bend = lambda _, asked: (
        reply({"access_token": "GEHEIM"}) if asked.path.endswith("token") else reply({}, 503)
    )
    with pytest.raises(TransientError, match="503") as error:
        pull()
    assert "GEHEIM" not in caplog.text + str(error.value)


@pytest.mark.parametrize("stated", ["2", "", "soon"])
def test_a_busy_server_is_waited_for(
    api: Api, pull: Callable[..., Fetched], slept: list[float], stated: str
) -> None:
    busy = iter([True, False, True])
    headers = {"Retry-After": stated} if stated else {}
    api.bend = lambda _, asked: (
        (429, headers, b"") if "periode" in asked.query and next(busy, False) else None
    )
    assert len(pull().files) == 3
    assert slept == [2.0, 2.0]


def test_patience_has_an_end(api: Api, pull: Callable[..., Fetched], slept: list[float]) -> None:
    api.bend = lambda _, asked: (429, {"Retry-After": "25"}, b"") if "periode" in asked.query else None
    with pytest.raises(TransientError, match="asks for 25 s more, after 50 s of waiting"):
        pull()
    assert slept == [25.0, 25.0]


def test_a_list_restated_while_it_is_read_is_read_anew(api: Api, pull: Callable[..., Fetched]) -> None:
    def restate(api: Api, asked: Asked) -> Reply | None:
        if asked.query.get("kursor") == "3" and api.etag == '"v1"':
            api.etag, api.items = '"v2"', [{"kode_desa": "new"}]
            return reply({}, 410)
        return None

    api.bend = restate
    got = pull()
    assert (len(got.files), got.validator) == (1, '"v2"')
    assert json.loads(got.files[0].path.read_bytes())["data"] == [{"kode_desa": "new"}]


@pytest.mark.parametrize("how", ["gone", "total"])
def test_a_list_that_is_restated_again_and_again_is_given_up(
    api: Api, pull: Callable[..., Fetched], how: str
) -> None:
    def restate(api: Api, asked: Asked) -> Reply | None:
        if asked.query.get("kursor") != "3":
            return None
        return reply({}, 410) if how == "gone" else api.page(3, jumlah=8)

    api.bend = restate
    with pytest.raises(TransientError, match="while it was read") as error:
        pull()
    assert "Nothing of it was kept" in str(error.value)
    assert api.tokens == 1
    assert api.pages == (3 if how == "gone" else 6)


@pytest.mark.parametrize("stated", [6, 8])
def test_items_that_do_not_add_up_are_not_kept(api: Api, pull: Callable[..., Fetched], stated: int) -> None:
    api.bend = lambda api, asked: (
        api.page(int(asked.query.get("kursor", "0")), jumlah=stated) if "periode" in asked.query else None
    )
    with pytest.raises(TransientError, match=f"7 items came where {stated} are stated"):
        pull()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"berikut": "0"}, "leads back to an earlier one"),
        ({"data": []}, "adds nothing and names a next one"),
        ({"data": None}, "holds no list in `data`"),
        ({"jumlah": "7"}, "holds no number of items in `jumlah`"),
    ],
)
def test_a_page_that_breaks_the_list_is_told(
    api: Api, pull: Callable[..., Fetched], page: dict[str, Any], message: str
) -> None:
    api.size = 2
    api.bend = lambda api, asked: (
        api.page(int(asked.query["kursor"]), **page) if asked.query.get("kursor") in ("2", "0") else None
    )
    with pytest.raises(PantauError, match=message) as error:
        pull()
    assert not isinstance(error.value, TransientError)
    for word in (FEED, "part telkomsel", "period 2026-08", "page-000", "next:"):
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}, b"<!DOCTYPE html><p>Dalam perbaikan</p>"), "sent a web page"),
        ((200, {}, b'{"jumlah": 7, "data": ['), "is no JSON"),
        ((200, {}, b'{"jumlah": 0, "data": []}'), "has no `berikut`"),
        ((302, {"Location": "/elsewhere"}, b""), "answered 302"),
        ((200, {"content-encoding": "gzip"}, b"no gzip"), "broke before the file was whole"),
    ],
)
def test_what_is_no_page_is_told(
    owner: Owner, api: Api, pull: Callable[..., Fetched], answer: Reply, message: str
) -> None:
    api.bend = lambda _, asked: answer if "periode" in asked.query else None
    with pytest.raises(PantauError, match=message):
        pull()
    assert "/elsewhere" not in {asked.path for asked in owner.asked}


def test_a_connection_that_is_none_is_told_without_its_secret(order: MakeOrder) -> None:
    for uri in ("http://client:geh/eim@host", "http://client:geheim@host:port", "geheim"):
        with pytest.raises(PantauError, match="is no address of a web server") as error:
            fetch(order(FEED, uri, part="telkomsel"))
        assert "geh" not in str(error.value)
    with pytest.raises(PantauError, match="AIRFLOW_CONN_OPERATOR_TELKOMSEL"):
        fetch(order(FEED, "", part="telkomsel"))
