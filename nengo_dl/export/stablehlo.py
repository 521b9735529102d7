"""StableHLO as text: for runtimes that compile what XLA and IREE do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from nengo.exceptions import ValidationError

from nengo_dl.export.graphs import graphs, specs
from nengo_dl.export.portable import Portable


def write(portable: Portable, folder: Path) -> dict[str, dict[str, list[str]]]:
    """Write ``step.mlir``, and ``run.mlir`` if the number of steps is known.

    Weights are constants in it. All shapes are fixed.

    Parameters
    ----------
    portable : Portable
        The network.
    folder : Path
        Where to.

    Returns
    -------
    dict of {str: dict}
        For each file the names of its arguments and results, in their order: the
        text has none.
    """
    found = graphs(portable, jit_compile=True)
    order = {}
    for name, arguments in specs(portable).items():
        if name == "run" and portable.n_steps is None:
            continue
        function = found[name]
        text = _as_text(function, arguments)
        (folder / f"{name}.mlir").write_text(text, encoding="utf-8")
        traced = function.get_concrete_function(**arguments)
        order[name] = {
            "arguments": list(traced.structured_input_signature[1]),
            # TensorFlow flattens dicts in the order of their keys
            "results": sorted(traced.structured_outputs),
        }
    return order


def _as_text(function: Any, arguments: Mapping[str, Any]) -> str:
    """Return a function for some arguments as StableHLO.

    Raises
    ------
    ValidationError
        If this version of TensorFlow does not write it.
    """
    try:
        return str(
            function.experimental_get_compiler_ir(**arguments)(stage="stablehlo")
        )
    except ValueError as error:
        if "Invalid stage" not in str(error):
            raise
        raise ValidationError(
            f"TensorFlow {tf.__version__} does not write StableHLO. Install a newer "
            "TensorFlow, or choose another format, such as format='saved_model'",
            attr="format",
        ) from error
