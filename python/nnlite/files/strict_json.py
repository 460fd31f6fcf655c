"""JSON that every reader accepts: no NaN, no Infinity."""

import json
import math
from typing import Any


def finite(value: Any, name: str = "") -> tuple[Any, list[str]]:
    """(`value` with None for NaN and infinity, the names of their places).

    >>> finite({"loss": float("nan"), "of": [1.0, float("inf")]})
    ({'loss': None, 'of': [1.0, None]}, ['loss', 'of[1]'])
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None, [name or "the value"]
    if isinstance(value, dict):
        parts = {key: finite(item, f"{name}.{key}" if name else str(key)) for key, item in value.items()}
        return {key: part for key, (part, _) in parts.items()}, [
            place for _, places in parts.values() for place in places
        ]
    if isinstance(value, list | tuple):
        items = [finite(item, f"{name}[{i}]") for i, item in enumerate(value)]
        return [item for item, _ in items], [place for _, places in items for place in places]
    return value, []


def dumps(value: Any, **options: Any) -> str:
    """JSON text, with null for a number that is not finite; `options` are those of json.dumps."""
    return json.dumps(finite(value)[0], allow_nan=False, **options)
