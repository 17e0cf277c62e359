"""The `ccm` command. Every subcommand says what, where and what to do when something is wrong, and exits non-zero without a traceback."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

# Each of these adds its subcommands to the app.
from orchestration.command import (  # noqa: F401
    accept,
    answers,
    check,
    claim_files,
    closes,
    demo,
    differences,
    explain,
    imports,
    keeping,
    nights,
    office,
    reports,
    rules,
    servers,
    what_if,
    why,
    worklist,
)
from orchestration.command.common import app, err
from orchestration.house import House, HouseError, write_private


def main() -> None:
    """Console script. A HouseError is printed as it is; anything else is our defect: its traceback goes to a private file."""
    # A log that cannot be written (a full disk) is no reason for a traceback over the message that says so.
    logging.raiseExceptions = False
    try:
        app(standalone_mode=True)
    except HouseError as error:
        err.print(f"ccm: {error}", markup=False, style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("ccm: stopped; run the same command again, nothing is half done")
        sys.exit(130)
    except OSError as error:
        err.print(
            f"ccm: {error.filename or 'a file of the home'}: {error.strerror or type(error).__name__}; make room or give access, then run the same "
            "command again, nothing is half done",
            markup=False,
            style="red",
        )
        sys.exit(1)
    except Exception as error:
        log = House.from_environment().state / "ccm-errors.log"
        # The frames without the message: a library's message may quote a value of a patient.
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f"{datetime.now(UTC).isoformat()} {type(error).__name__}\n{frames}\n"
        try:
            write_private(log, (log.read_text() if log.exists() else "") + text)
        except OSError:
            log = Path("(could not be written)")
        err.print(
            f"ccm: {type(error).__name__}: this is a defect of ccm, not of your data; the details are in {log}",
            style="red",
        )
        sys.exit(1)
