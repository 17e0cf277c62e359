"""The marked home: one office in good order, one whose ids and names attack whoever repeats them, one whose files are in ruins."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.mutation.every_rule_home import Office, as_csv
from tests.protection.marked import Marked, mbi

# Ids as they may stand in an extract: text, in the end. Each is a patient with a claim.
HOSTILE_IDS = (
    "o'brien\"; drop table patients; --",
    "' or 1=1 --",
    "../../../etc/passwd",
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "${HOME}$(touch pwned)`id`",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@sum(1)",
    "\tHYPERLINK",
    "two\nlines",
    "right\u202eleft",
    "star*tilde~colon:caret^",
    "[red]marked[/red] [link=http://x]up[/link]",
    "%s %n {0} \\N \\x00",
    "p_cent%",
)
# What a name may be, and what of it an 837P can carry (the writer's basic character set).
HOSTILE_NAMES = {
    "name-delimiters": (
        {"last_name": "Zqxvjk~ST*837*0001~lastdel", "first_name": "Zqxvjk:fi^rst"},
        "NM1*IL*1*ZQXVJK ST 837 0001 LASTDEL*ZQXVJK FI RST*",
    ),
    "name-controls": (
        {"last_name": "Zqxvjk\x01\x02last\x1bctl", "first_name": "Zqxvjk\u202efirst"},
        "NM1*IL*1*ZQXVJK LAST CTL*ZQXVJKFIRST*",
    ),
    "name-other-script": ({"last_name": "Зубкова", "first_name": "Zqxvjkfirst"}, None),  # nothing of it can be written: held
}


def home(root: Path) -> tuple[Path, Marked]:
    """Writes the home's configuration and landing. Offices: `orderly`, `attack`, `ruin`."""
    marked = Marked()
    orderly = marked.office("orderly", name="[red]Orderly[/red] & <b>Sons</b>")
    for number in range(3):
        marked.patient(orderly, f"P{number:03d}")
    # Undocumented, so that it stands on the work list.
    marked.patient(orderly, "P100", minutes=0)
    entry = orderly.time("P100", 25, has_note=False)
    entry["program"] = "ccm"
    attack = marked.office("attack")
    for patient_id in HOSTILE_IDS:
        marked.patient(attack, patient_id)
    for patient_id, (values, _) in HOSTILE_NAMES.items():
        marked.patient(attack, patient_id, **values)
    undocumented(marked, attack, "=undocumented", "=e()")
    ruin = marked.office("ruin")
    for number in range(3):
        marked.patient(ruin, f"R{number:03d}")
    marked.write(root)
    wreck(root, ruin)
    return root, marked


def undocumented(marked: Marked, office: Office, patient_id: str, entry_id: str) -> None:
    marked.patient(office, patient_id, minutes=0)
    entry = office.time(patient_id, 25, has_note=False)
    entry |= {"entry_id": entry_id, "program": "ccm"}


def wreck(root: Path, office: Office) -> None:
    """Bad files and bad rows with markers wherever a reader might repeat them."""
    folder = root / "landing" / "ruin" / office.nights[-1].isoformat()

    def lines(table: str) -> list[str]:
        return as_csv(table, office.rows[table]).splitlines() if office.rows[table] else []

    first = "Zqxvjkshift,Zqxvjklast,Zqxvjkfirst,Zqxvjkmiddle,1931-02-02,Zqxvjksex,1 Zqxvjkstreet,Zqxvjkcity,IL,629900001,3095559999,DR1,"
    patients = lines("patients")
    patients += [
        first,
        "R900,Zqxvjkfirst,Zqxvjklast,,Zqxvjkbirth 1931-02-03,F,,,,,,DR1,",  # no date
        "R901,Zqxvjkfirst,Zqxvjklast,,1931-02-30,F,,,,,,DR1,",  # no such day
        "R902,Zqxvjkfirst,Zqxvjklast,,02/03/1931,Zqxvjksex,,,,,,DR1,Zqxvjkdied",
        "R903,Zqxvjktoo,many,values,1931-02-04,F,a,b,IL,629900001,3095559998,DR1,,Zqxvjkextra,Zqxvjkmore",
        "R904,Zqxvjkfew",
        'R905,"Zqxvjkquote"d" bad,Zqxvjklast,,1931-02-05,F,,,,,,DR1,',
        'R906,"Zqxvjknever closed,Zqxvjklast,,1931-02-06,F,,,,,,DR1,',
    ]
    (folder / "patients.csv").write_text("\n".join(patients) + "\n", encoding="utf-8")
    # No header: a patient stands where the names of the columns should.
    (folder / "coverages.csv").write_text(
        f"R000,Zqxvjkmedicare,{mbi(99)},1,2020-01-01,\nR001,medicare_part_b,{mbi(98)},1,2020-01-01,\n"
    )
    (folder / "conditions.csv").write_text(
        "\n".join([*lines("conditions"), "c9,R000,Zqxvjkdiagnosis with a very long tail,Zqxvjkactive,Zqxvjk,,"]) + "\n"
    )
    # A known column twice, its twin named after a patient.
    twice = lines("services")
    (folder / "services.csv").write_text(
        "\n".join([twice[0] + ",patient_id,Zqxvjkheader", *(f"{line},R000,Zqxvjkcell" for line in twice[1:])])
    )
    # The note's column has other names beside it, one of them a note.
    notes = lines("time_entries")
    (folder / "time_entries.csv").write_text(
        "\n".join(
            [
                notes[0] + ",extra_note",
                *(f"{line},Zqxvjknote in an extra column" for line in notes[1:]),
                "e900,R000,RN1,Zqxvjkprogram,call,Zqxvjkstarted,2026-09-10T10:00:00Z,Zqxvjkseconds,timer,Zqxvjkface,,"
                "Zqxvjknote: 309-555-0001,Zqxvjkrec,Zqxvjkupd,maybe,x",
            ]
        )
        + "\n",
        encoding="utf-8",
    )
    (folder / "stays.csv.gz").write_bytes(
        gzip.compress(b"stay_id,patient_id,stay_type,admitted_on\ns1,R000,Zqxvjkstay,2026-09-01\n" * 400)[:-20]
    )
    (folder / "outreach.csv").write_bytes("outreach_id,patient_id,Zqxvjkname\n".encode("utf-16"))
    (folder / "consents.csv").write_bytes(
        b"consent_id,patient_id,program,consented_on,method,documented\nk1,R000,ccm,\xff\xfeZqxvjk,verbal,true\n"
    )
    buffer = io.BytesIO()
    pq.write_table(
        pa.table(
            {"assessment_id": ["a1"], "patient_id": ["Zqxvjkpatient"], "assessed_on": ["Zqxvjk2026"], "mdm_level": ["Zqxvjklow"]}
        ),
        buffer,
    )
    (folder / "assessments.parquet").write_bytes(buffer.getvalue())
    (folder / "care_plans.parquet").write_bytes(b"PAR1Zqxvjknot parquet at allPAR1")
    (folder / "stranger.csv").write_text("Zqxvjk\n")


def answers(root: Path) -> None:
    """Payer files with names, none of which can be posted, and a claim file that the scrub refuses."""
    (root / "landing" / "orderyl").mkdir()  # a slip of the pen
    inbox = root / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "garbage.835").write_bytes(b"Zqxvjklast, Zqxvjkfirst 309-555-0001 is no X12")
    isa = "ISA*00*          *00*          *ZZ*06102          *ZZ*ER00001        *261006*0000*^*00501*000000001*0*T*:~"
    body = (
        "GS*HP*06102*ER00001*20261006*0000*1*X*005010X221A1~ST*835*0001~BPR*I*Zqxvjkamount*C*CHK************20261006~TRN*1*Zqxvjktrace*1999999999~"
        f"N1*PR*Zqxvjkpayer~N1*PE*Zqxvjkpayee*XX*1700000019~LX*1~CLP*ZQXVJKCLAIM*1*100*50**MB*Zqxvjkicn~NM1*QC*1*Zqxvjklast1*Zqxvjkfirst1****MI*{mbi(1)}~"
        "DTM*Zqxvjkwhen*19310202~SVC*HC:99490*Zqxvjkcharge*50~CAS*CO*45*Zqxvjkadjusted~SE*12*0001~GE*1*1~IEA*1*000000001~"
    )
    (inbox / "faulty.835").write_text(isa + body)
    (inbox / "cut.277").write_text(
        isa + "GS*HN*06102*ER00001*20261006*0000*1*X*005010X214~ST*277*0001*005010X214~BHT*0085*08*Zqxvjkref*20261006*0000*TH~"
        f"HL*1**20*1~NM1*QC*1*Zqxvjklast2*Zqxvjkfirst2****MI*{mbi(2)}~DTP*Zqxvjk*D8*19310303"
    )
    (inbox / "spoiled.837").write_text(
        isa
        + "GS*HC*ER00001*06102*20261006*0000*1*X*005010X222A1~ST*837*0001*005010X222A1~NM1*IL*1*Zqxvjklast3*Zqxvjkfirst3****MI*Zqxvjkmbi~"
        "N3*3 Zqxvjkstreet3 Ave~DMG*D8*Zqxvjk19310404*Z~CLM*C1*Zqxvjkamount***11:B:1*Y*A*Y*Y~SE*5*0001~GE*1*1~IEA*1*000000001~"
    )
