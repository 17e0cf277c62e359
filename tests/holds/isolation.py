"""One practice made vile, through the command: the others' marts, findings and claim files are what they were without it (`make isolation`)."""

from __future__ import annotations

import filecmp
import sys
import tempfile
from pathlib import Path

import duckdb

from tests.pipeline.homes import Ran, ccm

from . import vile
from .clinic import Clinic, configure

WELL = ("alpha", "beta")


def clinics() -> list[Clinic]:
    return [Clinic("alpha", 1), Clinic("beta", 2), Clinic("gamma", 3)]


def make(home: Path, is_vile: bool, seed: int) -> None:
    alpha, beta, gamma = clinics()
    configure(home, (alpha, beta, gamma))
    for clinic in (alpha, beta):
        clinic.land(home)
    if is_vile:
        vile.land(home, gamma, seed)
    else:
        gamma.land(home)


# Numbers of the lake's batches and of a night's people, which all practices share (they name files and people and decide nothing), and when a close was
# approved: now.
SHARED = ("file_id", "evidence_file_id", "patient_number", "member_number", "approved_at")


def of_the_well(con: duckdb.DuckDBPyConnection, schema: str, well: tuple[str, ...] = WELL) -> dict[str, list[tuple[object, ...]]]:
    """Every table's rows of the practices that nothing is wrong with; of one that has a patient's number, with the patient's names in its place."""
    found = {}
    for table, has_practice, is_numbered in con.execute(
        f"""
        select table_name, bool_or(column_name = 'practice_id'), bool_or(column_name = 'patient_number') from duckdb_columns()
        where schema_name = '{schema}' and database_name = current_database() group by table_name order by table_name
        """
    ).fetchall():
        if has_practice or is_numbered:
            source = f"{schema}.{table}"
            if not has_practice:
                named = "select practice_id, patient_id, patient_number from intermediate.int_patients__current"
                source = f"(from {source} inner join ({named}) using (patient_number))"
            columns = [row[0] for row in con.execute(f"describe from {source}").fetchall() if row[0] not in SHARED]
            listed = ", ".join(f'"{name}"' for name in columns)
            found[table] = con.execute(
                f"select {listed} from {source} where list_contains(?, practice_id) order by all", [list(well)]
            ).fetchall()
    return found


def main(seed: int) -> int:
    with tempfile.TemporaryDirectory(prefix="ccm-isolation-") as folder:
        homes = {kind: Path(folder) / kind for kind in ("clean", "vile")}
        said: dict[str, list[Ran]] = {}
        for kind, home in homes.items():
            make(home, kind == "vile", seed)
            said[kind] = [ccm("nightly", home=home), ccm("close", "--month", "2026-10", "--approved-by", "R. Roe", home=home)]
            for ran in said[kind]:
                print(kind, ran.code, ran.out[-1500:], ran.err[-1500:], sep="\n")
        assert said["vile"][0].code == 0, "a vile practice stops the night"
        assert "gamma" in said["vile"][0].out
        marts = {}
        for kind, home in homes.items():
            with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as con:
                marts[kind] = of_the_well(con, "main")
        different = [name for name in marts["clean"] if marts["clean"][name] != marts["vile"][name]]
        assert not different, f"not what they were without the vile practice: {different}"
        packets = [
            path.relative_to(homes["clean"]) for well in WELL for path in sorted((homes["clean"] / "closes" / well).rglob("v*/*"))
        ]
        assert packets
        other = [
            str(path)
            for path in packets
            if path.name != "approval.json" and not filecmp.cmp(homes["clean"] / path, homes["vile"] / path, shallow=False)
        ]
        print(f"seed {seed}: {len(marts['clean'])} marts the same, {len(packets)} packet files, different: {other or 'none'}")
        return int(bool(other))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
