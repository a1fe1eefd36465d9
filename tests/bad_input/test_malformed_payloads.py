"""A small, seeded slice of ``make malformed``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input import malformed

SLICE, SEED = 200, 11


@pytest.mark.parametrize("name", sorted(malformed.KINDS))
def test_no_malformed_payload_crashes_a_listener_or_costs_a_good_neighbour(name: str, tmp_path: Path) -> None:
    outcome = malformed.run(malformed.KINDS[name], tmp_path, count=SLICE, seed=SEED)

    assert outcome.crashes == []
    assert outcome.lost == []
    assert outcome.payloads == SLICE
    assert outcome.good > SLICE
    assert outcome.unreadable > 0
    assert outcome.errors.keys() <= {"Unavailable", "Refused"}
