"""What the inputs and outputs of a network are called, and how they are looked up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nengo
from nengo.exceptions import ValidationError


def io_names(
    nodes: Sequence[nengo.Node], probes: Sequence[nengo.Probe]
) -> dict[nengo.Node | nengo.Probe, str]:
    """Return the name of each input and output, as Keras and files show it.

    A name is the object's label, with ``_`` for spaces and colons and without what is
    not among ``A-Za-z0-9_.-/``; ``node`` or ``probe`` if nothing is left. Names that
    would occur again, in capital letters or not, get ``_1``, ``_2``, ...

    Parameters
    ----------
    nodes : sequence of nengo.Node
        The input Nodes, in the order of the network.
    probes : sequence of nengo.Probe
        The Probes, in the order of the network.
    """
    names: dict[nengo.Node | nengo.Probe, str] = {}
    free = FreeNames()
    for obj in (*nodes, *probes):
        label = re.sub("[ :]", "_", obj.label or "")
        base = re.sub(r"[^A-Za-z0-9_.\-/]", "", label)
        if not base:
            base = "node" if isinstance(obj, nengo.Node) else "probe"
        names[obj] = free.take(base)
    return names


class FreeNames:
    """Give names of which no two are equal, in capital letters or not.

    Parameters
    ----------
    reserved : iterable of str
        Names that are taken from the start, in small letters.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)
        # the last number of each name: thousands of Probes may have one label
        self._numbers: Counter[str] = Counter()

    def take(self, name: str) -> str:
        """Return a name that is free: as it is, or with ``_1``, ``_2``, ... behind."""
        free, key = name, name.lower()
        while free.lower() in self._taken:
            self._numbers[key] += 1
            free = f"{name}_{self._numbers[key]}"
        self._taken.add(free.lower())
        return free


def find(
    key: Any,
    candidates: Sequence[Any],
    kind: str,
    attr: str,
    names: Mapping[Any, str] | None = None,
) -> Any:
    """Return the Node or Probe that a label or name stands for.

    Parameters
    ----------
    key : str
        A label, or a name that `io_names` gives.
    candidates : sequence of nengo.Node or nengo.Probe
        What it may stand for.
    kind : str
        What these are, in singular: ``"input Node"``.
    attr : str
        The argument that the key was found in.
    names : dict, optional
        Names of the candidates.

    Raises
    ------
    ValidationError
        If it stands for none of them, or for several.
    """
    named = [obj for obj in candidates if names is not None and names.get(obj) == key]
    # labels need not be unique, names are
    found = named or [obj for obj in candidates if obj.label == key]
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} {kind}s have" if found else f"no {kind} has"
    raise ValidationError(
        f"{problem} the label {key!r}; the {kind}s are {listing(candidates, names)}",
        attr=attr,
    )


def listing(objects: Sequence[Any], names: Mapping[Any, str] | None = None) -> str:
    """Return objects in words, with the names that they can be called by."""
    if names is None:
        return ", ".join(map(str, objects)) or "none"
    return ", ".join(f"{obj} ({names[obj]!r})" for obj in objects) or "none"
