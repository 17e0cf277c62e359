"""The `ccm` command. Every subcommand says what, where and what to do when something is wrong, and exits non-zero without a traceback."""

from __future__ import annotations

import logging
import sys

# Each of these adds its subcommands to the app.
from orchestration.command import (  # noqa: F401
    answers,
    claim_files,
    closes,
    demo,
    differences,
    explain,
    imports,
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
from orchestration.discretion import record
from orchestration.house import House, HouseError


def main() -> None:
    """Console script. A HouseError is printed as it is; anything else is our defect: its traceback goes to a private file."""
    # A log that cannot be written (a full disk) is no reason for a traceback over the message that says so.
    logging.raiseExceptions = False
    try:
        app(standalone_mode=True)
    except HouseError as error:
        err.print(f"ccm: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("ccm: stopped; run the same command again, nothing is half done")
        sys.exit(130)
    except OSError as error:
        err.print(
            f"ccm: {error.filename or 'a file of the home'}: {error.strerror or type(error).__name__}; make room or give access, then run the same "
            "command again, nothing is half done",
            style="red",
        )
        sys.exit(1)
    except Exception as error:
        log = record(House.from_environment(), "ccm", error)
        err.print(
            f"ccm: {type(error).__name__}: this is a defect of ccm, not of your data; the details are in {log}",
            style="red",
        )
        sys.exit(1)
