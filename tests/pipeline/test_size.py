"""A month at two sizes in one run, the larger of 100,000 time entries: what ten times the rows cost. Guards against what grows by the square."""

from __future__ import annotations

import time

from benchmarks.lake import make_home
from orchestration.transform import compiled

from ..holds.bench import build

# Ten times the rows. Sorting adds a little; what grows by the square comes to a hundred.
GROWTH, NOISE_S = 20, 0.02


def _seconds(folder, patients: int) -> dict[str, float]:
    """CPU seconds of each model."""
    house = make_home(folder, patients)
    found = {}
    with build(house.root, ()) as con:
        for model in compiled.in_order(compiled.models()):
            began = time.process_time()
            compiled.run(con, house.root, [model])
            found[model.name] = time.process_time() - began
        rows = con.execute("select count(*) from staging.stg_time_entries").fetchall()[0][0]
        credited = con.execute("select count(*) from marts.patient_month_minutes where credited_minutes > 0").fetchall()[0][0]
    assert rows == 10 * patients and credited > 0.99 * patients
    return found


def test_ten_times_the_entries_cost_about_ten_times_as_much_in_every_model(tmp_path):
    small, large = _seconds(tmp_path / "small", 1_000), _seconds(tmp_path / "large", 10_000)
    grown = {name: large[name] / max(small[name], NOISE_S) for name in small}
    assert {name: round(growth) for name, growth in grown.items() if growth > GROWTH} == {}
