"""What nobody expected, as a sentence with a number; the log has the same number, and the traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from poolformer.errors import PoolFormerError

LOGGER = logging.getLogger("poolformer.ui")


class UnexpectedError(PoolFormerError):
    """An error that is a bug or a broken machine; the message names the log line and nothing else of it."""


@contextmanager
def explained(*expected: type[Exception]) -> Iterator[None]:
    """Lets PoolFormerErrors and `expected` ones through; any other goes to the log and becomes an `UnexpectedError`."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (PoolFormerError, *expected)):
            raise
        raise UnexpectedError(record(error)) from error


def record(error: BaseException) -> str:
    """Writes the error to the log; the sentence that a person may see of it."""
    number = secrets.token_hex(4)
    LOGGER.error("failure %s", number, exc_info=error)
    return f"Something went wrong here that should not; try again. If it stays, report it with its number, {number}."
