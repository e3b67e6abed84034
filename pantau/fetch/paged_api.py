"""A list behind OAuth2 client credentials (RFC 6749, 4.4), page by page, each page naming the next by a cursor.

Promises the whole list of one moment: what is restated while it is read is read anew, or nothing is kept.
"""

from typing import Any

import httpx

from pantau import items
from pantau.catalogue import PagedApi
from pantau.errors import PantauError
from pantau.fetch import Fetched, Order
from pantau.fetch.http import Answer, Site, etag, refuse
from pantau.fetch.pages import ListChangedError, Pages

_STARTS = 3  # how often a list that is restated under our eyes is begun
_AGAIN = "Nothing of it was kept; it is tried again by itself."


def pages(order: Order) -> Fetched | None:
    """All pages of the list; None where the owner has none for the period yet.

    Raises:
        TransientError: the list was restated again and again, or its items are not as many as stated.
    """
    with Site(order) as site:
        client = _Client(site, order)
        for start in range(1, _STARTS + 1):
            try:
                return _list(client, order)
            except ListChangedError:
                if start == _STARTS:
                    raise
    raise AssertionError


class _Client:
    """Asks with a token, which it gets for the connection's client id and secret and renews where it expired."""

    def __init__(self, site: Site, order: Order) -> None:
        transport = order.feed.transport
        assert isinstance(transport, PagedApi)
        self.base, self._site, self._order = site.base, site, order
        self._token_url = f"{site.base}/{transport.token_path.lstrip('/')}"
        self._token = ""

    def ask(self, url: str, where: dict[str, object], headers: dict[str, str], **more: Any) -> Answer:
        """The answer to a request with a valid token."""
        for fresh in (False, True):
            if fresh or not self._token:
                self._token = self._login()
            bearer = {"Authorization": f"Bearer {self._token}"}
            answer = self._site.ask(url, where, headers={**headers, **bearer}, auth=None, **more)
            if answer.status != 401:
                return answer
        raise PantauError(
            "The server refuses the token that it has just given (401).",
            where=where,
            next_step="Ask the owner whether the client may read this list.",
        )

    def _login(self) -> str:
        where = self._order.place(address=self._token_url)
        answer = self._site.ask(
            self._token_url, where, method="POST", data={"grant_type": "client_credentials"}
        )
        if answer.status in (400, 401, 403):
            raise PantauError(
                f"The server refuses the client id or secret ({answer.status}).",
                where=where,
                next_step=f"Renew the connection '{self._order.connection_id}'.",
            )
        refuse(answer, where)
        try:
            token = items.value(items.parse(answer.body), "access_token")
        except items.NoItemsError:
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise PantauError(  # without its text, which may hold a secret
                "The server's answer holds no token.",
                where=where,
                next_step="Ask the owner whether the address moved.",
            )
        return token


def _list(client: _Client, order: Order) -> Fetched | None:
    """One pass from the first page to the last."""
    transport = order.feed.transport
    assert isinstance(transport, PagedApi)
    url = f"{client.base}/{order.fill(transport.path).lstrip('/')}"
    asked = {name: order.fill(value) for name, value in transport.parameters.items()}
    address = str(httpx.URL(url, params=asked))
    where, sender = order.place(address=address), f"api {address}"
    taken, validator, cursors = Pages(order, total=transport.total), "", list[str]()
    while True:
        first, page = not cursors, taken.next_file
        known = {"If-None-Match": order.held.validator} if first and order.held.validator else {}
        more = {} if first else {transport.cursor: cursors[-1]}
        answer = client.ask(url, where, known, params={**asked, **more}, target=page.path)
        if first and answer.status == 404:
            return None
        if known and answer.status == 304:
            return Fetched(sender, [], unchanged=True)
        if not first and answer.status == 410:
            raise ListChangedError("The list was restated while it was read.", where=where, next_step=_AGAIN)
        refuse(answer, where)
        if first:
            validator = etag(answer)
        document, added = taken.take(page, where)
        here = {**where, "file": page.name}
        cursor = _cursor(document, transport.next, here)
        if cursor is None:
            return taken.fetched(sender, validator)
        if cursor in cursors or not added:
            raise PantauError(
                "The list has no end: the page "
                + ("adds nothing and names a next one." if not added else "leads back to an earlier one."),
                where=here,
                next_step="Nothing of it was kept. Tell the owner.",
            )
        cursors.append(cursor)


def _cursor(page: object, path: str, where: dict[str, object]) -> str | None:
    try:
        cursor = items.value(page, path)
    except items.NoItemsError as error:
        raise PantauError(
            f"The page {error}, so that it is open whether it is the last.",
            where=where,
            next_step="Nothing of it was kept. Ask the owner whether the interface was changed.",
        ) from error
    return None if cursor is None else str(cursor)
