"""What load_state_dict could not match."""

from __future__ import annotations

from typing import NamedTuple


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left out."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def problems(self) -> list[str]:
        """What is missing and unexpected, for a message."""
        lists = {"missing keys": self.missing_keys, "unexpected keys": self.unexpected_keys}
        return [f"{what}: {', '.join(map(str, keys))}" for what, keys in lists.items() if keys]
