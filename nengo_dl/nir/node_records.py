"""What a NIR graph of others says of its nodes, checked where it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

#: larger numbers are none that a model could mean, and overflow in single precision
_LARGEST = 1e30


@dataclass(frozen=True)
class NodeRecord:
    """A node of a NIR graph: its type, and fields that nobody has checked yet.

    Attributes
    ----------
    name : str
        Names of the subgraphs that it is in and its own, with ``/`` between them.
    kind : str
        The type, as NIR calls it: ``"LIF"``.
    fields : mapping of {str: object}
        Parameters by name, as the file or the object of others has them.
    metadata : mapping of {str: object}
        What the writer noted beside.
    """

    name: str
    kind: str
    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]

    def refused(self, problem: str, field: str = "") -> ValidationError:
        """Return the error for something that this node says."""
        where = f"{self.kind} {self.name!r}"
        return ValidationError(problem, f"{where}.{field}" if field else where)

    def has(self, field: str) -> bool:
        """Return whether there is a value for a parameter."""
        return self.fields.get(field) is not None

    def numbers(
        self,
        field: str,
        default: float | None = None,
        ndim: int | tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """Return a parameter as an array of finite numbers.

        Parameters
        ----------
        field : str
            The parameter.
        default : float, optional
            Its value where it is missing; without one it has to be there.
        ndim : int or tuple of int, optional
            How many axes it must have.

        Returns
        -------
        np.ndarray of float64
            Any shape.

        Raises
        ------
        ValidationError
            If it is missing, or anything but real numbers.
        """
        value = self.fields.get(field)
        if value is None:
            if default is None:
                raise self.refused("Expected an array of numbers, it is missing", field)
            return np.array(default, float)
        # tensors of PyTorch, which snnTorch hands out as they are
        if hasattr(value, "detach"):
            value = value.detach().cpu()
        try:
            array = np.asarray(value)
        except Exception:
            raise self.refused("Expected an array of numbers", field) from None
        if array.dtype.kind not in "fiub" or array.size == 0:
            raise self.refused(
                f"Expected an array of real numbers, got {array.dtype} of shape "
                f"{array.shape}",
                field,
            )
        array = array.astype(np.float64)
        if not (np.abs(array) < _LARGEST).all():
            raise self.refused(
                f"Expected finite numbers below {_LARGEST:g}, got "
                f"{array[~(np.abs(array) < _LARGEST)][0]}",
                field,
            )
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        if allowed is not None and array.ndim not in allowed:
            raise self.refused(
                f"Expected {' or '.join(map(str, allowed))} axes, got shape "
                f"{array.shape}",
                field,
            )
        return array

    def whole_numbers(
        self, field: str, n: int, default: int | None = None, least: int = 0
    ) -> tuple[int, ...]:
        """Return a parameter as so many whole numbers; a single one stands for all.

        Parameters
        ----------
        field : str
            The parameter.
        n : int
            How many numbers.
        default : int, optional
            Each of them, where it is missing.
        least : int
            The smallest that is allowed.
        """
        values = self.numbers(field, default, ndim=(0, 1)).reshape(-1)
        if values.size not in (1, n) or np.any(values != np.round(values)):
            raise self.refused(
                f"Expected {n} whole number{'s' * (n > 1)}, got {values.tolist()[:9]}",
                field,
            )
        if np.any(values < least) or np.any(values >= 2**31):
            raise self.refused(
                f"Expected whole numbers of at least {least}, got "
                f"{values.tolist()[:9]}",
                field,
            )
        return tuple(int(v) for v in np.broadcast_to(values, n))

    def word(self, field: str) -> str | None:
        """Return a parameter that is a word; None if it is none."""
        return as_text(self.fields.get(field))

    def shape(self, field: str) -> tuple[int, ...] | None:
        """Return a parameter that is a shape; None if it is missing.

        In NIR's objects a shape stands in a dictionary of one port.
        """
        value = self.fields.get(field)
        if isinstance(value, Mapping):
            if len(value) != 1:
                raise self.refused(f"Expected one port, got {len(value)}", field)
            (value,) = value.values()
        if value is None:
            return None
        record = NodeRecord(self.name, self.kind, {field: value}, {})
        sizes = record.numbers(field, ndim=(0, 1)).reshape(-1)
        if sizes.size > 16:
            raise self.refused(f"Expected at most 16 axes, got {sizes.size}", field)
        return record.whole_numbers(field, sizes.size, least=1)

    def noted(self, key: str) -> str | None:
        """Return a word that our own writer noted, or None."""
        return as_text(self.metadata.get(f"nengo_{key}"))

    def noted_numbers(
        self, key: str, size: int, finite: bool = False
    ) -> np.ndarray | None:
        """Return numbers that our own writer noted, or None.

        Parameters
        ----------
        key : str
            What it called them.
        size : int
            How many are expected; a single one stands for all.
        finite : bool
            Whether infinity is refused, too.
        """
        value = self.metadata.get(f"nengo_{key}")
        if value is None:
            return None
        try:
            array = np.asarray(value, np.float64).reshape(-1)
        except (TypeError, ValueError):
            raise self.refused("Expected numbers", f"metadata.nengo_{key}") from None
        wrong = ~(np.abs(array) < _LARGEST) if finite else np.isnan(array)
        if array.size not in (1, size) or wrong.any():
            raise self.refused(
                f"Expected {size} {'finite ' * finite}number{'s' * (size > 1)}, got "
                f"{array[wrong][0] if wrong.any() else array.size}",
                f"metadata.nengo_{key}",
            )
        return np.broadcast_to(array, size)


def as_text(value: Any) -> str | None:
    """Return a word of a file or of an object; None for anything else."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode("utf8")
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, str) else None


def n_elements(shape: tuple[int, ...]) -> int:
    """Return how many elements a shape has, however many these are."""
    return math.prod(int(n) for n in shape)
