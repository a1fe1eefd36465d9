"""Types of values in foreign JSON that more than one platform serves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time that can be told in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]  #: aware, UTC
