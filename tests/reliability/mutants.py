"""Random damage to model files: to their bytes, and to their header with a corrected checksum."""

from __future__ import annotations

import json
import random
from typing import Any

from nnlite.files.model_file import _checksum
from nnlite.files.safetensors import decode

LENGTHS = [0, 1, 7, 8, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
TEXTS = ["", "F32", "F64", "I64", "BOOL", "BF16", "\0", "é", "__metadata__", "nnlite", "0" * 64, "weight", "[" * 2000]


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return rng.choice(LENGTHS) * rng.choice([1, -1])
    if kind == 2:
        return rng.choice([True, False, None])
    if kind == 3:
        return rng.choice([0.5, -0.0, 1e308, float("inf"), float("nan")])
    if kind in (4, 5):
        return rng.randrange(10)
    items = [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return items if kind == 6 else {rng.choice(TEXTS): item for item in items}


def of_bytes(rng: random.Random, data: bytes) -> bytes:
    """One to four changes: bytes flipped, inserted, deleted, duplicated, truncated or overwritten by a length."""
    damaged = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(damaged) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(damaged):
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 2:
            del damaged[at : at + rng.randrange(1, 20)]
        elif kind == 3:
            damaged[at:at] = damaged[at : at + rng.randrange(1, 50)]
        elif kind == 4 and rng.randrange(4) == 0:
            del damaged[at:]
        else:
            at = rng.choice([0, at])
            damaged[at : at + 8] = rng.choice(LENGTHS).to_bytes(8, "little")
    return bytes(damaged)


def of_value(rng: random.Random, parent: Any) -> None:
    """Changes, removes or adds an item in a tree of dictionaries and lists, in place."""
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = rng.choice(keys) if keys else None
        if key is not None and isinstance(parent[key], dict | list) and parent[key] and rng.randrange(4):
            parent = parent[key]
            continue
        break
    kind = rng.randrange(6)
    if key is None or kind == 0:
        new = value(rng)
        if isinstance(parent, dict):
            parent[rng.choice(TEXTS)] = new
        else:
            parent.append(new)
    elif kind == 1:
        del parent[key]
    elif kind == 2 and isinstance(parent[key], int):
        parent[key] += rng.choice([-1, 1, 4])
    elif kind == 3 and isinstance(parent, dict):
        parent[rng.choice(list(parent))] = parent[key]
    else:
        parent[key] = value(rng)


def of_header(rng: random.Random, data: bytes) -> bytes:
    """The same in the header or the description within it; half of the time with a corrected checksum."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    description = json.loads(header["__metadata__"]["nnlite"])
    for _ in range(rng.randrange(1, 4)):
        of_value(rng, header if rng.randrange(2) else description)
    if isinstance(header.get("__metadata__"), dict) and rng.randrange(8):
        header["__metadata__"]["nnlite"] = json.dumps(description)
    return rebuilt(header, data[8 + size :], bool(rng.randrange(2)))


def rebuilt(header: dict[str, Any], body: bytes, repair: bool) -> bytes:
    """A file of a header and the arrays' bytes; `repair` corrects its checksum if possible."""
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + body
    if not repair:
        return data
    try:
        description = json.loads(header["__metadata__"]["nnlite"])
        digest = _checksum({**description, "sha256": ""}, decode(data)[0])
        header["__metadata__"]["nnlite"] = json.dumps({**description, "sha256": digest})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return data
    return rebuilt(header, body, False)
