"""What a CKAN portal holds: a resource's file, or its rows by way of the datastore. See CKAN's API guide."""

from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

from pantau import items
from pantau.catalogue import Ckan, CkanDatastore
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, Order
from pantau.fetch.http import Site, download, refuse
from pantau.fetch.pages import ListChangedError, Pages


def file(order: Order) -> Fetched | None:
    """The file of the resource whose name holds the period; the newest where there are several."""
    assert isinstance(order.feed.transport, Ckan)
    with Site(order) as site:
        resource = _resource(site, order)
        if resource is None:
            return None
        sender = f"ckan {order.feed.transport.package}/{resource['name']}"
        stated = str(resource.get("hash") or "").removeprefix("sha256:")
        if order.held.sha256 and stated == order.held.sha256:
            return Fetched(sender, [], unchanged=True)
        got = download(site, resource["url"], order, size=resource.get("size"))
    if got is None:
        return None
    brought = got[1]
    if len(stated) == 64 and sha256(brought.path.read_bytes()).hexdigest() != stated:
        raise TransientError(
            "The file's SHA-256 is not the one that CKAN states.",
            where=order.place(address=resource["url"], file=brought.name, stated=stated),
            next_step="Nothing of it was kept; it is tried again. If it stays, tell the owner.",
        )
    return Fetched(sender, [brought])


def rows(order: Order) -> Fetched | None:
    """The rows of the resource whose name holds the period, as the datastore hands them out page by page.

    Raises:
        TransientError: the rows changed while they were read, or are not as many as stated.
    """
    transport = order.feed.transport
    assert isinstance(transport, CkanDatastore)
    with Site(order) as site:
        resource = _resource(site, order)
        if resource is None or not resource.get("datastore_active"):  # the portal has not loaded its rows yet
            return None
        pages, url = Pages(order, total="result.total"), f"{site.base}/api/3/action/datastore_search"
        where = order.place(address=url)
        while pages.total is None or len(pages.found) < pages.total:
            asked = {"resource_id": resource["id"], "limit": transport.page_rows, "offset": len(pages.found)}
            page = pages.next_file
            refuse(site.ask(url, where, target=page.path, params=asked), where)
            if pages.take(page, where)[1] == 0:
                break
        now = _resource(site, order)  # the total may stay the same where rows are replaced
        if now is None or _version(now) != _version(resource):
            raise ListChangedError(
                "The resource was replaced while its rows were read.",
                where=where,
                next_step="Nothing of it was kept; it is tried again by itself.",
            )
    return pages.fetched(f"ckan {transport.package}/{resource['name']}")


def _resource(site: Site, order: Order) -> dict[str, Any] | None:
    """The newest resource of the package with the period's name."""
    transport = order.feed.transport
    assert isinstance(transport, Ckan | CkanDatastore)
    url, asked = f"{site.base}/api/3/action/package_show", {"id": transport.package}
    where = order.place(address=f"{url}?id={transport.package}")
    answer = site.ask(url, where, params=asked)
    refuse(answer, where)
    try:
        found = items.find(items.parse(answer.body), "result.resources")
        mine = [r for r in found if r.get("name") == order.fill(transport.resource)]
    except (items.NoItemsError, AttributeError) as error:
        raise PantauError(
            "CKAN's answer is not what package_show gives: "
            f"{' '.join(answer.body[:120].decode('utf-8', 'replace').split())!r}",
            where=where,
            next_step="Open the address in a browser; ask the owner to mend it.",
        ) from error
    return max(mine, key=lambda r: (_moment(r.get("last_modified")), r.get("id", "")), default=None)


def _version(resource: dict[str, Any]) -> tuple[Any, ...]:
    return resource["id"], resource.get("last_modified")


def _moment(text: Any) -> str:
    """CKAN writes ISO times; some portals write HTTP dates. As ISO text, so that they compare."""
    try:
        return parsedate_to_datetime(str(text)).isoformat()
    except ValueError:
        return str(text or "")
