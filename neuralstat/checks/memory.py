"""Bounds before work: what a call is about to make is refused where the memory at hand does not hold it."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import TooLargeError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LEFT = 0.8  # of the memory at hand, what one call may take


def memory_at_hand() -> int:
    """Bytes that can be taken: what the system says is free, within the limit of a container; 2 GiB where nothing says it."""
    free = []
    try:
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
        free.append(int(line.split()[1]) * 1024)
    except (OSError, StopIteration, ValueError):
        pass
    free.extend(_left_in_container(Path("/sys/fs/cgroup")))
    try:
        limit_as = resource.getrlimit(resource.RLIMIT_AS)[0] if resource is not None else -1
        if limit_as >= 0:  # of this process, as set by ulimit -v
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            free.append(limit_as - pages * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        pass
    if not free and hasattr(os, "sysconf"):
        with_pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free.append(with_pages if with_pages > 0 else 2**31)
    return max(min(free, default=2**31), 0)


def _left_in_container(root: Path) -> list[int]:
    """Bytes within the limit of a control group, of version 2 or 1: copies of files that the system lets go are free."""
    for folder, limit, used, prefix in (
        (root, "memory.max", "memory.current", ""),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        try:
            most, taken = ((folder / name).read_text().strip() for name in (limit, used))
            if most == "max":
                return []
            counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            kept = sum(int(counts.get(prefix + name, 0)) for name in ("inactive_file", "active_file", "slab_reclaimable"))
            return [int(most) - int(taken) + kept]
        except (OSError, ValueError):
            continue
    return []


def check_size(count: int, what: str, item: int = 8) -> None:
    """Refuse to make so many items of so many bytes where the memory at hand does not hold them.

    Raises
    ------
    TooLargeError
        Says what would be made, and how large it and the memory are.
    """
    wanted = int(count) * item
    if wanted <= 2**26:  # 64 MiB
        return
    at_hand = memory_at_hand()
    if wanted > LEFT * at_hand:
        need, free = (f"{bytes_ / 2**30:,.3g} GiB" for bytes_ in (wanted, at_hand))
        raise TooLargeError(f"{what}: {need} would be needed, {free} of memory are free.")
