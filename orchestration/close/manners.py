"""What a close writes otherwise than closes of before did. A manifest says the manners of its close, and a rebuild keeps to those: a packet of before comes
out as it was. A new one is a line here, and a question wherever the bytes depend on it; the models ask has_manner (dbt_project/macros/lake.sql)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

import pyarrow as pa

MANNERS = pa.schema([("manner", pa.string())])


class Manner(Enum):
    """Name: the manifest's key, in capitals. Value: what the manifest says under it. Never change either."""

    FILE_NUMBERS = "of the practice, by night, table and version"  # before, files had the lake's ids
    DEATHS = "stand in the claims (PAT06)"
    DEPARTURES = "stand in patient_month_evidence"
    NAMES = "of practitioners without brackets and dashes (NM1*82)"
    BENEFICIARIES = "are known by every Medicare number of theirs"  # before, by the one on the claim alone
    SURE_NAMES = "of practitioners alone are in the claims (NM1*82)"
    PLAIN_NAMES = "of practitioners have no address and no number (NM1*82)"
    TAXONOMIES = "of blanks make nobody a colleague"  # before, two such were of one specialty
    NEXT_STEPS = "stand beside what is held (held.csv)"


EVERY_MANNER = frozenset(Manner)


def to_manifest(manners: Collection[Manner]) -> dict[str, str]:
    """What a manifest says of these."""
    return {manner.name.lower(): manner.value for manner in manners}


def from_manifest(manifest: Mapping[str, Any]) -> frozenset[Manner]:
    """Those that a manifest says."""
    return frozenset(manner for manner in Manner if manner.name.lower() in manifest)


def table(manners: Collection[Manner]) -> pa.Table:
    """`lake/configuration/manners.parquet`: those that the models keep to, as a manifest names them."""
    return pa.table({"manner": sorted(to_manifest(manners))}, schema=MANNERS)
