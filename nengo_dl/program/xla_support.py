"""What XLA lacks, told from the errors that it raises when it compiles."""

from __future__ import annotations

import os
import re

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
    if found is not None:
        operation = _KNOWN_AS.get(found.group(1), f"the operation {found.group(1)}")
    elif "XLA compilation requires a fixed tensor list size" in text:
        # what the way back through a loop needs is kept in a list
        operation = "gradients of a `tf.while_loop` without `maximum_iterations`"
    else:
        return None
    lines = re.findall(
        r'^File "(.+)", line (\d+), in (\S+)$', text.split("tf2xla")[0], re.MULTILINE
    )
    for file, line, name in reversed(lines[-1:]):
        path = file if os.path.isabs(file) else os.sep + file
        if is_users(path):
            return f"`{name}` ({os.path.basename(path)}, line {line}) uses {operation}"
    return f"A loss, metric, TensorNode or function of outputs uses {operation}"


class Xla:
    """Whether XLA compiles what shares this object, until it lacks something.

    Parameters
    ----------
    used : bool
        Whether it compiles to begin with.

    Attributes
    ----------
    used : bool
        Whether it compiles now.
    """

    def __init__(self, used: bool) -> None:
        self.used = used

    def give_up(self, error: Exception) -> None:
        """Do without XLA from now on, with a warning, if that is what failed.

        Parameters
        ----------
        error : Exception
            What a compiled function raised; nothing has run then. Any other error is
            raised again.
        """
        lack = lacking(error) if self.used else None
        if lack is None:
            raise error
        self.used = False
        warn_user(
            f"{lack}, which XLA lacks, so this call runs without XLA, and slower. With "
            "`configure_settings(jit_compile=False)`, or "
            "`sim.compile(jit_compile=False)` for `fit` and `evaluate`, there is no "
            "such warning"
        )
