"""Arrays of users that outputs are written into: in memory, in files, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.arrays import Side
from nengo_dl.inputs.pieces import let_go


def out_arrays(out: Any, outputs: Side) -> dict[nengo.Probe, Any] | None:
    """Return the arrays that outputs of Probes are written into.

    Parameters
    ----------
    out : dict, sequence or array, or None
        By Probe, label or name; in the order of the Probes, where None leaves one out;
        or one, if there is one Probe. Anything with ``shape`` and ``__setitem__``.
    outputs : Side
        The Probes of the simulator.

    Raises
    ------
    ValidationError
        If a Probe is not known, there is nothing to write into, or it is read-only.
    """
    if out is None:
        return None
    if isinstance(out, Mapping) or hasattr(out, "keys"):
        pairs = [(outputs.find(key, "out"), out[key]) for key in out]
    elif isinstance(out, list | tuple):
        if len(out) > len(outputs.objects):
            raise ValidationError(
                f"Got {len(out)} arrays for {len(outputs.objects)} Probes: "
                f"{outputs.listing}",
                attr="out",
            )
        pairs = list(zip(outputs.objects, out, strict=False))
    elif len(outputs.objects) == 1:
        pairs = [(outputs.objects[0], out)]
    else:
        raise ValidationError(
            f"Expected a dict {{probe: array}}, got {type(out).__name__}; the Probes "
            f"are {outputs.listing}",
            attr="out",
        )
    found: dict[nengo.Probe, Any] = {}
    for probe, target in pairs:
        if target is None and not isinstance(out, Mapping):
            continue
        if probe in found or any(target is other for other in found.values()):
            raise ValidationError(
                f"Expected one array of its own for {probe}", attr="out"
            )
        _check(probe, target)
        found[probe] = target
    if not found:
        raise ValidationError(
            "Expected an array for at least one Probe, got none; the Probes are "
            f"{outputs.listing}",
            attr="out",
        )
    return found


def _check(probe: nengo.Probe, target: Any) -> None:
    """Refuse what cannot be written into."""
    if not hasattr(target, "shape") or not hasattr(target, "__setitem__"):
        raise ValidationError(
            f"Expected an array for {probe} that can be written into: of NumPy "
            "(np.memmap for files), Zarr, or anything with `shape` and `__setitem__`; "
            f"got {type(target).__name__}",
            attr="out",
        )
    writable = getattr(getattr(target, "flags", None), "writeable", True)
    if not writable or getattr(target, "read_only", False) is True:
        raise ValidationError(
            f"The array for {probe} is read-only. Expected one that can be written "
            'into: np.memmap(path, dtype, "w+" or "r+", shape=...)',
            attr="out",
        )


def check_form(
    probe: nengo.Probe, target: Any, shape: tuple[int, ...], dtype: Any, axis: int = 0
) -> None:
    """Refuse an array that outputs do not fit into.

    Parameters
    ----------
    probe : nengo.Probe
        What it is for.
    target : object
        The array.
    shape : tuple of int
        What is written into it.
    dtype : dtype_like
        The type of what is written.
    axis : int
        Axis along which it may be longer.

    Raises
    ------
    ValidationError
        If shape or type do not fit.
    """
    given = tuple(int(n) for n in target.shape)
    longer = len(given) == len(shape) and given[axis] >= shape[axis]
    if not longer or any(
        a != b for i, (a, b) in enumerate(zip(given, shape, strict=True)) if i != axis
    ):
        raise ValidationError(
            f"The array for {probe} has shape {given}; expected {shape}", attr="out"
        )
    own = getattr(target, "dtype", None)
    if own is None:
        return
    try:
        own = np.dtype(own)
        # every number can be written as text
        fits = own.kind not in "SUT" and np.can_cast(np.dtype(dtype), own, "same_kind")
    except TypeError:
        fits = False
    if not fits:
        raise ValidationError(
            f"The array for {probe} has type {own}; expected {np.dtype(dtype)}, or "
            "another floating point type",
            attr="out",
        )


def write(target: Any, places: Any, values: np.ndarray) -> None:
    """Write some outputs; what goes to a file does not stay in memory."""
    target[places] = values
    let_go(target)
