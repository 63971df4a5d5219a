"""What a run costs: delays, memory and processor time, measured from outside the processes."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds that half, 95 % and 99 % of something stayed within."""

    p50: float
    p95: float
    p99: float


def percentiles(seconds: Sequence[float]) -> Percentiles | None:
    """Return the nearest-rank percentiles of *seconds*; None of nothing.

    >>> percentiles([0.4, 0.1, 0.2, 0.3])
    Percentiles(p50=0.2, p95=0.4, p99=0.4)
    """
    if not seconds:
        return None
    ordered = sorted(seconds)

    ranks = (math.ceil(len(ordered) * share / 100) - 1 for share in (50, 95, 99))
    return Percentiles(*(ordered[rank] for rank in ranks))


@dataclass(frozen=True, slots=True)
class Costs:
    """What a group of processes has used up so far, and holds now.

    Attributes:
        cpu_seconds: In user and system mode, of ended children too.
        memory_bytes: Of all together, what they share counted once (PSS).
    """

    cpu_seconds: float
    memory_bytes: int


@dataclass(slots=True)
class Meter:
    """Looks at groups of processes, each given by leading processes; children belong to them.

    Attributes:
        peak_bytes: The most that all groups together held whenever somebody looked.
    """

    leaders: Mapping[str, Sequence[int]]
    peak_bytes: int = field(default=0, init=False)

    def look(self) -> dict[str, Costs]:
        """Return every group's costs now; a process that has ended costs nothing."""
        costs = {name: _costs(pids) for name, pids in self.leaders.items()}
        self.peak_bytes = max(self.peak_bytes, sum(c.memory_bytes for c in costs.values()))
        return costs

    def cpu_seconds(self) -> dict[str, float]:
        """Return every group's processor time; cheaper than `look`."""
        return {
            name: sum(_cpu_seconds(p) for p in _family(pids)) for name, pids in self.leaders.items()
        }


def peak_resident_bytes(pid: int) -> int:
    """Return the most memory that a running process has ever had resident, by the kernel.

    What it shares with others is counted in full. 0 where the process is gone.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def load_average() -> float:
    """Return how many processes wanted to run during the last minute, on average."""
    return os.getloadavg()[0]


def _costs(pids: Sequence[int]) -> Costs:
    family = _family(pids)
    return Costs(
        cpu_seconds=sum(map(_cpu_seconds, family)),
        memory_bytes=sum(map(_memory_bytes, family)),
    )


def _family(pids: Sequence[int]) -> list[psutil.Process]:
    """Return the processes and all below them, each once."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(pid)
            for process in (leader, *leader.children(recursive=True)):
                found[process.pid] = process
    return list(found.values())


def _cpu_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0


def _memory_bytes(process: psutil.Process) -> int:
    # The kernel tells PSS only to the owner and to root.
    with contextlib.suppress(psutil.Error):
        try:
            full = process.memory_full_info()
            return int(getattr(full, "pss", full.rss))
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    return 0
