"""Traced and compiled functions that later simulators of equal models use again.

Decoders and state are arguments of a compiled loop, so what it computes is the same for
every model of equal structure, whatever its weights. TensorFlow keeps a compiled
function (about 3 MB of a small model) to the end of the process in any case.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")

#: so many functions are kept; the one that was not used for the longest time goes first
CAPACITY = 64

_lock = threading.Lock()
_traces: OrderedDict[Hashable, object] = OrderedDict()


def shared(key: Hashable | None, make: Callable[[], T]) -> T:
    """Return what was made under an equal key, or make it now.

    Parameters
    ----------
    key : Hashable or None
        What the function depends on; None if that is not known.
    make : callable
        Traces the function. It must not refer to the model, which would stay in memory.
    """
    if key is None:
        return make()
    with _lock:
        if key in _traces:
            _traces.move_to_end(key)
            return _traces[key]  # type: ignore[return-value]
    made = make()
    with _lock:
        _traces[key] = made
        while len(_traces) > CAPACITY:
            _traces.popitem(last=False)
    return made


def forget() -> None:
    """Forget all functions."""
    with _lock:
        _traces.clear()
