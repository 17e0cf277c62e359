"""Reads landing folders as interface.md section 3 says: accepted files, good rows, snapshots, upserts."""

import csv
import gzip
import io
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet

from .calendars import instant

Row = dict[str, Any]

UNSEEN = "\u180e\u200b\u200c\u200d\u2060\ufeff"  # without a width: blanks, too

# column -> kind: text, date, time, flag, number, or a vocabulary; `*` first: required
CONTRACTS: dict[str, str] = {
    "patients": """patient_id=*text first_name=*text last_name=*text middle_name=text birth_date=*date sex=*F|M|U
        address_line1=text city=text state=text postal_code=text phone=text billing_practitioner_id=*text
        deceased_date=date""",
    "coverages": """patient_id=*text
        coverage_type=*medicare_part_a|medicare_part_b|medicare_advantage|qmb|medicaid|medigap|commercial
        member_id=text priority=number effective_date=*date termination_date=date""",
    "conditions": """condition_id=*text patient_id=*text icd10_code=*text clinical_status=*active|resolved
        onset_date=date recorded_date=date resolved_date=date""",
    "consents": """consent_id=*text patient_id=*text program=*ccm|pcm|apcm consented_on=*date method=*verbal|written
        documented=*flag obtained_by=text billing_practitioner_id=text revoked_on=date""",
    "care_plans": """care_plan_id=*text patient_id=*text established_on=*date last_reviewed_on=date
        copy_given_on=date""",
    "assessments": """assessment_id=*text patient_id=*text assessed_on=*date
        mdm_level=*straightforward|low|moderate|high member_id=*text""",
    "stays": """stay_id=*text patient_id=*text
        stay_type=*inpatient|snf_part_a|nursing_facility|assisted_living|hospice admitted_on=*date
        discharged_on=date""",
    "care_team": """member_id=*text name=*text
        credential=*MD|DO|NP|PA|CNS|CNM|RN|LPN|MA|PHARMD|LCSW|CNA|CHW|PSYD|RD|ADMIN npi=text taxonomy_code=text
        active_from=date active_to=date""",
    "outreach": """outreach_id=*text patient_id=*text attempted_at=*time channel=*phone|portal|letter|in_person
        outcome=*no_answer|left_message|callback|declined|agreed member_id=text""",
    "appointments": """appointment_id=*text patient_id=*text member_id=*text visit_type=*text
        status=*scheduled|completed|cancelled|no_show scheduled_start=*time scheduled_end=*time updated_at=*time""",
    "services": """service_id=*text patient_id=*text member_id=text procedure_code=*text service_date=*date
        units=number appointment_id=text billed_by=*own_practice|other_practice ccm_discussed=flag updated_at=*time""",
    "time_entries": """entry_id=*text patient_id=*text member_id=*text program=*ccm|pcm|rpm|bhi|tcm|other
        activity=*text started_at=time ended_at=time duration_seconds=number entry_method=*timer|manual
        face_to_face=*flag note_id=text note_text=text recorded_at=*time updated_at=*time voided=*flag""",
}
COLUMNS = {table: dict(item.split("=", 1) for item in text.split()) for table, text in CONTRACTS.items()}
UPSERTED = {"appointments", "services", "time_entries"}
KEY = {table: next(iter(columns)) for table, columns in COLUMNS.items()}
WITHOUT_KEY = {"coverages"}
FORMS = (".csv", ".csv.gz", ".parquet")


def without_blanks(text: str) -> str:
    return re.sub(rf"^[\s{UNSEEN}]+|[\s{UNSEEN}]+$", "", text)


@dataclass
class File:
    """What one landed file holds: its good rows in line order, and of the bad ones the lines and readable patient ids.

    A rejected file has no good rows and no bad lines; all its rows count as quarantined. Lines as a spreadsheet counts.
    """

    is_accepted: bool = True
    received: int = 0
    rows: list[Row] = field(default_factory=list)
    bad_lines: list[int] = field(default_factory=list)
    bad_patient_ids: set[str] = field(default_factory=set)
    bad_member_ids: set[str] = field(default_factory=set)  # of care_team; "": of a row that may be anybody's


def _value(kind: str, text: str, zone: str) -> Any:
    """ValueError when the text is not of the kind."""
    required, kind = kind.startswith("*"), kind.removeprefix("*")
    if text == "":
        if required:
            raise ValueError("missing")
        return None
    if kind == "text":
        return text
    if kind == "date":
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError("not a date")
        return date.fromisoformat(text)
    if kind == "time":
        return instant(zone, text)
    if kind == "number":
        if not re.fullmatch(r"[+-]?\d+", text):
            raise ValueError("not a whole number")
        return int(text)
    vocabulary = ["true", "false"] if kind == "flag" else kind.split("|")
    if text not in vocabulary:
        raise ValueError("not in the vocabulary")
    return text == "true" if kind == "flag" else text


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= ch <= "\udfff" for ch in text)


def _records(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and each row's line number and cells as text (empty: null); blank lines are no rows."""
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return table.column_names, [(number, [_as_text(v) for v in row]) for number, row in enumerate(rows, 2)]
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = raw.decode("utf-8-sig", errors="surrogateescape")
    lines = list(enumerate(csv.reader(io.StringIO(text, newline="")), 1))
    return (lines[0][1], [line for line in lines[1:] if line[1]]) if lines else ([], [])


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def examine(path: Path, table: str, zone: str) -> File:
    columns = COLUMNS[table]
    try:
        header, records = _records(path)
    except (pyarrow.ArrowInvalid, gzip.BadGzipFile, EOFError):  # cannot be read at all
        return File(is_accepted=False)
    if (
        not header
        or any(header.count(name) > 1 for name in columns)
        or any(kind.startswith("*") and name not in header for name, kind in columns.items())
    ):
        return File(is_accepted=False, received=len(records))
    file = File(received=len(records))
    for line, cells in records:
        if len(cells) != len(header) or not all(_is_utf8(cell) for cell in cells):
            file.bad_lines.append(line)
            file.bad_member_ids.add("")
            continue
        texts = dict(zip(header, cells, strict=True))
        try:
            file.rows.append({name: _value(kind, texts.get(name, ""), zone) for name, kind in columns.items()})
        except ValueError:
            file.bad_lines.append(line)
            if table == "patients" and texts["patient_id"]:
                file.bad_patient_ids.add(texts["patient_id"])
            file.bad_member_ids.add(texts.get("member_id", ""))
    return file


def read_file(path: Path, table: str, zone: str) -> File | None:
    """None: the file is rejected."""
    file = examine(path, table, zone)
    return file if file.is_accepted else None


class Landing:
    """All facts of one practice, as of its newest night with an accepted file."""

    def __init__(self, folder: Path, zone: str, until: date | None = None):
        self.files: dict[str, dict[date, File]] = {table: {} for table in COLUMNS}  # the accepted ones
        self.landed: dict[tuple[str, date], File] = {}
        nights = (
            sorted(
                night
                for night in folder.iterdir()
                if re.fullmatch(r"\d{4}-\d\d-\d\d", night.name) and (not until or date.fromisoformat(night.name) <= until)
            )
            if folder.is_dir()
            else []
        )
        for night in nights:
            day = date.fromisoformat(night.name)
            for table in COLUMNS:
                paths = [night / f"{table}{form}" for form in FORMS if (night / f"{table}{form}").exists()]
                if not paths:
                    continue
                file = examine(paths[0], table, zone) if len(paths) == 1 else File(is_accepted=False)
                self.landed[table, day] = file
                if file.is_accepted:
                    self.files[table][day] = file
        accepted = sorted({night for files in self.files.values() for night in files})
        self.first_night = accepted[0] if accepted else None
        self.newest_night = accepted[-1] if accepted else None
        self._patients()
        self._members()
        self.appointments, self.appointment_versions = self._upserted("appointments")
        self.services, self.service_versions = self._upserted("services")
        versions = [row for of_key in self.service_versions.values() for _, row in of_key]
        for service in (*self.services.values(), *versions):
            code, *modifiers = re.split(rf"[\s{UNSEEN}:,-]+", without_blanks(service["procedure_code"]).upper())
            is_code = re.fullmatch("[0-9A-Z]{5}", code) and all(re.fullmatch("[0-9A-Z]{2}", one) for one in modifiers)
            service["procedure_code"] = code if is_code else without_blanks(service["procedure_code"]).upper()
        self.time_entries, self.time_entry_versions = self._upserted("time_entries")

    def _patients(self) -> None:
        self.patients: dict[str, Row] = {}
        self.snapshots: dict[date, set[str]] = {}
        for night, file in self.files["patients"].items():
            if not file.rows:
                continue  # a panel of nobody is an outage
            for row in file.rows:
                self.patients[row["patient_id"]] = row
            self.snapshots[night] = {row["patient_id"] for row in file.rows} | file.bad_patient_ids
        # A row in quarantine is a presence, before the first good one too; of whom there never was a good one nothing is known.
        self.snapshots = {night: here & set(self.patients) for night, here in self.snapshots.items()}
        self.newest_snapshot = self.snapshots[max(self.snapshots)] if self.snapshots else set()

    def _members(self) -> None:
        self.members: dict[str, Row] = {}
        self.last_seen: dict[str, date] = {}
        for night, file in self.files["care_team"].items():
            for row in file.rows:
                self.members[row["member_id"]] = row
                self.last_seen[row["member_id"]] = night

    def is_on_the_team(self, member_id: str, month: date) -> bool:
        """In a team that was in force on a day of the month, or in a later one; a team with a row that nobody could read and that may be theirs says
        nothing of them."""
        if member_id not in self.members:
            return False
        teams = self.files["care_team"]
        before = [
            night for night, file in teams.items() if night <= month and file.rows and not file.bad_member_ids & {member_id, ""}
        ]
        return self.last_seen[member_id] >= (max(before) if before else date.min)

    def can_be_asked(self, member_id: str) -> bool:
        """On the team as the newest night has it, and active on that day."""
        member = self.members.get(member_id)
        if member is None or self.newest_night is None:
            return False
        later = [file for night, file in self.files["care_team"].items() if night > self.last_seen[member_id] and file.rows]
        return all(file.bad_member_ids & {member_id, ""} for file in later) and (
            (member["active_from"] or date.min) <= self.newest_night <= (member["active_to"] or date.max)
        )

    def panel_rows(self, table: str, patient_id: str) -> list[Row]:
        """A patient's rows: of the newest file, or for one who is gone of the newest up to their last snapshot."""
        nights = list(self.files[table])
        if patient_id not in self.newest_snapshot:
            last_seen = max((n for n, ids in self.snapshots.items() if patient_id in ids), default=None)
            nights = [night for night in nights if last_seen and night <= last_seen]
        if not nights:
            return []
        rows = self.files[table][max(nights)].rows
        if table not in WITHOUT_KEY:
            rows = list({row[KEY[table]]: row for row in rows}.values())
        return [row for row in rows if row["patient_id"] == patient_id]

    def _upserted(self, table: str) -> tuple[dict[str, Row], dict[str, list[tuple[date, Row]]]]:
        """The row in force of each key, and each key's accepted rows by night (a key's best row of each file)."""
        versions: dict[str, list[tuple[date, Row]]] = defaultdict(list)
        for night, file in self.files[table].items():
            best: dict[str, Row] = {}
            for row in file.rows:
                key = row[KEY[table]]
                if key not in best or row["updated_at"] >= best[key]["updated_at"]:
                    best[key] = row
            for key, row in best.items():
                versions[key].append((night, row))
        in_force = {key: max(rows, key=lambda item: (item[1]["updated_at"], item[0]))[1] for key, rows in versions.items()}
        return in_force, dict(versions)

    def accounts(self) -> list[Row]:
        """For each landed file: rows received, accepted, quarantined, superseded (by another of the key in the file)."""
        found = []
        for (table, night), file in self.landed.items():
            distinct = len(file.rows) if table in WITHOUT_KEY else len({row[KEY[table]] for row in file.rows})
            found.append(
                {
                    "extract_date": night,
                    "table_name": table,
                    "rows_received": file.received,
                    "rows_accepted": distinct,
                    "rows_quarantined": len(file.bad_lines) if file.is_accepted else file.received,
                    "rows_superseded": len(file.rows) - distinct,
                    "is_rejected": not file.is_accepted,
                }
            )
        return found
