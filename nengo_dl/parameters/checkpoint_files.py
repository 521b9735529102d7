"""Arrays in a checkpoint of TensorFlow: files ``path.index`` and ``path.data-...``.

The index says in how many data files the values are, and this number is part of their
names. So a new checkpoint is put beside an older one with another number, and replacing
the index, one operation of the system, switches from one to the other.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from nengo_dl.parameters.atomic_files import beside, flush, flush_folder

#: names of what only makes the data files as many as they have to be
_FILLING = "nengo_dl/filling"


def index_of(path: Path) -> Path:
    """Return the file that makes a checkpoint one."""
    return path.with_name(f"{path.name}.index")


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, so that ``tf.train.load_checkpoint(path)`` reads them.

    Raises
    ------
    OSError
        If the system cannot write it; an older checkpoint stays as it is.
    """
    older = _data_files(path)
    used = set(older.values())
    n_files = next(n for n in range(1, len(used) + 2) if n not in used)
    folder = beside(path)
    moved: list[Path] = []
    try:
        folder.mkdir()
        prefix = folder / "new"
        try:
            _save(prefix, arrays, n_files)
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        for file in sorted(folder.glob("new.*")):
            flush(file)
        for file in sorted(_data_files(prefix)):
            target = path.with_name(path.name + file.name.removeprefix("new"))
            os.replace(file, target)
            moved.append(target)
        os.replace(index_of(prefix), index_of(path))
    except BaseException:
        for file in moved:
            with contextlib.suppress(OSError):
                file.unlink()
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    flush_folder(path.parent)
    for file in older:
        with contextlib.suppress(OSError):
            file.unlink()


def read(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays by name.

    Raises
    ------
    OSError
        If the system cannot read the files.
    ValueError
        If it is not a complete, unchanged checkpoint.
    """
    with open(index_of(path), "rb"):
        pass  # the system knows better than TensorFlow why a file cannot be read
    try:
        reader = tf.train.load_checkpoint(os.fspath(path))
        names = [n for n in reader.get_variable_to_shape_map() if _FILLING not in n]
        # TensorFlow compares checksums, of the index and of each array
        return {name: np.asarray(reader.get_tensor(name)) for name in sorted(names)}
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _data_files(path: Path) -> dict[Path, int]:
    """Return the data files of a checkpoint, and among how many each is one."""
    found = {}
    pattern = re.compile(re.escape(path.name) + r"\.data-\d{5}-of-(\d{5})")
    for file in path.parent.iterdir():
        match = pattern.fullmatch(file.name)
        if match:
            found[file] = int(match[1])
    return found


def _save(prefix: Path, arrays: Mapping[str, np.ndarray], n_files: int) -> None:
    """Write a checkpoint of a number of data files."""
    filling = {f"{_FILLING}{i}": np.zeros(1, np.uint8) for i in range(1, n_files)}
    parts = [arrays, *({name: value} for name, value in filling.items())]
    prefixes = []
    with tf.device("/cpu:0"):
        for i, part in enumerate(parts):
            prefixes.append(f"{prefix}-part{i}")
            tf.raw_ops.SaveV2(
                prefix=prefixes[-1],
                tensor_names=list(part),
                shape_and_slices=[""] * len(part),
                tensors=[tf.constant(value) for value in part.values()],
            )
        tf.raw_ops.MergeV2Checkpoints(
            checkpoint_prefixes=prefixes,
            destination_prefix=os.fspath(prefix),
            delete_old_dirs=False,
        )
