"""Let Python's garbage collector rest while a model is planned."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Let Python's collector rest: planning makes millions of objects that stay.

    It would look through all of them, and through Nengo's, again and again, in vain:
    planning 20,000 ensembles takes a quarter longer with it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
