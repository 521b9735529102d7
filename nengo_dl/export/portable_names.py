"""Names of inputs, outputs and state that are valid in every format."""

from __future__ import annotations

import keyword
import re
from collections.abc import Hashable, Mapping
from typing import TypeVar

from nengo_dl.inputs.names import FreeNames

Key = TypeVar("Key", bound=Hashable)

#: what formats, or their runtimes, call arguments of their own, and what Python does
#: not take as the name of one
RESERVED = frozenset(
    {"n_steps", "minibatch_size", "self", "name", "training"}
    | {word.lower() for word in keyword.kwlist}
)


def portable_names(wanted: Mapping[Key, str]) -> dict[Key, str]:
    """Return names made of letters, digits and ``_`` that begin with a letter.

    Names that would occur again, in capital letters or not, or that are reserved, get
    ``_1``, ``_2``, ...

    Parameters
    ----------
    wanted : mapping of object to str
        What each is to be called.

    Examples
    --------
    >>> from nengo_dl.export.portable_names import portable_names
    >>> portable_names({1: "my node", 2: "My.Node", 3: "2d"})
    {1: 'my_node', 2: 'My_Node_1', 3: 'x2d'}
    """
    names: dict[Key, str] = {}
    free = FreeNames(RESERVED)
    for key, text in wanted.items():
        base = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
        if not base[:1].isalpha():
            base = f"x{base}"
        names[key] = free.take(base)
    return names
