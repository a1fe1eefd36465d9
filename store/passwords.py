"""Passwords: Argon2id, long ones, and none that everybody tries first.

Source: RFC 9106 section 4, second recommended option (64 MiB, three passes), which is argon2-cffi's default; length and
no rules of composition: OWASP ASVS 5.0, 6.2.
"""

import re
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from store.refusals import Invalid

MIN_LENGTH = 12
MAX_LENGTH = 128
_HASHER = PasswordHasher()
#: Each hash takes 64 MiB for a moment: a crowd at the door must not take all memory.
_AT_ONCE = BoundedSemaphore(4)

#: The stems of what is tried first, of twelve characters and more once digits and signs are taken off the ends.
_COMMON_STEMS = """
password passwort passw0rd p@ssword p@ssw0rd letmein welcome admin administrator changeme qwerty qwertyuiop
asdfghjkl zxcvbnm iloveyou monkey dragon baseball football superman batman sunshine princess master shadow trustno
abc abcdef abcdefgh abcdefghijkl abcdefghijklm correcthorsebatterystaple harken cityhall socialmedia government
summer winter spring autumn january february march april june july august september october november december
mypassword yourpassword newpassword password password1password passwordpassword letmeinplease welcomewelcome
qwertyqwerty adminadmin secret secretsecret test testtest testing default guest user login contrasena
"""
COMMON = frozenset(_COMMON_STEMS.split())


def check(password: str, *, email: str = "") -> None:
    """Refuse a password that is too short, too long, or guessed in the first hundred tries.

    Raises:
        Invalid: with what to do instead.
    """
    if len(password) < MIN_LENGTH:
        raise Invalid(f"use {MIN_LENGTH} characters or more; a sentence is easy to keep in mind", field="password")
    if len(password) > MAX_LENGTH:
        raise Invalid(f"use {MAX_LENGTH} characters at most", field="password")
    if _is_common(password.casefold(), email.casefold()):
        raise Invalid("this password is among the first that are guessed; use another", field="password")


def _is_common(password: str, email: str) -> bool:
    stem = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", password)
    runs = "01234567890123456789 abcdefghijklmnopqrstuvwxyz qwertyuiopasdfghjklzxcvbnm 09876543210987654321"
    if stem in COMMON or (not stem and password.isascii()) or password in runs or len(set(password)) < 5:
        return True
    local = email.partition("@")[0]
    return bool(email) and (stem == local or email in password)


def hashed(password: str) -> str:
    """What is kept of a password, with its salt and parameters."""
    with _AT_ONCE:
        return _HASHER.hash(_bytes(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password. It takes as long when there is none to compare with, so the time tells nothing."""
    try:
        with _AT_ONCE:
            _HASHER.verify(kept or _nobodys(), _bytes(password[: MAX_LENGTH + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody signs in with this")
