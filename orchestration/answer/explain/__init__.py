"""Why a patient-month is what it is: gates, minutes, candidates, prices, and the landed rows behind them."""

from orchestration.answer.explain.source import Source, of_marts, of_packet
from orchestration.answer.explain.story import tell

__all__ = ["Source", "of_marts", "of_packet", "tell"]
