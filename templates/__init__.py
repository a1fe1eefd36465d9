"""Jinja templates: ``replies/`` and ``tickets/`` in plain text, ``console/``, ``portal/`` and ``reports/`` in HTML.

Both environments are strict: a missing value is an error in a test, never a blank in public.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def plain() -> Environment:
    """Replies and tickets: no HTML. Sandboxed, since communications staff write these templates, not programmers."""
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("templates", ""),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,  # or an included sentence runs into the next one
    )


def html() -> Environment:
    """Console, portal and reports: every value is escaped."""
    return Environment(
        loader=PackageLoader("templates", ""),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
