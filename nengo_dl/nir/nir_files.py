"""Files of NIR read with bounds: nothing in them is trusted before it is looked at."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from nengo.exceptions import ValidationError

from nengo_dl.nir.graph_records import MAX_NODES

#: how deep groups may be nested, and how many groups and arrays a file may have
_MAX_DEPTH, _MAX_OBJECTS = 100, 500_000
#: how many words an array may have: an edge is two of them
_MAX_WORDS = 500_000
#: how many bytes are at most read at once where lengths are not known before
_WORD_BYTES = 256 * 2**20


def require_nir() -> None:
    """Raise an error if the package ``nir`` is not installed.

    Raises
    ------
    ImportError
        The message says how to install it.
    """
    if find_spec("nir") is None or find_spec("h5py") is None:
        raise ImportError(
            "NIR graphs and their files need the package nir, which is not installed: "
            "`pip install nir` (the extra `nir` of this package brings it, too)"
        )


def read_nir_file(path: str, max_elements: int) -> dict[str, Any]:
    """Return the graph of a NIR file as nested dicts of arrays.

    Groups are followed within the file alone, and arrays are read only after their
    sizes have been looked at, since a file of some kilobytes can claim an array of
    gigabytes, or a group that has itself as a member.

    Parameters
    ----------
    path : str
        The file.
    max_elements : int
        How many numbers all arrays together may have.

    Raises
    ------
    ValidationError
        If it cannot be read, or is no NIR file.
    """
    require_nir()
    import h5py

    if os.path.exists(path) and not os.path.isfile(path):
        # a pipe would be waited for
        raise ValidationError(
            "Expected a file, got a folder, a pipe or a device", f"NIR file {path!r}"
        )
    try:
        with h5py.File(path, "r") as file:
            if "node" not in file:
                raise ValidationError("It has no group 'node'", f"NIR file {path!r}")
            found = _Walk(h5py, path, max_elements).group(file, "node")
    except ValidationError:
        raise
    except FileNotFoundError:
        raise ValidationError("There is no such file", f"NIR file {path!r}") from None
    except MemoryError:
        raise ValidationError(
            "It does not fit in memory", f"NIR file {path!r}"
        ) from None
    except Exception as error:
        # h5py raises OSError, KeyError, RuntimeError, ValueError, TypeError, ...
        raise ValidationError(
            f"It cannot be read as HDF5: {error!s:.200}", f"NIR file {path!r}"
        ) from error
    return found


class _Walk:
    """The walk through one file; it counts what has been read."""

    def __init__(self, h5py: Any, path: str, max_elements: int) -> None:
        self._h5py = h5py
        self._path = path
        self._max_elements = max_elements
        self._elements = 0
        self._objects = 0
        #: groups by their address in the file, and whether the walk is in them
        self._within: dict[Any, bool] = {}
        self._depth = 0

    def group(self, parent: Any, key: str) -> dict[str, Any]:
        """Return a member of a group that has to be a group itself."""
        found = self._member(parent, key)
        if not isinstance(found, dict):
            raise self._refused(f"{key!r} is no group")
        return found

    def _member(self, parent: Any, key: str) -> Any:
        link = parent.get(key, getlink=True)
        if not isinstance(link, self._h5py.HardLink):
            raise self._refused(
                f"{parent.name}/{key} is a link, and no part of the file itself"
            )
        item = parent[key]
        self._objects += 1
        if self._objects > _MAX_OBJECTS:
            raise self._refused(f"It has more than {_MAX_OBJECTS} groups and arrays")
        if isinstance(item, self._h5py.Group):
            return self._members(item)
        if isinstance(item, self._h5py.Dataset):
            return self._array(item)
        raise self._refused(f"{item.name} is neither a group nor an array")

    def _members(self, group: Any) -> dict[str, Any]:
        if self._depth > _MAX_DEPTH:
            raise self._refused(f"Groups are nested deeper than {_MAX_DEPTH}")
        if group.id in self._within:
            how = "itself" if self._within[group.id] else "two groups"
            raise self._refused(f"The group {group.name} is a member of {how}")
        if len(group) > MAX_NODES:
            raise self._refused(f"The group {group.name} has over {MAX_NODES} members")
        self._within[group.id] = True
        self._depth += 1
        found = {str(key): self._member(group, key) for key in group}
        self._depth -= 1
        self._within[group.id] = False
        return found

    def _array(self, dataset: Any) -> Any:
        if dataset.shape is None:  # HDF5's null
            return None
        if dataset.is_virtual or dataset.external:
            raise self._refused(f"{dataset.name} is kept in another file")
        dtype = dataset.dtype
        words = self._h5py.check_string_dtype(dtype) is not None
        if not (words or dtype.kind in "fiub") or dtype.itemsize > 4096:
            raise self._refused(f"{dataset.name} is of type {dtype}")
        if words and dataset.size > _MAX_WORDS:
            raise self._refused(
                f"{dataset.name} has {dataset.size} words. Expected at most "
                f"{_MAX_WORDS}"
            )
        # of compressed arrays whole chunks are read, whatever the array has of them
        sizes = [int(dataset.size), math.prod(dataset.chunks or ())]
        self._count(dataset, max(sizes) * -(-dtype.itemsize // 8))
        return self._words(dataset) if dtype.kind == "O" else dataset[()]

    def _words(self, dataset: Any) -> Any:
        """Read words of any length piece by piece: many may be a long one in the file.

        Parameters
        ----------
        dataset : h5py.Dataset
            The words.
        """
        found = np.empty(dataset.size, object)
        n_read = 0
        for index in self._pieces(dataset):
            piece = np.atleast_1d(np.asarray(dataset[index], object)).reshape(-1)
            self._count(dataset, sum(map(len, piece)) // 8)
            found[n_read : n_read + piece.size] = piece
            n_read += piece.size
        return found.reshape(dataset.shape) if dataset.shape else found[0]

    def _pieces(self, dataset: Any) -> Iterator[Any]:
        """Give rows that cannot be too large together, as no word is as the file."""
        if not dataset.shape:
            yield ()
            return
        row = math.prod(dataset.shape[1:]) * os.path.getsize(self._path)
        n = max(1, min(_WORD_BYTES, 8 * self._max_elements) // max(1, row))
        for start in range(0, dataset.shape[0], n):
            yield slice(start, start + n)

    def _count(self, dataset: Any, n_elements: int) -> None:
        """Count elements of 8 bytes that are going to be read, or have been."""
        self._elements += n_elements
        if self._elements > self._max_elements:
            raise self._refused(
                f"Its arrays up to {dataset.name} of shape {dataset.shape} have "
                f"{self._elements} elements. Expected at most {self._max_elements}; "
                "from_nir(..., max_elements=...) allows more"
            )

    def _refused(self, problem: str) -> ValidationError:
        return ValidationError(problem, f"NIR file {self._path!r}")
