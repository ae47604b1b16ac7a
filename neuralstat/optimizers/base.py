"""What all optimizers' settings have in common."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any


class Optimizer:
    """Base of the optimizers' settings."""

    name: str

    def to_plain(self) -> dict[str, Any]:
        """The optimizer as plain data; see `from_plain`."""
        return {"optimizer": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]
