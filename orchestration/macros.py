"""Macros of the dbt project in queries that are put together elsewhere: what they say has one place, and no other is it."""

from __future__ import annotations

import jinja2

from orchestration.house import DBT_PROJECT


def project_macros(schema: str | None = None) -> jinja2.Environment:
    """For queries with the macros of fees.sql and programs.sql, ref() naming the tables of a schema or, without one, those in sight."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(DBT_PROJECT / "macros"), autoescape=False)  # SQL, not HTML
    environment.globals["ref"] = lambda name: f"{schema}.{name}" if schema else name
    return environment
