"""The machine's raw rate of Argon2id with the product's parameters: threads in a process of their own.

`python -m bench.argon2 SECONDS THREADS` prints hashes a second.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from argon2.low_level import Type, hash_secret_raw

from bench.cores import pinned
from bench.load import ROOT

PASSWORD, SALT = b"walnut-harbour-0123456789", b"0123456789abcdef"


def raw_rate(seconds: float, cores: frozenset[int]) -> float:
    """Hashes a second on these cores, one thread a core."""
    command = [sys.executable, "-m", "bench.argon2", str(seconds), str(len(cores))]
    with pinned(cores):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 30, check=True)
    return float(done.stdout)


def hashes(until: float) -> int:
    """Hash until then; at least once."""
    done = 0
    while not done or perf_counter() < until:
        hash_secret_raw(PASSWORD, SALT, time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID)
        done += 1
    return done


if __name__ == "__main__":
    seconds, threads = float(sys.argv[1]), int(sys.argv[2])
    hashes(0)
    begin = perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(hashes, [begin + seconds] * threads))
    print(total / (perf_counter() - begin))
