"""What the last night's checks said, kept for the gate. A verdict belongs to the inputs it judged and to no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from orchestration.house import House, write_private
from orchestration.lake_batches import LEDGER, batch_numbers, ledger_folder

Source = Literal["great_expectations", "great_expectations_months", "dbt"]


@dataclass(frozen=True)
class Finding:
    """One check's outcome. `practice_ids` are the practices at fault; empty for a failed check means nobody in particular, so everybody."""

    check: str
    asset: str
    source: Source
    severity: Literal["error", "warn"]
    passed: bool
    practice_ids: tuple[str, ...] = ()
    detail: str = ""
    file_ids: tuple[int, ...] = ()  # the landed files at fault, where it is files

    def stops(self, practice_id: str) -> bool:
        return not self.passed and self.severity == "error" and (not self.practice_ids or practice_id in self.practice_ids)


@dataclass(frozen=True)
class Verdict:
    """All findings of one source on one state of the inputs."""

    inputs: str
    findings: tuple[Finding, ...] = field(default_factory=tuple)
    batches: tuple[int, ...] = ()  # the lake's batches judged so far, where it is batches
    parts: Mapping[str, str] = field(default_factory=dict)  # what `inputs` is made of, where it is a build's


def _path(house: House, source: Source) -> Path:
    return house.state / "verdicts" / f"{source}.json"


def save(
    house: House,
    source: Source,
    inputs: str,
    findings: Iterable[Finding],
    batches: Iterable[int] = (),
    parts: Mapping[str, str] | None = None,
) -> Verdict:
    verdict = Verdict(inputs, tuple(sorted(findings, key=lambda f: (f.asset, f.check))), tuple(sorted(batches)), parts or {})
    content = {
        "inputs": inputs,
        "batches": verdict.batches,
        "parts": dict(verdict.parts),
        "findings": [asdict(finding) for finding in verdict.findings],
    }
    write_private(_path(house, source), json.dumps(content, indent=1, sort_keys=True) + "\n")
    return verdict


def load(house: House, source: Source) -> Verdict | None:
    """None when there is no verdict or it cannot be read: the gate then refuses, and a nightly run makes a new one."""
    try:
        content = json.loads(_path(house, source).read_text(encoding="utf-8"))
        findings = tuple(
            Finding(**{**finding, "practice_ids": tuple(finding["practice_ids"]), "file_ids": tuple(finding["file_ids"])})
            for finding in content["findings"]
        )
        return Verdict(content["inputs"], findings, tuple(content["batches"]), dict(content.get("parts", {})))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def failed(house: House) -> list[str]:
    """The checks of the last build and of the extracts that stop a practice, one line each: for the end of a command."""
    return [
        f"{finding.asset} {finding.check} ({', '.join(finding.practice_ids) or 'all practices'}): {finding.detail}"
        for verdict in (load(house, "dbt"), load(house, "great_expectations"))
        for finding in (verdict.findings if verdict else ())
        if not finding.passed and finding.severity == "error"
    ]


def forget(house: House, source: Source) -> None:
    """What was judged is being changed: until it is judged again, the gate refuses."""
    _path(house, source).unlink(missing_ok=True)


def ledgers(house: House) -> dict[int, str]:
    """Every batch of the lake, ascending, with the SHA-256 of its ledger, which holds every landed file's hash."""
    return {
        batch: hashlib.sha256((ledger_folder(house, batch) / LEDGER).read_bytes()).hexdigest() for batch in batch_numbers(house)
    }


def lake_fingerprint(house: House) -> str:
    """Names the state of the lake."""
    return fingerprint_of(ledgers(house))


def fingerprint_of(batches: Mapping[int, str]) -> str:
    """One name for these batches of a lake, as `ledgers` gives them."""
    digest = hashlib.sha256()
    for batch, ledger in sorted(batches.items()):
        digest.update(f"{batch}\0".encode() + bytes.fromhex(ledger))
    return digest.hexdigest()


def answers_fingerprints(house: House) -> list[str]:
    """Names the payers' answers after each batch, the present state last: every batch by the hash of its ledger, which holds every file's hash."""
    digest = hashlib.sha256()
    names = []
    for path in sorted((house.lake / "answers" / "batches").glob("[0-9]*")):
        digest.update(f"{path.name}\0".encode() + hashlib.sha256((path / "files.parquet").read_bytes()).digest())
        names.append(digest.hexdigest())
    return names or [digest.hexdigest()]


def build_fingerprint(house: House, configuration: str, project: str) -> str:
    """Names the state that the warehouse is built from: the lake's, the payers' answers', the configuration's and the dbt project's."""
    return combined(lake_fingerprint(house), answers_fingerprints(house)[-1], configuration, project)


def combined(lake: str, answers: str, configuration: str, project: str) -> str:
    """One name for the four."""
    return hashlib.sha256(f"{lake}\0{answers}\0{configuration}\0{project}".encode()).hexdigest()
