"""Sampling from inside: on PYTHONPATH, it lets a Python program say where its main thread spends CPU time.

SIGUSR1 begins, SIGUSR2 ends and writes `BENCH_SAMPLES` (collapsed stacks, `frame;frame;... nanoseconds`,
outermost first, as flame graph tools read them). A sample weighs the CPU time of the main thread since the
last one, so waiting weighs nothing. What C code spends is found at the Python line that runs next, mostly its
caller. The line `(other threads)` is the rest of the process: a server's own threads.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from types import FrameType

FILE = os.environ.get("BENCH_SAMPLES")
EVERY = 0.001
DEEPEST = 60
FIRST_STEPS = 8  # bytes of code before a function's first line


class Sampler:
    """Stacks with the nanoseconds seen in each."""

    def __init__(self) -> None:
        self.stacks: Counter[str] = Counter()
        self.last = self.begin_thread = self.begin_process = 0

    def begin(self, *_: object) -> None:
        """Start counting."""
        self.stacks.clear()
        self.last = self.begin_thread = time.thread_time_ns()
        self.begin_process = time.process_time_ns()
        signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)

    def sample(self, _: int, frame: FrameType | None) -> None:
        """Count the CPU time since the last sample for the stack of this moment."""
        now = time.thread_time_ns()
        self.stacks[stack(frame)] += now - self.last
        # what sampling itself takes is counted for nobody
        self.last = time.thread_time_ns()

    def end(self, *_: object) -> None:
        """Stop counting and write what was seen."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        whole = time.process_time_ns() - self.begin_process
        self.stacks["(other threads)"] = whole - (time.thread_time_ns() - self.begin_thread)
        with open(f"{FILE}.new", "w") as out:
            out.writelines(f"{names} {weight}\n" for names, weight in self.stacks.items())
        os.replace(f"{FILE}.new", str(FILE))


def stack(frame: FrameType | None) -> str:
    """Files and functions, outermost first."""
    # a function that has not begun ran none of the time that is counted now: whoever called it did
    names = ["(beginning)"] if frame is not None and frame.f_lasti <= FIRST_STEPS else []
    while frame is not None and len(names) < DEEPEST:
        names.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
        frame = frame.f_back
    return ";".join(reversed(names))


if FILE:
    sampler = Sampler()
    signal.signal(signal.SIGALRM, sampler.sample)
    # interrupted system calls go on by themselves
    signal.siginterrupt(signal.SIGALRM, False)  # noqa: FBT003
    signal.signal(signal.SIGUSR1, sampler.begin)
    signal.signal(signal.SIGUSR2, sampler.end)
