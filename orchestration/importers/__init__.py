"""Public exports turned into landing folders."""

from orchestration.importers.report import ImportReport, Unmapped
from orchestration.importers.synthea import import_synthea

__all__ = ["ImportReport", "Unmapped", "import_synthea"]
