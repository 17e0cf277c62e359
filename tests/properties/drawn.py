"""Practices that hypothesis draws: many examples, one build; and a failing one made smaller, one build for each try."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.properties.strategies import Clinic, clinics

Judge = Callable[[Clinic], list[str]]


class EnoughError(BaseException):
    """Ends hypothesis's search from inside; no Exception, which it would take for a failure."""


def _settings(examples: int, phases: tuple[Phase, ...], is_fixed: bool) -> settings:
    return settings(
        max_examples=examples,
        phases=phases,
        derandomize=is_fixed,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


def fingerprint(clinic: Clinic) -> str:
    """Of everything the practice lands, whatever it is called."""
    files = clinic.name("drawn", 0).files()
    return sha256(repr([sorted(clinic.config.items(), key=str), sorted(files.items())]).encode()).hexdigest()


def draw_practices(examples: int, number: int) -> list[Clinic]:
    """Different practices, at most `examples`; the same for the same number."""
    found: dict[str, Clinic] = {}

    @seed(number)
    @_settings(examples, (Phase.generate,), is_fixed=False)
    @given(clinics())
    def draw(clinic: Clinic) -> None:
        found.setdefault(fingerprint(clinic), clinic)

    draw()
    return [clinic.name(f"d{number}-{place:02d}", number % 1000 * 100 + place) for place, clinic in enumerate(found.values(), 1)]


def smallest(examples: int, number: int, failing: set[str], judge: Judge, tries: int) -> tuple[Clinic, list[str]] | None:
    """Draws the same practices again, and lets hypothesis make the first failing one smaller.

    `failing`: fingerprints. Every try is judged alone; after so many tries the smallest so far stands.
    """
    verdicts: dict[str, list[str]] = {}
    best: list[tuple[Clinic, list[str]]] = []

    @seed(number)
    @_settings(examples, (Phase.generate, Phase.shrink), is_fixed=False)
    @given(clinics())
    def shrink(clinic: Clinic) -> None:
        if len(verdicts) == tries:
            raise EnoughError
        key = fingerprint(clinic)
        if key not in verdicts and (key in failing or best):
            verdicts[key] = judge(clinic)
        if verdicts.get(key):
            best.append((clinic, verdicts[key]))
            raise AssertionError("the marts and the second opinion disagree")

    with suppress(AssertionError, EnoughError):
        shrink()
    return min(best, key=lambda found: sum(map(len, found[0].files().values())), default=None)
