"""Arrays in one ``.npz`` file, which NumPy reads anywhere."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nengo_dl.parameters.atomic_files import replacing


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, so that ``np.load`` reads them.

    `numpy.savez` would write into the file itself, and would add its own ending.

    Raises
    ------
    OSError
        If the system cannot write it; an older file stays as it is.
    """
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED, allowZip64=True) as archive,
    ):
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                # zip files keep a checksum of each member
                np.lib.format.write_array(
                    member, np.asarray(array, order="C"), allow_pickle=False
                )


def read(path: Path) -> dict[str, np.ndarray]:
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
