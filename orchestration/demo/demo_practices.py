"""The four made-up practices of the demo: configuration, care teams, and how their vendors write files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.demo.identifiers import npi
from orchestration.demo.landing import TimestampStyle
from orchestration.demo.tables import Row

_TAXONOMY = {"MD": "207Q00000X", "DO": "207Q00000X", "NP": "363LF0000X", "PA": "363A00000X"}


@dataclass(frozen=True)
class DemoPractice:
    """One practice. `number` keeps its identifiers apart; `settings` are further keys of practices.yaml."""

    practice_id: str
    number: int
    prefix: str
    name: str
    patients: int
    time_zone: str
    street: str
    city: str
    state: str
    postal_code: str
    phone: str
    mac: str
    locality: str
    contractor: str
    timestamps: TimestampStyle
    team: Sequence[tuple[str, str, str, str | None, str | None]]  # id, name, credential, active from, active to
    billers: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def care_team(self) -> list[Row]:
        return [
            {
                "member_id": member_id,
                "name": name,
                "credential": credential,
                "npi": npi(99_500_000 + self.number * 100 + place) if credential in _TAXONOMY else None,
                "taxonomy_code": _TAXONOMY.get(credential),
                "active_from": active_from,
                "active_to": active_to,
            }
            for place, (member_id, name, credential, active_from, active_to) in enumerate(self.team, 1)
        ]

    @property
    def configuration(self) -> dict[str, Any]:
        """The practice's entry of practices.yaml."""
        return {
            "practice_id": self.practice_id,
            "name": self.name,
            "npi": npi(99_500_000 + self.number * 100),
            "tax_id": f"00{self.number:02d}{99_173 + self.number:05d}",
            "taxonomy_code": "207Q00000X",
            "address": {
                "line1": self.street,
                "city": self.city,
                "state": self.state,
                "postal_code": self.postal_code,
            },
            "phone": self.phone,
            "time_zone": self.time_zone,
            "place_of_service": "11",
            "mac": self.mac,
            "locality": self.locality,
            "submitter_id": f"{self.practice_id.upper()}{self.number:02d}",
            "receiver": {"id": self.mac, "name": self.contractor},
            "payer": {"id": self.mac, "name": "MEDICARE PART B"},
            "close": {"first_day": 3, "final_day": 20},
            "operations": {"nights": "weekdays"},
        } | self.settings


DEMO_PRACTICES = (
    DemoPractice(
        "hudson", 1, "HU", "Hudson Street Primary Care", 88,
        "America/New_York", "412 Hudson St", "New York", "NY", "100140001", "2125550140", "13202", "01",
        "NATIONAL GOVERNMENT SERVICES", "local",
        (
            ("hu-feldman", "Ruth Feldman", "MD", "2014-03-01", None),
            ("hu-okoye", "Daniel Okoye", "MD", "2019-07-01", None),
            ("hu-varga", "Ilona Varga", "NP", "2021-01-11", None),
            ("hu-baptiste", "Marie Baptiste", "RN", "2018-05-01", None),
            ("hu-lindgren", "Kate Lindgren", "RN", "2022-02-14", None),
            ("hu-santos", "Ana Santos", "LPN", "2020-09-01", "2026-08-31"),
            ("hu-whitaker", "Joel Whitaker", "LPN", "2026-09-14", None),
            ("hu-chow", "Vivian Chow", "PHARMD", "2023-04-03", None),
            ("hu-perez", "Luz Perez", "MA", "2021-06-01", None),
            ("hu-grant", "Tom Grant", "ADMIN", "2016-10-03", None),
        ),
        ("hu-feldman", "hu-okoye", "hu-varga"),
        {
            "charges": {
                "99490": 110.00, "99439": 85.00, "99491": 150.00, "99437": 105.00, "99487": 225.00, "99489": 125.00,
            },
            "attestations": {"access_24_7": "2026-01-01", "certified_ehr": "2026-01-01"},
            "close": {"first_day": 3, "final_day": 20, "standing_approver": "Ruth Feldman"},
        },
    ),
    DemoPractice(
        "prairie", 2, "PR", "Prairie Family Medicine", 76,
        "America/Chicago", "1800 Mill Rd", "Springfield", "IL", "627040001", "2175550118", "06102", "99",
        "NATIONAL GOVERNMENT SERVICES", "offset",
        (
            ("pr-hollis", "Martin Hollis", "DO", "2012-01-09", None),
            ("pr-amundsen", "Greta Amundsen", "MD", "2020-08-03", None),
            ("pr-keene", "Sarah Keene", "RN", "2017-04-17", None),
            ("pr-dobbs", "Ray Dobbs", "LPN", "2021-11-01", None),
            ("pr-mercer", "Tina Mercer", "MA", "2019-02-04", None),
            ("pr-voight", "Hank Voight", "PHARMD", "2024-01-15", None),
            ("pr-lund", "Paula Lund", "CHW", "2023-03-06", None),
            ("pr-stone", "Abby Stone", "ADMIN", "2015-06-01", None),
        ),
        ("pr-hollis", "pr-amundsen"),
        {
            "track_policy": "highest_allowed",
            "charges": {"99490": 95.00, "99439": 75.00, "99491": 130.00},
            "attestations": {"access_24_7": "2026-01-01"},
        },
    ),
    DemoPractice(
        "highpines", 3, "HP", "High Pines Clinic", 60,
        "America/Denver", "77 Juniper Ct", "Fort Collins", "CO", "805240001", "9705550163", "04112", "01",
        "NOVITAS SOLUTIONS", "utc",
        (
            ("hp-tafoya", "Elena Tafoya", "NP", "2018-02-05", None),
            ("hp-brandt", "Owen Brandt", "MD", "2010-05-03", None),
            ("hp-nguyen", "Linh Nguyen", "RN", "2019-09-16", None),
            ("hp-archer", "Molly Archer", "MA", "2022-07-11", None),
            ("hp-reyes", "Carlos Reyes", "LCSW", "2024-05-20", None),
            ("hp-bloom", "Judy Bloom", "ADMIN", "2017-01-02", None),
        ),
        ("hp-tafoya", "hp-brandt"),
        {"service_date_policy": "threshold_day"},
    ),
    DemoPractice(
        "bayview", 4, "BV", "Bayview Senior Health", 72,
        "America/Los_Angeles", "2600 Harbor Blvd", "Los Angeles", "CA", "900260001", "2135550177", "01182", "18",
        "NORIDIAN HEALTHCARE SOLUTIONS", "local",
        (
            ("bv-nakamura", "Ken Nakamura", "MD", "2015-11-02", None),
            ("bv-ellery", "Joan Ellery", "MD", "2016-03-14", None),
            ("bv-ocampo", "Rosa Ocampo", "PA", "2022-10-03", None),
            ("bv-sims", "Derek Sims", "RN", "2018-08-20", None),
            ("bv-yoon", "Mina Yoon", "RN", "2023-01-09", None),
            ("bv-fuentes", "Ivan Fuentes", "MA", "2020-12-01", None),
            ("bv-hart", "Nell Hart", "RD", "2025-02-03", None),
            ("bv-doyle", "Sean Doyle", "ADMIN", "2019-05-06", None),
        ),
        ("bv-nakamura", "bv-ellery", "bv-ocampo"),
        {"place_of_service": "19", "qualifying_apm_participant": True},
    ),
)  # fmt: skip


def practices_yaml(practices: Sequence[DemoPractice]) -> str:
    """practices.yaml as an operator would write it: all codes and numbers as quoted text."""
    lines = ["# The made-up practices of `ccm demo`.", "practices:"]
    for practice in practices:
        lead = "  - "
        for key, value in practice.configuration.items():
            lines.append(f"{lead}{key}: {_yaml(value)}")
            lead = "    "
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:.2f}"
    return json.dumps(value)


def _key(key: str) -> str:
    return key if key.replace("_", "").isalpha() else json.dumps(key)
