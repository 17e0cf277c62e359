"""Practices under other settings, judged by the same model as practices.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from orchestration.house import HouseError
from orchestration.practices import Practice, practices_of
from orchestration.settings.plain_yaml import SettingsLoader

OPTION = "--practice-setting"

# Settings that another answer of the models would not follow from: the name of a practice, and the zone its local times were read in.
NOT_TO_CHANGE = {
    "practice_id": "names the practice and is no setting",
    "time_zone": "the extracts' local times were read with it when they were taken in; land and take them in again in a home of their own",
}


def parsed(text: str) -> tuple[str, str]:
    """'key=value' as key and value; HouseError for anything else."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise HouseError(
            f"{OPTION} {text!r}: write it as key=value, such as service_date_policy=threshold_day or close.final_day=25"
        )
    if key.split(".")[0] in NOT_TO_CHANGE:
        raise HouseError(f"{OPTION} {key}: {NOT_TO_CHANGE[key.split('.')[0]]}")
    return key, value.strip()


def with_settings(practices: Mapping[str, Practice], settings: Sequence[tuple[str, str]]) -> dict[str, Practice]:
    """Every practice with the settings changed; a key with dots goes into a part, such as close.final_day or charges.99490.

    Values are text as in practices.yaml: `null` is none, `{...}` and `[...]` are YAML, the model reads the rest by the setting's type.
    Raises HouseError naming the practice and the key where a setting is unknown or its value is not allowed.
    """
    if not settings:
        return dict(practices)
    entries = []
    for practice in practices.values():
        entry = practice.model_dump(mode="python")
        for key, value in settings:
            _set(entry, key, value)
        entries.append(entry)
    return practices_of(Path(OPTION), {"practices": entries})


def _set(entry: dict[str, Any], key: str, value: str) -> None:
    *parts, last = key.split(".")
    part: Any = entry
    model: type[BaseModel] | None = Practice
    for name in parts:
        model = _model_of(model, name)
        if model is not None and part.get(name) is None:
            part[name] = {}  # an optional section: its defaults, or the model says what is missing
        part = part.get(name)
        if not isinstance(part, dict):
            raise HouseError(f"{OPTION} {key}: {name} is no known setting with parts; docs/settings.md has the keys")
    if value == "null":
        part[last] = None
    elif value.startswith(("{", "[")):
        try:
            part[last] = yaml.load(value, Loader=SettingsLoader)
        except HouseError as error:
            raise HouseError(f"{OPTION} {key}: {error}") from None
        except yaml.YAMLError:
            raise HouseError(f"{OPTION} {key}: {value!r} is not valid YAML") from None
    else:
        part[last] = value


def _model_of(model: type[BaseModel] | None, name: str) -> type[BaseModel] | None:
    """The model of a section, optional or not; None where the setting has no parts or parts of any name."""
    field = model.model_fields.get(name) if model is not None else None
    kinds = (field.annotation, *get_args(field.annotation)) if field is not None else ()
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
