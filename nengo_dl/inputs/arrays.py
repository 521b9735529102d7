"""Arrays that users give for the inputs and outputs of a network, in any form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.inputs.names import find, listing


@dataclass(frozen=True)
class Side:
    """Where a network can be given arrays: its inputs, or its outputs.

    Attributes
    ----------
    kind : type
        ``nengo.Node`` for inputs, ``nengo.Probe`` for outputs.
    objects : tuple of nengo.Node or nengo.Probe
        The objects, in the order of the network.
    names : dict or None
        The names that they have beside their labels.
    """

    kind: type
    objects: tuple[Any, ...]
    names: Mapping[Any, str] | None = None

    @property
    def word(self) -> str:
        """What one of the objects is called."""
        return "input Node" if self.kind is nengo.Node else "Probe"

    def find(self, key: Any, attr: str) -> Any:
        """Return the object that a key stands for.

        Parameters
        ----------
        key : nengo.Node, nengo.Probe or str
            The object itself, its label or its name.
        attr : str
            The argument that it was found in.

        Raises
        ------
        ValidationError
            If there is no such object in the network.
        """
        if isinstance(key, str):
            return find(key, self.objects, self.word, attr, self.names)
        if not isinstance(key, self.kind):
            rule = (
                "Data are presented to Nodes"
                if self.kind is nengo.Node
                else "Targets belong to Probes"
            )
            raise ValidationError(f"{rule}; got {key!r} as a key", attr=attr)
        if key in self.objects:
            return key
        if isinstance(key, nengo.Node) and key.size_in > 0:
            raise ValidationError(
                f"{key} has inputs (size_in={key.size_in}), and data can be presented "
                "only to Nodes with size_in=0",
                attr=attr,
            )
        raise ValidationError(
            f"{key} is not part of the simulated network; its {self.word}s are "
            f"{listing(self.objects)}",
            attr=attr,
        )

    def pairs(
        self, data: Any, attr: str, first_of_several: bool = False
    ) -> list[tuple[Any, Any]]:
        """Return objects and what was given for them.

        Parameters
        ----------
        data : dict, sequence of np.ndarray, array or None
            By object, label or name; in the order of the objects; or for one.
        attr : str
            The argument that they were given as.
        first_of_several : bool
            Whether a single array belongs to the first object even if there are more.

        Raises
        ------
        ValidationError
            If it cannot be told what belongs to which object.
        """
        if data is None:
            return []
        if isinstance(data, Mapping):
            found: dict[Any, Any] = {}
            for key, values in data.items():
                obj = self.find(key, attr)
                if obj in found:
                    raise ValidationError(f"Got two arrays for {obj}", attr=attr)
                found[obj] = values
            return list(found.items())
        if isinstance(data, list | tuple) and all(
            isinstance(d, np.ndarray) for d in data
        ):
            if len(data) > len(self.objects):
                raise ValidationError(
                    f"Got {len(data)} arrays for {len(self.objects)} {self.word}s "
                    f"({listing(self.objects)})",
                    attr=attr,
                )
            return list(zip(self.objects, data, strict=False))
        if len(self.objects) == 1 or (first_of_several and self.objects):
            return [(self.objects[0], data)]
        raise ValidationError(
            f"A single array needs exactly one {self.word}; this model has "
            f"{len(self.objects)} ({listing(self.objects)}). Expected a dict "
            f"{{{self.kind.__name__}: array}}",
            attr=attr,
        )

    def size(self, obj: Any) -> int:
        """Return the length of the last axis of an object's arrays."""
        return int(obj.size_out if self.kind is nengo.Node else obj.size_in)

    def axes(self, obj: Any, batch: Any = "n_items", steps: Any = "n_steps") -> str:
        """Return the shape that arrays for an object are expected to have."""
        return f"({batch}, {steps}, {self.size(obj)})"


def numbers(
    values: Any, dtype: Any, obj: Any, expected: str, attr: str, missing: bool = False
) -> np.ndarray:
    """Return an array of floating point numbers, without a copy if it is one.

    Parameters
    ----------
    values : array_like or tf.Tensor
        What was given.
    dtype : dtype_like or None
        The type that is wanted; None keeps single and double precision as they are.
    obj : nengo.Node or nengo.Probe
        What it was given for.
    expected : str
        The shape that is expected, in words.
    attr : str
        The argument that it was given as.
    missing : bool
        Whether elements may be missing, ``np.nan``.

    Raises
    ------
    ValidationError
        If these are not numbers, or not finite.
    """
    try:
        array = np.asarray(values, dtype=dtype)
        if dtype is None and array.dtype not in (np.float32, np.float64):
            array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValidationError(
            f"Data for {obj} are not numbers: {values!r:.100}; expected an array of "
            f"shape {expected}",
            attr=attr,
        ) from None
    bad = np.any(np.isinf(array)) if missing else not _finite(array)
    if bad:
        what = "infinity" if missing else "NaN or infinity"
        raise ValidationError(
            f"Data for {obj} contain {what}; expected finite numbers", attr=attr
        )
    return array


def _finite(array: np.ndarray) -> bool:
    """Return whether all numbers of an array are finite.

    A sum of squares is finite only if all of them are. It takes a quarter of the time
    of `numpy.isfinite`, which writes an array of answers.
    """
    # what is repeated along an axis needs one look
    array = array[tuple(slice(None) if step else slice(1) for step in array.strides)]
    if array.flags.c_contiguous:
        numbers = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.dot(numbers, numbers)):
                return True
    return bool(np.isfinite(array).all())


def is_held(array: np.ndarray) -> bool:
    """Return whether an array has the same values in all steps, as far as is seen.

    Parameters
    ----------
    array : np.ndarray, shape (..., n_steps, size)
        As `held` returns it.
    """
    return array.shape[-2] == 1 or array.strides[-2] == 0


def held(values: Any) -> Any:
    """Return values that are the same in all steps as one row that is repeated.

    So it is with pictures: each is looked at for a while. Looking is cheaper than
    what it spares; values that do change are known by their first and last rows.

    Parameters
    ----------
    values : array_like, shape (..., n_steps, size)
        Anything; only arrays are looked at.

    Returns
    -------
    array_like
        Equal values.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        return values
    if values.ndim not in (2, 3) or not values.size or is_held(values):
        return values
    first = values[..., :1, :]
    if not (values[..., -1:, :] == first).all():
        return values
    for start in range(1, values.shape[-2], _PART):
        if not (values[..., start : start + _PART, :] == first).all():
            return values
    return np.broadcast_to(first, values.shape)


#: steps that are compared at once; the answers stay in the cache
_PART = 50
