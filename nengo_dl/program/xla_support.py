"""What XLA lacks, told from the errors that it raises when it compiles."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from nengo_dl.user_code import is_users, warn_user

#: operations under the names that users know
_KNOWN_AS = {
    "EagerPyFunc": "tf.py_function",
    "PyFunc": "tf.numpy_function",
    "PyFuncStateless": "tf.numpy_function",
    "PrintV2": "tf.print",
    "StringFormat": "tf.print or tf.strings.format",
    "AsString": "tf.strings.as_string",
}


def lacking(error: Exception) -> str | None:
    """Return what XLA did not compile, and where that is, in words.

    Parameters
    ----------
    error : Exception
        What a compiled function raised. Nothing has run then.

    Returns
    -------
    str or None
        ``"`my_loss` (script.py, line 3) uses tf.print"``; None if the error is another.
    """
    text = str(error)
    found = re.search(r"Detected unsupported operations.* on XLA_\w+: (\w+)", text)
    if found is None:
        return None
    operation = _KNOWN_AS.get(found.group(1), f"the operation {found.group(1)}")
    lines = re.findall(
        r'^File "(.+)", line (\d+), in (\S+)$', text.split("tf2xla")[0], re.MULTILINE
    )
    for file, line, name in reversed(lines[-1:]):
        path = file if os.path.isabs(file) else os.sep + file
        if is_users(path):
            return f"`{name}` ({os.path.basename(path)}, line {line}) uses {operation}"
    return f"A loss, metric or function of outputs uses {operation}"


def warn_without_xla(what: str) -> None:
    """Warn that something runs without XLA.

    Parameters
    ----------
    what : str
        What `lacking` returned.
    """
    warn_user(
        f"{what}, which XLA lacks, so this call runs without XLA, and slower. With "
        "`configure_settings(jit_compile=False)`, or `sim.compile(jit_compile=False)` "
        "for `fit` and `evaluate`, there is no such warning"
    )


def lacking_in(function: Callable[..., Any], *specs: Any) -> str | None:
    """Return what XLA would not compile of a function, which is not run.

    Parameters
    ----------
    function : callable
        Of tensors.
    *specs : nested structure of tf.TensorSpec and None
        Types of its arguments.
    """
    leaves = tf.nest.flatten(specs)

    def flat(*tensors: tf.Tensor) -> Any:
        remaining = iter(tensors)
        given = [None if leaf is None else next(remaining) for leaf in leaves]
        return function(*tf.nest.pack_sequence_as(specs, given))

    compiled = tf.function(flat, jit_compile=True, autograph=False)
    try:
        compiled.experimental_get_compiler_ir(
            *(leaf for leaf in leaves if leaf is not None)
        )(stage="hlo")
    except (tf.errors.OpError, ValueError, TypeError, NotImplementedError) as error:
        # errors of other kinds come again when it runs
        return lacking(error)
    return None
