"""What waits before a close (mart `close_holds`), and its acceptance: recorded, told to the models, published."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from orchestration.close import acceptances
from orchestration.contracts import extract_contracts
from orchestration.engine import open_marts
from orchestration.house import House, HouseError
from orchestration.practices import load_practices

LONGEST_TEXT = 500  # characters of a name or a reason


@dataclass(frozen=True)
class Hold:
    """One thing that keeps a practice's close, or one patient's claim, in the house; a row of the mart `close_holds`."""

    practice_id: str
    hold_id: str
    kind: str
    holds_what: str
    table_name: str
    extract_date: date
    measure: str
    column_name: str
    line_number: int | None
    patient_id: str | None
    explanation: str
    first_month_held: date | None
    last_month_held: date | None
    is_acceptable: bool
    is_accepted: bool

    @property
    def what(self) -> str:
        """What it is, in the words of the command's options."""
        where = f"{self.table_name} of {self.extract_date}"
        if self.line_number is not None:
            where += f" line {self.line_number}"
        return f"{where}: {self.measure + ', ' if self.measure else ''}{self.explanation}"


@dataclass(frozen=True)
class Wanted:
    """Which holds are meant; what is None or empty leaves open."""

    practice_id: str | None = None
    night: date | None = None
    table: str | None = None
    measure: str | None = None
    lines: Sequence[int] = ()


@dataclass(frozen=True)
class Accepted:
    """What was accepted by whom. `is_published`: the marts and the gate know it already; else from the next nightly on."""

    holds: tuple[Hold, ...]
    by: str
    is_published: bool


def holds(house: House, wanted: Wanted) -> list[Hold]:
    """What holds closes and claims, and what was accepted; by practice, kind, night and table. Raises HouseError for names that are not known."""
    if not house.marts.exists():
        raise HouseError(f"{house.marts}: nothing is published yet; run `ccm nightly` first")
    if wanted.practice_id is not None:
        practices = load_practices(house.practices_yaml)
        if wanted.practice_id not in practices:
            raise HouseError(f"--practice {wanted.practice_id}: not in {house.practices_yaml}; it has {', '.join(practices)}")
    if wanted.table is not None and wanted.table not in extract_contracts():
        raise HouseError(f"--table {wanted.table}: is no extract table; there is {', '.join(extract_contracts())}")
    with open_marts(house) as marts:
        known = marts.execute("select column_name from duckdb_columns() where table_name = 'close_holds'").fetchall()
        if ("first_month_held",) not in known:
            raise HouseError(f"{house.marts}: was published by an earlier version of ccm; run `ccm nightly` first")
        rows = marts.execute(
            f"""
            select {", ".join(Hold.__dataclass_fields__)} from close_holds
            where ($practice is null or practice_id = $practice) and ($night is null or extract_date = $night)
                and ($table is null or table_name = $table) and ($measure is null or measure = $measure)
                and (len($lines) = 0 or list_contains($lines, line_number))
            order by practice_id, kind, extract_date, table_name, measure, column_name, line_number
            """,
            {
                "practice": wanted.practice_id,
                "night": wanted.night,
                "table": wanted.table,
                "measure": wanted.measure,
                "lines": list(wanted.lines),
            },
        ).fetchall()
    return [Hold(*row) for row in rows]


def record_acceptance(house: House, wanted: Wanted, by: str | None, reason: str | None) -> Accepted:
    """Accepts every hold that is meant, as it stands now: the same file or numbers, and no others.

    Raises HouseError, and records nothing then, where it is not said what is accepted, by whom or why, or where nothing waits.
    """
    for option, value in (("--practice", wanted.practice_id), ("--night", wanted.night), ("--table", wanted.table)):
        if value is None:
            raise HouseError(f"{option}: say what is accepted; `ccm accept --list` shows what waits")
    assert wanted.practice_id is not None
    who = _said("--by", by, "the name of a person who answers for it")
    why = _said("--reason", reason, "why it is right, or can be done without; it is recorded")
    meant = holds(house, wanted)
    waiting = [hold for hold in meant if not hold.is_accepted]
    about = f"{wanted.practice_id} {wanted.table} of {wanted.night}"
    if not waiting:
        raise HouseError(
            f"{about}: accepted already; {acceptances.path_of(house, wanted.practice_id)} says by whom"
            if meant
            else f"{about}: nothing waits to be accepted there; `ccm accept --list` shows what does"
        )
    missing = set(wanted.lines) - {hold.line_number for hold in meant}
    if missing:
        raise HouseError(f"{about}: line {min(missing)} is no row that waits to be accepted; `ccm accept --list` shows which do")
    if not all(hold.is_acceptable for hold in waiting):
        raise HouseError(
            f"{about}: a rejected panel file cannot be accepted: it stands until a later file of the table is accepted; land one"
        )
    # Costs seconds to import: only once there is something to do.
    from orchestration.answer.publish import publish
    from orchestration.transform.rebuild import not_built, rebuild
    from orchestration.transform.state import build_inputs, is_up_to_date

    with house.lock("warehouse"):
        stands = is_up_to_date(house, build_inputs(house))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        acceptances.record(
            house,
            wanted.practice_id,
            [
                {
                    "at": now,
                    "by": who,
                    "why": why,
                    "hold_id": hold.hold_id,
                    "kind": hold.kind,
                    "table_name": hold.table_name,
                    "extract_date": hold.extract_date.isoformat(),
                    "measure": hold.measure,
                    "column_name": hold.column_name,
                    "line_number": hold.line_number,
                    "explanation": hold.explanation,
                }
                for hold in waiting
            ],
        )
        if stands:
            if bad := not_built(rebuild(house, ["source.ccm.configuration.acceptances"], ["acceptances"])):
                raise HouseError(f"recorded, but the marts could not be built again ({bad[0]}); run `ccm nightly --full`")
            publish(house)
    return Accepted(tuple(waiting), who, stands)


def _said(option: str, text: str | None, what: str) -> str:
    """The text of an option, on one line and printable: it is written into records, manifests and pages."""
    said = (text or "").strip()
    if not said:
        raise HouseError(f"{option}: say {what}")
    if len(said) > LONGEST_TEXT:
        raise HouseError(f"{option}: at most {LONGEST_TEXT} characters")
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for letter in said):
        raise HouseError(f"{option}: holds a line break or another control character; write it on one plain line")
    return said
