"""The pages of one list as an owner's server hands them out: each kept as a file with its bytes as they came,
its items counted against the total that every page states."""

from pantau import items
from pantau.catalogue import Json
from pantau.errors import PantauError, TransientError
from pantau.fetch import Fetched, File, Order
from pantau.fetch.http import refuse_web_page

_AGAIN = "Nothing of it was kept; it is tried again by itself."
_MOST = 9_999  # pages of one list


class ListChangedError(TransientError):
    """The list is no longer what it was when its first page was read."""


class Pages:
    """The pages taken so far.

    Attributes:
        found: their items.
        total: how many items the whole list has, as its pages state; None before the first.
    """

    def __init__(self, order: Order, total: str) -> None:
        assert isinstance(order.feed.format, Json)
        self._order, self._form, self._total = order, order.feed.format, total
        self._files: list[File] = []
        self.found: list[object] = []
        self.total: int | None = None

    @property
    def next_file(self) -> File:
        """Where the next page goes."""
        if len(self._files) == _MOST:
            raise PantauError(
                f"The list has more than {_MOST:,} pages.",
                where=self._order.place(),
                next_step="Ask the owner for larger pages.",
            )
        name = f"page-{len(self._files) + 1:04d}.json"
        return File(name, self._order.spool / name)

    def take(self, file: File, where: dict[str, object]) -> tuple[object, int]:
        """Take a page that was brought.

        Returns:
            The page, and how many items it added.

        Raises:
            ListChangedError: it states another total than the pages before, or has more items than that.
            PantauError: it is no page of such a list.
        """
        where, content = {**where, "file": file.name}, file.path.read_bytes()
        refuse_web_page(content[:512], where)
        try:
            page = items.parse(content)
            listed, total = items.find(page, self._form.items), items.value(page, self._total)
            if type(total) is not int or total < 0:
                raise items.NoItemsError(f"holds no number of items in `{self._total}`")
        except items.NoItemsError as error:
            raise PantauError(
                f"The page {error}.",
                where=where,
                next_step="Nothing of it was kept. Ask the owner whether the interface was changed; "
                f"feeds/{self._order.feed.name}.yml says how it is read.",
            ) from error
        if self.total not in (None, total):
            raise ListChangedError(
                f"The list changed while it was read: it states {total:,} items, and {self.total:,} before.",
                where=where,
                next_step=_AGAIN,
            )
        self.total = total
        self._files.append(file)
        self.found += listed
        if len(self.found) > total:
            raise self.incomplete()
        return page, len(listed)

    def incomplete(self) -> TransientError:
        """The error that the items are not as many as stated."""
        return TransientError(
            f"{len(self.found):,} items came where {self.total:,} are stated.",
            where=self._order.place(),
            next_step=_AGAIN + " If it stays, tell the owner.",
        )

    def fetched(self, sender: str, validator: str = "") -> Fetched:
        """The whole list. Raises TransientError where items are missing."""
        if len(self.found) != self.total:
            raise self.incomplete()
        content = items.content_hash(self.found, self._form.ignore)
        return Fetched(sender, self._files, content_hash=content, validator=validator)
