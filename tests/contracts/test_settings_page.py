"""Every setting has its line on docs/settings.md."""

from __future__ import annotations

import re

from pydantic import BaseModel

from orchestration import practices
from orchestration.house import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SAID = set(re.findall(r"`([A-Za-z0-9_.]+):?`", PAGE))


def test_every_key_of_practices_yaml_is_on_the_page() -> None:
    models = [one for one in vars(practices).values() if isinstance(one, type) and issubclass(one, BaseModel) and one.model_fields]
    keys = {key for model in models for key in model.model_fields} - {"id"}
    assert len(keys) > 40 and keys - {name.split(".")[-1] for name in SAID} == set()


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    read = {
        name
        for path in (PROJECT_ROOT / "orchestration").rglob("*.py")
        for name in re.findall(r"\bCCM_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert len(read) > 10 and read - SAID == set()
