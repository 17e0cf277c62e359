"""Several practices' month in one run: while pyx12 reads one practice's claim file in a process of its own, the next practice's is made."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context

import duckdb

from orchestration.close.claim_file import Judging, judge_here
from orchestration.close.closing import Approval, Closed, closing
from orchestration.close.in_common import InCommon
from orchestration.close.packet import finish
from orchestration.close.x12.claim_rules import ClaimRules
from orchestration.close.x12.scrub import Fault
from orchestration.close.x12.validate import judge
from orchestration.discretion import defect
from orchestration.engine import held_open
from orchestration.house import House, HouseError
from orchestration.practices import Practice

# A process starts in about the second that pyx12 takes for 500 claims: of fewer practices the files are judged where they are made.
FEW = 8
# What no practice is the cause of: the next would meet it as well.
OF_THE_MACHINE = (OSError, MemoryError, duckdb.IOException, duckdb.OutOfMemoryException)


@contextmanager
def judges(practices: int) -> Iterator[tuple[Judging, int]]:
    """Judges for the files of so many practices, and how many files they read at once."""
    processes = os.cpu_count() or 1
    if practices < FEW or processes == 1:
        yield judge_here, 1
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:

        def judging(content: bytes, rules: ClaimRules) -> Callable[[], Sequence[Fault]]:
            return pool.submit(judge, content, rules).result

        yield judging, processes


def trouble_of(house: House, practice: Practice, error: Exception) -> HouseError:
    """What this practice is told of an error in its close; raises what is not this practice's alone."""
    if isinstance(error, HouseError):
        return error
    if isinstance(error, OF_THE_MACHINE):
        raise error
    return defect(house, f"the close of {practice.practice_id}", error)


def close_all(
    house: House, approvals: Sequence[tuple[Practice, Approval]], month: date
) -> Iterator[tuple[Practice, Closed | HouseError]]:
    """Closes the month of each practice, in this order as far as anybody can see: control numbers are allocated in it, and of practices of one tax
    id each is done before the next begins. One practice's trouble is its own, a defect of ours that its rows bring out included."""
    waiting: deque[tuple[Practice, Generator[None, None, Closed]]] = deque()

    def done() -> tuple[Practice, Closed | HouseError]:
        practice, steps = waiting.popleft()
        try:
            return practice, finish(steps)
        except Exception as error:
            return practice, trouble_of(house, practice, error)

    try:
        with held_open(house), judges(len(approvals)) as (judging, at_once):
            common = InCommon(house, month)
            for practice, approval in approvals:
                while len(waiting) > at_once or any(other.tax_id == practice.tax_id for other, _ in waiting):
                    yield done()
                steps = closing(house, practice, month, approval, judging, common)
                try:
                    next(steps)
                except StopIteration as ended:
                    yield practice, ended.value
                except Exception as error:
                    yield practice, trouble_of(house, practice, error)
                else:
                    waiting.append((practice, steps))
            while waiting:
                yield done()
    finally:
        # What breaks off the run may be kept by somebody, and a close that waits with it: its lock would stop the next run of this process for ever.
        for _, steps in waiting:
            steps.close()
