"""Runs the fuzz tests with ever new examples for some minutes: `make fuzz MINUTES=10`.

Prints its seed before it begins, and after a finding the command that repeats the round.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time

from tests.fuzz.budget import FACTOR_VARIABLE

FACTOR = 4
"""How many times the examples of `make test` one round tries, per test."""
ROUND_TIMEOUT_SECONDS = 1_200


def main() -> int:
    """Run rounds until the time is over; return 1 with the first finding."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="of the first round; random if not given")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    end = time.monotonic() + options.minutes * 60
    rounds = 0
    print(f"fuzz: seed {seed}, {options.minutes:g} minutes", flush=True)  # noqa: T201
    while rounds == 0 or time.monotonic() < end:
        if not run_round(seed + rounds):
            again = f"make fuzz MINUTES=0 SEED={seed + rounds}"
            print(f"fuzz: something was found in round {rounds + 1}; repeat it with: {again}")  # noqa: T201
            return 1
        rounds += 1
    print(f"fuzz: nothing was found in {rounds} rounds from seed {seed}")  # noqa: T201
    return 0


def run_round(seed: int) -> bool:
    """Run all fuzz tests once with examples of *seed*; say whether they passed."""
    command = [
        sys.executable, "-m", "pytest", "tests/fuzz", "-q", "-n", "0", "-p", "no:randomly",
        f"--hypothesis-seed={seed}", f"--timeout={ROUND_TIMEOUT_SECONDS}", "--show-capture=no",
    ]  # fmt: skip
    environment = os.environ | {FACTOR_VARIABLE: str(FACTOR)}
    return subprocess.run(command, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
