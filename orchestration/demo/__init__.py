"""Made-up practices for `ccm demo`, and the overlay that gives any patients months of chronic care management."""

from orchestration.demo.generate import Case, DemoPlan, make_demo

__all__ = ["Case", "DemoPlan", "make_demo"]
