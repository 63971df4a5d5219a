"""The one place where asyncpg's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import asyncpg.exceptions

from jukinet_mq.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    DataRefusedError,
    RolledBackError,
    SchemaVersionError,
)

MISCONFIGURED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.exceptions.ClientConfigurationError,
)
OTHER_SCHEMA: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
)
ROLLED_BACK: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    # A migration has changed what a prepared statement returns; asyncpg prepares it anew next time.
    asyncpg.InvalidCachedStatementError,
    asyncpg.exceptions.OutdatedSchemaCacheError,
)
REFUSED: Final = (
    asyncpg.DataError,  # Class 22, and what asyncpg itself cannot encode for a statement.
    asyncpg.IntegrityConstraintViolationError,  # Class 23.
    asyncpg.CardinalityViolationError,  # One row twice in an INSERT ... ON CONFLICT DO UPDATE.
    asyncpg.ProgramLimitExceededError,  # A text too long for an index.
    OverflowError,  # COPY encodes without turning Python's errors into asyncpg's.
    ValueError,  # A surrogate in a text is a UnicodeEncodeError, so a ValueError.
)
UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    asyncpg.DataCorruptedError,
    asyncpg.IndexCorruptedError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a database that is away, full, read-only, damaged or out of connections raises. None of it
is an envelope's fault."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn asyncpg's errors into ours, by what happens next.

    Raises:
        ConfigurationError: The login, its rights or the URL are wrong.
        SchemaVersionError: The database lacks something that this program's statements name.
        RolledBackError: Rolled back for others beside it; a repetition will do.
        DataRefusedError: The data itself is refused; a repetition with it will not do.
        DatabaseUnavailableError: The database cannot do it now, whatever the data.
    """
    try:
        yield
    except MISCONFIGURED as error:
        raise ConfigurationError(
            f"PostgreSQL refuses: {_line(error)}; check the URL and run `jukinet db check`"
        ) from error
    except OTHER_SCHEMA as error:
        raise SchemaVersionError(
            f"PostgreSQL refuses: {_line(error)}; the schema is not this program's. Run "
            "`jukinet db check`: it says whether to upgrade the database or the program"
        ) from error
    except ROLLED_BACK as error:
        raise RolledBackError(
            f"PostgreSQL rolled the transaction back ({type(error).__name__}); nothing was "
            "written, do it again"
        ) from error
    except UNAVAILABLE as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer as it should ({type(error).__name__}); nothing is lost, "
            "work goes on when it is back"
        ) from error
    except REFUSED as error:
        raise DataRefusedError(
            f"PostgreSQL refuses the data ({_named(error)}); nothing was written. Leave it out, or "
            "report it with the program's version"
        ) from error


@contextmanager
def connecting() -> Iterator[None]:
    """Turn errors of connecting into ours: before a statement there is no data to be at fault."""
    try:
        with translated():
            yield
    except DataRefusedError as error:
        raise ConfigurationError(
            "the database's URL cannot be read, or PostgreSQL refuses a setting in it; expected "
            "postgresql://LOGIN:PASSWORD@HOST:PORT/DATABASE"
        ) from error


def _line(error: Exception) -> str:
    """Return PostgreSQL's text without the lines of detail and hint below it."""
    return " ".join(str(getattr(error, "message", None) or error).split())


def _named(error: Exception) -> str:
    """Return what names the cause without any value: PostgreSQL's own text may hold one."""
    place = [
        getattr(error, field, None) for field in ("table_name", "column_name", "constraint_name")
    ]
    return ", ".join([type(error).__name__, *(name for name in place if name)])
