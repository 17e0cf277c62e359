"""The `ccm` command. Every subcommand says what, where and what to do when something is wrong, and exits non-zero without a traceback."""

from __future__ import annotations

import faulthandler
import gc
import logging
import sys

from orchestration import access as access_record

# Each of these adds its subcommands to the app.
from orchestration.command import (  # noqa: F401
    accept,
    access,
    answers,
    check,
    claim_files,
    closes,
    deliveries,
    demo,
    differences,
    explain,
    imports,
    keeping,
    mappings,
    nights,
    office,
    reports,
    rules,
    servers,
    what_if,
    why,
    worklist,
)
from orchestration.command.common import app, err, house_at_work
from orchestration.discretion import defect, refused_by_the_system
from orchestration.house import HouseError

# A night holds three quarters of a million objects, nearly all of them to its end. Python looks for rings of dead ones among all that are held whenever
# a quarter has been added, which is a tenth of a small practice's night; so among the young ones as it likes, among all of them seldom.
SEARCHES = (2_000, 10, 200)


def main() -> None:
    """Console script. A HouseError is printed as it is; anything else is our defect: its traceback goes to a private file."""
    gc.set_threshold(*SEARCHES)
    # A log that cannot be written (a full disk) is no reason for a traceback over the message that says so.
    logging.raiseExceptions = False
    # A crash inside a library's machine code leaves no exception: then at least the functions it was in, and no value of theirs.
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
    code = 1
    try:
        code = _run()
    finally:
        access_record.finish(code)
        # The memory goes with the process: Python does not search it once more, object by object, as it ends.
        gc.freeze()
    sys.exit(code)


def _run() -> int:
    """The command's exit code."""
    try:
        app(standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except HouseError as error:
        err.print(f"ccm: {error}", style="red")
    except KeyboardInterrupt:
        err.print("ccm: stopped; run the same command again, nothing is half done")
        return 130
    except OSError as error:
        err.print(f"ccm: {refused_by_the_system(error)}", style="red")
    except Exception as error:
        said = defect(house_at_work(), "ccm", error)
        err.print(f"ccm: {said}", style="red")
    return 1
