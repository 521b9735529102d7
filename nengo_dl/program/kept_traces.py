"""Traced loops on disk, for the next process: what Python would write again.

They are TensorFlow's function definitions, beside what XLA has compiled of them; see
`nengo_dl.disk_cache`. A trace takes about half of the time until the first step that
XLA leaves once it reads its part from disk.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDefLibrary

from nengo_dl import disk_cache
from nengo_dl.program.calling import Call, flat_call, named_call
from nengo_dl.program.fingerprint import only_own

#: names that TensorFlow makes end in the number of functions before them, so that
#: another model in front of this one would change what XLA's own cache looks for
_PREFIX = "nengo_dl_"


def kept(
    key: Hashable | None, trace: Callable[[], Any], jit_compile: bool
) -> Callable[..., Any]:
    """Return a traced function, from disk if it is there; else trace and keep it.

    Parameters
    ----------
    key : Hashable or None
        What `fingerprint` says of all that it depends on; None if that is not known.
    trace : callable
        Returns the ConcreteFunction.
    jit_compile : bool
        Whether XLA compiles it.

    Returns
    -------
    callable
        Takes flat tensors and returns a list of them, as `flat_call` says.
    """
    folder = disk_cache.folder()
    name = None if folder is None else _name(key)
    if folder is None or name is None:
        return flat_call(trace(), jit_compile)
    path = folder / f"{name}.trace"
    call = _read(path, name, jit_compile)
    if call is not None:
        return call
    concrete = trace()
    # what is called is what the next process reads: XLA's cache looks at names too
    with suppress(OSError, AttributeError):
        library = _library(concrete, name)
        if library is not None:
            _write(path, library.SerializeToString(deterministic=True))
            call = _read(path, name, jit_compile)
    return call or flat_call(concrete, jit_compile)


def _name(key: Hashable | None) -> str | None:
    """Return a name for all that a trace depends on; None if it may not be kept.

    Code of the user's may change from one process to the next.
    """
    if not only_own(key) or _changes_traces():
        return None
    digest, types = key  # type: ignore[misc]
    paths = [f"{cls.__module__}.{cls.__qualname__}" for cls in types]
    facts = [digest, _versions(), "\n".join(paths).encode()]
    return _PREFIX + hashlib.sha256(b"\0".join(facts)).hexdigest()[:32]


@cache
def _versions() -> bytes:
    """Return what tells this code, and the libraries that it calls, from others."""
    facts = [
        tf.__version__,
        np.__version__,
        *sorted(_sources(Path(__file__).parents[1])),
    ]
    return "\n".join(facts).encode()


def _sources(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a line for each module of a folder, another when the module has changed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _sources(entry.path)
            elif entry.name.endswith(".py"):
                found = entry.stat()
                yield f"{entry.path} {found.st_size} {found.st_mtime_ns}"


def _changes_traces() -> bool:
    """Return whether settings of TensorFlow's write something else into traces.

    ``tf.debugging.enable_check_numerics`` adds operations, NumPy's behaviour types.
    """
    try:
        from tensorflow.python.eager import context
        from tensorflow.python.framework import ops

        converts = ops.is_auto_dtype_conversion_enabled()
        return bool(context.context().op_callbacks) or converts
    except (ImportError, AttributeError):
        return True


def _library(concrete: Any, name: str) -> FunctionDefLibrary | None:
    """Return a traced function, and those that it calls, under names that stay.

    None if it captures tensors or variables of this process.
    """
    if concrete.captured_inputs:
        return None
    from tensorflow.python.eager import context

    definition = context.context().get_function_def
    main = concrete.inference_fn.name.decode()
    names, found = {main: name}, []
    waiting = [main]
    while waiting:
        function = FunctionDefLibrary().function.add()
        function.CopyFrom(definition(waiting.pop(0)))
        found.append(function)
        for called in _called(function):
            if called.name not in names:
                names[called.name] = f"{name}_{len(names)}"
                waiting.append(called.name)
    library = FunctionDefLibrary()
    for function in found:
        function.signature.name = names[function.signature.name]
        for called in _called(function):
            called.name = names[called.name]
        library.function.append(function)
    return library


def _called(function: Any) -> Iterator[Any]:
    """Yield the places in which a definition names other functions."""
    for node in function.node_def:
        for value in node.attr.values():
            if value.HasField("func"):
                yield value.func
            yield from value.list.func


def _write(path: Path, content: bytes) -> None:
    """Write a file that is complete as soon as it is there."""
    checksum = hashlib.sha256(content).digest()
    # not of `tempfile`: nobody else could read it, and users may share the folder
    part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(checksum + content)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def _read(path: Path, name: str, jit_compile: bool) -> Call | None:
    """Give TensorFlow the functions of a file; None if it is missing, or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        return None
    library = FunctionDefLibrary.FromString(content[32:])
    from tensorflow.python.eager import context

    eager = context.context()
    for function in library.function:
        if not eager.has_function(function.signature.name):
            eager.add_function_def(function)
    outputs = len(library.function[0].signature.output_arg)
    return named_call(name, outputs, jit_compile)
