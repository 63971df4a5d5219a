"""How every command ends: one line for a person or a program, and an exit code.

No traceback reaches a user. What nobody expected is written to a file that the line names.
The code says what became of the work: once that is done (`work_is_done`), nothing that goes wrong
in telling it, such as a full disk under the output, makes the code say that it failed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jukinet_mq.cli import streams
from jukinet_mq.errors import JukinetError, OutputIncompleteError

INTERRUPTED: Final = 130
UNEXPECTED: Final = 70
FOUND_SOMETHING: Final = 1
USAGE: Final = 2

EXIT_CODES: Final[dict[int, str]] = {
    0: "It is done.",
    FOUND_SOMETHING: "`doctor` or `check` found something; not all that was replayed went well; or "
    "a command that only shows something could not write all of it.",
    USAGE: "The command line cannot be understood; nothing was done.",
    65: "Refused: the input is wrong, or nothing has this id. With bulk input: some lines were "
    "refused, the others went through.",
    UNEXPECTED: "A promise is broken, or something happened that nobody expected; the line names "
    "the file that says what.",
    75: "Not now: the broker, the database or a deadline. The same command may succeed later, and "
    "goes on from where it ended.",
    76: "Not trusted: a certificate, a key or an envelope.",
    78: "The installation or its settings are wrong; a person must change something.",
    129: "An import was ended by SIGHUP; it says which lines are dealt with.",
    INTERRUPTED: "Interrupted with Ctrl-C; an import says which lines are dealt with.",
    143: "An import was ended by SIGTERM; it says which lines are dealt with.",
}
"""Every exit code of every command. Errors carry theirs; the others are ours."""

_done: int | None = None


def work_is_done(code: int = 0) -> None:
    """Note that what was asked for is done for good, with this exit code; only telling is left.

    For commands that change something. From here on, output that is lost and errors that nobody
    expected change the exit code no more.
    """
    global _done  # noqa: PLW0603  # a process runs one command
    _done = code


def exit_code_of(program: Callable[[], None]) -> int:
    """Run *program* and return its exit code; tell on standard error what went wrong."""
    global _done  # noqa: PLW0603  # as above
    _done = None
    try:
        program()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else FOUND_SOMETHING
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:  # noqa: BLE001  # the last place where anything can be said
        code = _failed(error)
    else:
        code = 0
    return _flushed(code)


def _failed(error: BaseException) -> int:
    causes = list(_leaves(error))
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        return INTERRUPTED
    ours = [cause for cause in causes if isinstance(cause, JukinetError)]
    if len(ours) < len(causes):
        text = _unexpected(error)
        if _done is not None:
            _tell(JukinetError.reason, f"what was asked for is done, but in telling it {text}")
            return _done
        _tell(JukinetError.reason, text)
        return UNEXPECTED
    for reason, text in dict.fromkeys((cause.reason, str(cause)) for cause in ours):
        _tell(reason, text)
    return ours[0].exit_code


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a group of errors, or the one error."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _tell(reason: str, text: str) -> None:
    """Write one line to standard error; an object where the user asked for JSON."""
    with suppress(OSError):
        if "--json" in sys.argv[1:]:
            import json

            line = json.dumps({"error": reason, "text": text})
        elif sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            line = f"\033[31mjukinet:\033[0m {text} \033[2m[{reason}]\033[0m"
        else:
            line = f"jukinet: {text} [{reason}]"
        sys.stderr.write(f"{line}\n")


def _unexpected(error: BaseException) -> str:
    import tempfile
    import traceback

    said = "".join(traceback.format_exception(error))
    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    home = Path(os.environ.get("JUKINET_HOME", ".jukinet"))
    for directory in (home, Path(tempfile.gettempdir())):
        with suppress(OSError):
            return (
                f"something went wrong that nobody expected ({type(error).__name__}); "
                f"{_write(directory / name, said)} says where. Report it with that file."
            )
    return f"something went wrong that nobody expected ({type(error).__name__})"


def _write(path: Path, text: str) -> Path:
    """Write a file that only its owner can read: nobody knows what an error text holds."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def _flushed(code: int) -> int:
    """Write what is left of the output; return *code*, or another one if showing was the work."""
    sys.stdout.flush()
    failure = streams.lost()
    if failure is None:
        return code
    if failure.errno != errno.EPIPE:  # who read it has seen enough, and wants no more
        done = "the output is not complete" if _done is None else "what was asked for is done"
        why = failure.strerror or str(failure)
        _tell(OutputIncompleteError.reason, f"standard output cannot be written: {why}; {done}")
    return FOUND_SOMETHING if code == 0 and _done is None else code
