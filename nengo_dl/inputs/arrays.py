"""Arrays that users give for the inputs and outputs of a network, in any form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import nengo
import numpy as np
import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.distribution.shares import Share
from nengo_dl.graph.number_range import beyond
from nengo_dl.inputs.names import find, listing
from nengo_dl.inputs.pieces import is_large, pieces
from nengo_dl.inputs.streams import is_stream


@dataclass(frozen=True)
class Side:
    """The inputs of a network, or its outputs: objects that users give arrays for.

    Attributes
    ----------
    kind : type
        ``nengo.Node`` for inputs, ``nengo.Probe`` for outputs.
    objects : tuple of nengo.Node or nengo.Probe
        The objects, in the order of the network.
    names : dict or None
        The names that they have beside their labels.
    widths : mapping of nengo.Probe to int
        Elements of what Probes see, as far as they are known.
    dt : float
        Time step of the simulation (s).
    """

    kind: type
    objects: tuple[Any, ...]
    names: Mapping[Any, str] | None = None
    widths: Mapping[Any, int] = field(default_factory=dict)
    dt: float = 0.001

    @property
    def word(self) -> str:
        """The word for one of the objects in messages: input Node, or Probe."""
        return "input Node" if self.kind is nengo.Node else "Probe"

    @property
    def listing(self) -> str:
        """The objects in words, with the names that they can be called by."""
        return listing(self.objects, self.names)

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
            raise ValidationError(
                f"Expected {_with_article(self.word)}, its label or its name; got "
                f"{key!r}. {self._within(key)}The {self.word}s are {self.listing}",
                attr=attr,
            )
        if key in self.objects:
            return key
        if isinstance(key, nengo.Node) and key.size_in > 0:
            raise ValidationError(
                f"{key} has inputs (size_in={key.size_in}), and data can be presented "
                "only to Nodes with size_in=0. Connect one to it, "
                f"`nengo.Node(np.zeros({key.size_in}))`, and present the data to that",
                attr=attr,
            )
        raise ValidationError(
            f"{key} is not part of the simulated network; its {self.word}s are "
            f"{self.listing}",
            attr=attr,
        )

    def _within(self, key: Any) -> str:
        """Return which attributes of a network are what is wanted, for messages."""
        if not isinstance(key, nengo.Network):
            return ""
        names = [
            f"`.{name}`"
            for name, value in vars(key).items()
            if not name.startswith("_")
            and isinstance(value, self.kind)
            and value in self.objects
        ]
        return f"It has {', '.join(names)}. " if names else ""

    def pairs(
        self, data: Any, attr: str, first_of_several: bool = False
    ) -> list[tuple[Any, Any]]:
        """Return objects and what was given for them.

        Parameters
        ----------
        data : dict, sequence of arrays, array or None
            By object, label or name; in the order of the objects; or for one. Arrays
            in sequences are of NumPy, TensorFlow or Pandas; where there is one object
            only, several tensors are its items.
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
        if is_stream(data):
            raise ValidationError(
                f"Got {type(data).__name__}, a dataset or generator, where arrays are "
                "expected. `train`, `loss`, `fit`, `evaluate` and `predict` take such "
                "data, in the place of all arrays",
                attr=attr,
            )
        if isinstance(data, Mapping):
            found: dict[Any, Any] = {}
            for key, values in data.items():
                obj = self.find(key, attr)
                if obj in found:
                    raise ValidationError(f"Got two arrays for {obj}", attr=attr)
                found[obj] = values
            return list(found.items())
        if self._are_several(data):
            if len(data) > len(self.objects):
                raise ValidationError(
                    f"Got {len(data)} arrays for {len(self.objects)} {self.word}s: "
                    f"{self.listing}. Expected at most one array for each",
                    attr=attr,
                )
            return list(zip(self.objects, data, strict=False))
        if len(self.objects) == 1:
            return [(self.objects[0], data)]
        if first_of_several and self.objects:
            self._refuse_several_lists(data, attr)
            return [(self.objects[0], data)]
        raise ValidationError(
            f"A single array needs exactly one {self.word}; this model has "
            f"{len(self.objects)}: {self.listing}. Expected a dict "
            f"{{{self.kind.__name__}: array}}",
            attr=attr,
        )

    def _are_several(self, data: Any) -> bool:
        """Return whether data are a list of arrays, one for each of the objects."""
        if len(self.objects) > 1 and isinstance(data, list | tuple):
            # None stands for no array
            return are_arrays([a for a in data if a is not None])
        if not are_arrays(data):
            return False
        if all(isinstance(a, np.ndarray) for a in data):
            return True
        # where there is one object, tensors of two axes are items of one array
        return len(data) == 1 and np.ndim(data[0]) > 2

    def _refuse_several_lists(self, data: Any, attr: str) -> None:
        """Refuse nested lists that are no single array, but may be one for each."""
        if not isinstance(data, list | tuple) or not 1 < len(data) <= len(self.objects):
            return
        nested = [isinstance(member, list | tuple) for member in data]
        arrays = [hasattr(member, "__array__") for member in data]
        if not any(nested) or not all(map(max, nested, arrays)):
            return
        try:
            single = np.asarray(data)
        except ValueError:
            single = None  # rows of several lengths
        if single is None or single.dtype.kind == "O" or single.ndim > 3:
            raise ValidationError(
                f"Nested lists are one array for the first {self.word}, and these are "
                f"none; for several {self.word}s, {self.listing}, they are ambiguous. "
                f"Expected a dict {{{self.kind.__name__}: array}}, or a list of NumPy "
                f"arrays; got {data!r:.100}",
                attr=attr,
            )

    def size(self, obj: Any) -> int:
        """Return the length of the last axis of an object's arrays."""
        if obj in self.widths:
            return self.widths[obj]
        return int(obj.size_out if self.kind is nengo.Node else obj.size_in)


def not_dense(values: Any) -> str:
    """Return words for what is no dense array, also in a list, and what makes it one.

    Returns
    -------
    str
        To be put behind "are not real numbers"; empty if it is anything else.
    """
    for member in values if isinstance(values, list | tuple) else (values,):
        if isinstance(member, tf.SparseTensor):
            dense = "tf.sparse.to_dense(values)"
        elif isinstance(member, tf.RaggedTensor):
            dense = "values.to_tensor()"
        elif hasattr(member, "toarray") and hasattr(member, "nnz"):  # SciPy's
            dense = "values.toarray()"
        else:
            continue
        return f" but a {type(member).__name__}, which `{dense}` makes dense"
    return ""


def are_arrays(data: Any) -> bool:
    """Return whether data are a list of arrays or tensors, rather than of numbers."""
    return isinstance(data, list | tuple) and all(
        hasattr(member, "__array__") and not isinstance(member, np.generic)
        for member in data
    )


def numbers(
    values: Any,
    dtype: Any,
    what: str,
    expected: str,
    attr: str,
    *,
    convert: bool = True,
    missing: bool = False,
    share: Share | None = None,
) -> np.ndarray:
    """Return an array of floating point numbers, without a copy if it is one.

    Arrays that may not fit into memory twice keep their type, which may be one of whole
    numbers; they are read piece by piece.

    Parameters
    ----------
    values : array_like or tf.Tensor
        What was given.
    dtype : dtype_like
        The floating point type of the simulation.
    what : str
        What these are, in words: ``"Data for <Node>"``.
    expected : str
        The shape that is expected, in words.
    attr : str
        The argument that it was given as.
    convert : bool
        Whether the array has to be of this type; otherwise single and double precision
        stay as they are.
    missing : bool
        Whether elements may be missing, ``np.nan``.
    share : Share, optional
        Divides the looking for numbers that are not finite between processes, which
        all have to be given the same.

    Raises
    ------
    ValidationError
        If these are not real numbers, not finite, or beyond the range of the type.
    """
    dtype = np.dtype(dtype)
    try:
        given = _real(values)
        target = dtype
        if not convert:
            target = given.dtype if given.dtype in _FLOATS else np.dtype(float)
        large = is_large([given], target)
        with np.errstate(over="ignore"):
            array = given if large else np.asarray(given, target)
    except OverflowError:
        raise _too_large(what, dtype, attr) from None
    except (TypeError, ValueError, NotImplementedError) as error:
        kind = f" but {error}" if isinstance(error, _Kind) else not_dense(values)
        raise ValidationError(
            f"{what} are not real numbers{kind}: {values!r:.100}; expected an array of "
            f"shape {expected}",
            attr=attr,
        ) from None
    if given.dtype.kind == "f" or not large:

        def check(rows: Any) -> None:
            if not large:
                _check_finite(array[rows], given[rows], dtype, what, attr, missing)
                return
            for piece in pieces(given[rows]):
                with np.errstate(over="ignore"):
                    converted = np.asarray(piece, target)
                _check_finite(converted, piece, dtype, what, attr, missing)

        if share is None or given.nbytes < DIVIDED or not given.ndim:
            check(...)
        else:
            _check_own(share, len(given), check)
    return given if large else array


def _check_own(share: Share, n_items: int, check: Callable[[Any], None]) -> None:
    """Check the items of this process; all, if another process has found something."""
    error: ValidationError | None = None
    try:
        check(share.part_of(n_items))
    except ValidationError as found:
        error = found
    if not share.all_agree(error is None):
        if error is not None:
            raise error
        check(...)


def _check_finite(
    array: np.ndarray,
    given: np.ndarray,
    dtype: np.dtype,
    what: str,
    attr: str,
    missing: bool,
) -> None:
    """Refuse numbers that are not finite, as they were given or in another type."""
    if missing:
        good = not np.isinf(array).any()
    else:
        good = _finite(array, dtype)
    if good:
        return
    if not np.isinf(given).any() and (missing or not np.isnan(given).any()):
        raise _too_large(what, dtype, attr)
    bad = "infinity" if missing else "NaN or infinity"
    raise ValidationError(f"{what} contain {bad}; expected finite numbers", attr=attr)


#: bytes; looking through more takes longer than asking others about their part of it
DIVIDED = 2**24

#: types of arrays that a simulation takes as they are
_FLOATS = (np.float32, np.float64)


class _Kind(TypeError):
    """Raised for values that are no real numbers, complex ones for example."""


#: by the kind of NumPy's type
_KINDS = {
    "c": "complex",
    "M": "dates",
    "m": "lengths of time",
    "U": "text",
    "S": "text",
    "T": "text",
}


def _real(values: Any) -> np.ndarray:
    """Return an array of numbers of whatever type.

    NumPy would turn complex numbers, text, dates and None into floating point numbers.

    Raises
    ------
    TypeError, ValueError
        If these are no real numbers.
    """
    if _is_masked(values):
        raise _Kind("partly masked")
    array = np.asarray(values)
    kind = array.dtype.kind
    if kind in _KINDS:
        raise _Kind(_KINDS[kind])
    if array.dtype.names is not None:
        raise _Kind("structured")
    if kind != "O":
        return array
    for value in array.flat:
        if value is None:
            raise _Kind("None")
        if isinstance(value, str | bytes):
            raise _Kind("text")
    return array.astype(float)


def _is_masked(values: Any) -> bool:
    """Return whether an element is hidden, also where lists hold masked arrays."""
    if isinstance(values, list | tuple):
        return any(map(_is_masked, values))
    return isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values)


def _too_large(what: str, dtype: np.dtype, attr: str) -> ValidationError:
    return ValidationError(f"{what} contain {beyond(dtype)}", attr=attr)


def _finite(array: np.ndarray, dtype: Any = None) -> bool:
    """Return whether all numbers of an array are finite, in another type if given.

    A sum of squares is finite only if all of them are. It takes a quarter of the time
    of `numpy.isfinite`, which writes an array of answers.
    """
    dtype = array.dtype if dtype is None else np.dtype(dtype)
    narrower = dtype.itemsize < array.dtype.itemsize
    # what is repeated along an axis needs one look
    array = array[tuple(slice(None) if step else slice(1) for step in array.strides)]
    if array.flags.c_contiguous:
        numbers = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.dot(numbers, numbers)
        # half of what is allowed, because sums are rounded
        limit = float(ml_dtypes.finfo(dtype).max) ** 2 / 2 if narrower else np.inf
        if squares < limit:
            return True
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(dtype, copy=False)).all())


def _with_article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
