"""A FHIR R4 bulk export (NDJSON) turned into the landed extracts of a practice."""

from orchestration.importers.fhir.land import import_fhir
from orchestration.importers.fhir.report import FhirReport

__all__ = ["FhirReport", "import_fhir"]
