"""Files of parameters: which format, and what is wrong with one, in words."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nengo.exceptions import SimulationError, ValidationError

from nengo_dl.parameters import checkpoint_files, npz_files
from nengo_dl.version import version

#: the entry that says what a file is
_HEADER = "nengo_dl"

#: grows when readers of today could no longer read what is written
_FORMAT = 1

#: where the header has the checksum
_CHECKSUM = "sha256"


@dataclass(frozen=True)
class Content:
    """What is in a file of parameters.

    Attributes
    ----------
    arrays : dict of {str: np.ndarray}
        Values by name.
    facts : dict
        What else there is to know, in JSON's types.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def location(path: Any) -> Path:
    """Return a path of the user's, checked.

    Raises
    ------
    ValidationError
        If it is not a path, or one of a directory.
    """
    try:
        path = Path(os.path.realpath(os.fsdecode(path)))
    except (TypeError, ValueError):
        raise ValidationError(
            f"Expected the path of a file, got {path!r}", attr="path"
        ) from None
    if os.path.isdir(path):  # which raises no error where it is not allowed to look
        raise ValidationError(
            f"{str(path)!r} is a directory. Expected the path of a file in it, for "
            f"example {str(path / 'params')!r}",
            attr="path",
        )
    return path


def write(path: Any, content: Content) -> None:
    """Write a file: one ``.npz`` if the path ends so, else a checkpoint.

    Raises
    ------
    SimulationError
        If the system cannot write it. What was there before is still there.
    ValidationError
        If the path is not that of a file.
    """
    path = location(path)
    header = {"format": _FORMAT, "version": version, **content.facts}
    header[_CHECKSUM] = _checksum(header, content.arrays)
    text = json.dumps(header).encode()
    arrays = {_HEADER: np.frombuffer(text, np.uint8), **content.arrays}
    files = npz_files if path.suffix == ".npz" else checkpoint_files
    try:
        files.write(path, arrays)
    except (OSError, MemoryError) as error:
        raise SimulationError(
            f"Parameters cannot be written to {str(path)!r}: {error}. What was there "
            "before has not changed. Expected a path in a folder that exists, that "
            "may be written to, and that has enough space"
        ) from error


def read(path: Any) -> Content:
    """Return what is in a file that `write` has written.

    Raises
    ------
    SimulationError
        If the system cannot read it.
    ValidationError
        If there is no such file, or it is something else, or it is damaged.
    """
    path = location(path)
    try:
        path = _existing(path)
        files = npz_files if path.suffix == ".npz" else checkpoint_files
        arrays = files.read(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, MemoryError) as error:
        raise SimulationError(
            f"Parameters cannot be read from {str(path)!r}: {error}. Check that you "
            "may read it"
        ) from error
    except ValidationError:
        raise
    except ValueError as error:
        raise ValidationError(
            f"{str(path)!r} is damaged or not a file of parameters ({error}). Expected "
            "a file that `save_params` has written; take a copy, or save again",
            attr="path",
        ) from error
    header = arrays.pop(_HEADER, None)
    if header is None:
        raise ValidationError(_foreign(path, arrays), attr="path")
    try:
        facts = json.loads(header.tobytes().decode())
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
    if facts.pop(_CHECKSUM, None) != _checksum(facts, arrays):
        raise _damaged(path, "its checksum is not that of its content")
    return Content(arrays, facts)


def _checksum(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Return a number that changes with any bit of the content.

    Both formats have checksums of their arrays. That of zip files does not tell if one
    has been lost from the list of contents.
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


def _existing(path: Path) -> Path:
    """Return the file that a path without an ending stands for."""
    if path.suffix == ".npz" or checkpoint_files.index_of(path).exists():
        return path
    # NengoDL 3 added the ending by itself
    npz = path.with_name(f"{path.name}.npz")
    if npz.is_file():
        return npz
    if path.is_file():
        raise ValidationError(
            f"{str(path)!r} is not a file of parameters: these are checkpoints of "
            f"TensorFlow ({path.name}.index and {path.name}.data-...), or end with "
            "'.npz'. Weights of Keras are read by `sim.keras_model.load_weights`",
            attr="path",
        )
    raise _missing(path)


def _missing(path: Path) -> ValidationError:
    also = "" if path.suffix == ".npz" else ", nor one with '.index' or '.npz' behind"
    return ValidationError(
        f"There is no file {str(path)!r}{also}. Expected the path that was given to "
        "`save_params`",
        attr="path",
    )


def _foreign(path: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Return what is wrong with a file that has no header."""
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
        f"{', ...' if len(arrays) > 4 else ''}. Checkpoints of NengoDL 1 and 2 cannot "
        "be loaded: load them there, and call `freeze_params(network)`"
    )
