"""A sandbox for all of these tests, as on its first day for each module's deployment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.running import Running, running


@pytest.fixture(scope="module")
def network() -> Iterator[Running]:
    with running() as found:
        yield found
