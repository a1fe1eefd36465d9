"""The guard of the other tests."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable

import pytest


def test_an_address_outside_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(AssertionError, match="loopback only"):
        sock.connect(("192.0.2.1", 80))


def test_a_name_outside_is_not_even_looked_up() -> None:
    with pytest.raises(AssertionError, match=r"api\.example\.gov"):
        urllib.request.urlopen("http://api.example.gov/")


def test_loopback_is_reached(free_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", free_port)),
        socket.create_connection(("localhost", free_port), timeout=5) as sock,
    ):
        assert sock.getpeername() == ("127.0.0.1", free_port)


def test_waiting_ends(wait_until: Callable[..., None]) -> None:
    with pytest.raises(AssertionError, match="did not come true"):
        wait_until(lambda: False, within=0.05)
