"""Files of parameters: named arrays in one ``.npz``, or what is wrong with it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.parameters.atomic_files import replacing
from nengo_dl.version import version

#: what all names of files end with, as those of NumPy do
_ENDING = ".npz"

#: the entry that says what a file is
_HEADER = "nengo_dl"

#: grows when readers of today could no longer read what is written
_FORMAT = 1

#: where the header has the checksum
_CHECKSUM = "sha256"


@dataclass(frozen=True)
class Content:
    """The content of a file of parameters: arrays by name, and facts about them.

    Attributes
    ----------
    arrays : dict of {str: np.ndarray}
        Values by name.
    facts : dict
        What else there is to know, in JSON's types.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def write(path: Any, content: Content) -> None:
    """Write a file, whose name ends with ``.npz``: that is added if it does not.

    Raises
    ------
    SimulationError
        If the system cannot write it. What was there before is still there.
    ValidationError
        If the path is not that of a file in a folder that exists.
    """
    name = _checked(path)
    arrays = {name: _as_numpy_has_it(array) for name, array in content.arrays.items()}
    header = {"format": _FORMAT, "version": version, **content.facts}
    header[_CHECKSUM] = _checksum(header, arrays)
    text = json.dumps(header).encode()
    arrays[_HEADER] = np.frombuffer(text, np.uint8)
    try:
        with replacing(_target(name)) as file:
            _write_npz(file, arrays)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SimulationError(
            f"Parameters cannot be written to {_ended(name)!r}: {reason}. What was "
            "there before has not changed. Expected a path that may be written to, on "
            "a disk with enough space"
        ) from error


def read(path: Any) -> Content:
    """Read the arrays and facts of a file that `write` has written.

    Parameters
    ----------
    path : str or os.PathLike
        As it was given to `write`. If there is no file with ``.npz`` added, a file
        of just this name will do.

    Raises
    ------
    SimulationError
        If the system cannot read it.
    ValidationError
        If there is no such file, or it is something else, or it is damaged.
    """
    name = _checked(path)
    try:
        path = _source(name)
        arrays = _read_npz(path)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SimulationError(
            f"Parameters cannot be read from {name!r}: {reason}. Check that you may "
            "read it"
        ) from error
    except ValidationError:
        raise
    except ValueError as error:
        raise ValidationError(
            f"{str(path)!r} is damaged or not a file of parameters ({error}). Expected "
            "a file that `save_params` has written; take a copy, or save again. "
            "Weights of Keras are read by `sim.keras_model.load_weights`",
            attr="path",
        ) from error
    header = arrays.pop(_HEADER, None)
    if header is None:
        raise ValidationError(_foreign(path, arrays), attr="path")
    facts = _facts(path, header)
    if facts.pop(_CHECKSUM, None) != _checksum(facts, arrays):
        raise _damaged(path, "its checksum is not that of its content")
    return Content(arrays, facts)


# -- paths


def _checked(path: Any) -> str:
    """Return a path of the user's as text.

    Raises
    ------
    ValidationError
        If it is something else, or can only be a directory.
    """
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValidationError(
            f"Expected the path of a file, a str or an os.PathLike; got {path!r}",
            attr="path",
        )
    if os.path.basename(name) in ("", os.curdir, os.pardir):
        raise _directory(name)
    return name


def _ended(name: str) -> str:
    """Return a path with the ending of all files that are written."""
    return name if name.endswith(_ENDING) else f"{name}{_ENDING}"


def _target(name: str) -> Path:
    """Return the file to write; if it is a link, the one that it points to.

    Raises
    ------
    OSError
        If the system does not allow to look.
    ValidationError
        If it is not that of a file in a folder that exists.
    """
    target = Path(os.path.realpath(_ended(name)))
    for folder in (name, target):
        if os.path.isdir(folder):  # no error where it is not allowed to look
            raise _directory(folder)
    mode = _mode(target.parent)
    if mode is None or not stat.S_ISDIR(mode):
        raise ValidationError(
            f"There is no folder {str(target.parent)!r} for the file {target.name!r}. "
            "Expected a path in a folder that exists; or make it, `os.makedirs`",
            attr="path",
        )
    return target


def _source(name: str) -> Path:
    """Return the file that a path stands for, which exists.

    Raises
    ------
    OSError
        If the system does not allow to look.
    ValidationError
        If there is none.
    """
    ended = _ended(name)
    if _is_file(ended):
        return Path(os.path.realpath(ended))
    checkpoint = re.sub(r"\.(npz|index|data-\d{5}-of-\d{5})$", "", name)
    if _is_file(f"{checkpoint}.index"):
        raise ValidationError(
            f"There is no file {ended!r}, but {checkpoint + '.index'!r}, which is part "
            "of a checkpoint of TensorFlow. NengoDL 0.5 to 2 wrote these, and versions "
            "of NengoDL 4 before its release; they are no longer read. Load it with "
            "the version that wrote it, and then: in version 4, write it again, with "
            f"`save_params({_ended(checkpoint)!r})`; in earlier ones, call "
            "`freeze_params(network)`, and use the network here",
            attr="path",
        )
    if _is_file(name):
        return Path(os.path.realpath(name))
    for folder in (name, ended):
        if os.path.isdir(folder):
            raise _directory(folder)
    instead = "" if ended == name else f", nor one of that name without {_ENDING!r}"
    raise ValidationError(
        f"There is no file {ended!r}{instead}. Expected the path that was given to "
        "`save_params`",
        attr="path",
    )


def _is_file(path: str) -> bool:
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def _mode(path: str | Path) -> int | None:
    """Return the mode of a file or folder; None if there is nothing at the path.

    Raises
    ------
    OSError
        If it is not allowed to look, which would also be False for `os.path.isfile`.
    """
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _directory(path: str | Path) -> ValidationError:
    return ValidationError(
        f"{str(path)!r} is a directory. Expected the path of a file in it, for "
        f"example {os.path.join(path, f'params{_ENDING}')!r}",
        attr="path",
    )


# -- contents


def _write_npz(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, so that ``np.load`` reads them.

    `numpy.savez` would do the same, but for names that are those of its arguments.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                # zip files keep a checksum of each member
                np.lib.format.write_array(
                    member, np.asarray(array, order="C"), allow_pickle=False
                )


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays by name; nothing is unpickled.

    Raises
    ------
    OSError
        If the system cannot read the file.
    ValueError
        If it is not a complete, unchanged ``.npz`` file, or holds Python objects.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                # all bytes first: reading to the end is what compares the checksum
                content = io.BytesIO(archive.read(info))
                array = np.lib.format.read_array(content, allow_pickle=False)
                arrays[info.filename.removesuffix(".npy")] = array
    except OSError:
        raise
    except Exception as error:
        # a changed byte may be noticed anywhere: in zipfile, in zlib or in NumPy
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return arrays


def _facts(path: Path, header: np.ndarray) -> dict[str, Any]:
    """Return the facts in a file's header, if it is of the present format."""
    try:
        facts: dict[str, Any] = json.loads(header.tobytes().decode())
        found = facts["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"its header cannot be read ({error})") from error
    if found != _FORMAT:
        raise ValidationError(
            f"{str(path)!r} has format {found}, written by NengoDL "
            f"{facts.get('version')}; this is NengoDL {version}, which reads format "
            f"{_FORMAT}. Load it with that version",
            attr="path",
        )
    return facts


def _as_numpy_has_it(array: np.ndarray) -> np.ndarray:
    """Return an array of a type that files of NumPy's keep; bfloat16 is none.

    Single precision has the same numbers, and more.
    """
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _checksum(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return a number that changes with any bit of the content.

    Zip files have checksums of their members, which do not tell if one has been lost
    from the list of contents.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"))
        digest.update(f"{name}\0{array.dtype.str}{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _damaged(path: Path, how: str) -> ValidationError:
    return ValidationError(
        f"{str(path)!r} is damaged: {how}. Take a copy, or save again", attr="path"
    )


def _foreign(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Say why a file without a header cannot be read, and who may have written it."""
    if arrays and all(name == f"arr_{i}" for i, name in enumerate(arrays)):
        return (
            f"{str(path)!r} was written by NengoDL 3, which saved arrays without "
            "names, in an order that depended on how it had merged them. They cannot "
            "be assigned safely to objects. Load the file with NengoDL 3, call "
            "`freeze_params(network)`, and use the network here; or save what "
            "`get_nengo_params` returns"
        )
    some = ", ".join(map(repr, list(arrays)[:4])) or "nothing"
    return (
        f"{str(path)!r} has not been written by `save_params`; it contains {some}"
        f"{', ...' if len(arrays) > 4 else ''}. Expected the path that was given to "
        "`save_params`"
    )
