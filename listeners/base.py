"""What a listener is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from vocabulary import Edit, Page, Range


class Listener(Protocol):
    """Reads one account's mentions from one platform.

    A module of this package offers ``connect(table: dict[str, Any]) -> Listener``: the account's table of
    ``harken.toml`` with its secrets merged in.
    """

    sources: tuple[str, ...]  #: the sources that are walked, each with a range of its own

    def pages(self, wanted: Range) -> Iterator[Page]:
        """Every page of the range, newest first as platforms serve them; resumable at ``Page.next``.

        A post may come twice; the store drops the second.

        Raises:
            AdapterError: of the kind that says what to do next.
        """
        ...

    def look_again(self, post_ids: Sequence[str]) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
        """Those of the posts that read otherwise now (all readable ones, for the caller to compare), and those gone.

        Raises:
            AdapterError: of the kind that says what to do next.
        """
        ...

    def reread(self, source: str, raw: bytes) -> Page:
        """A page of one item of a source: what could not be read when it came, from ``Unreadable.raw``.

        Raises:
            AdapterError: it may have to ask its platform who we are.
        """
        ...
