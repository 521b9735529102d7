"""ONNX, through tf2onnx: for onnxruntime and what else reads it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from nengo_dl.export.portable import Named, Portable
from nengo_dl.validation import NotPossibleError

#: the oldest set of operations that has all that is used here
OPSET = 17

#: in ONNX no result has the name of an argument
NEXT = "{}_next"


def require_tf2onnx() -> None:
    """Raise an error if tf2onnx is not installed.

    Raises
    ------
    ImportError
        The message says how to install it.
    """
    missing = [
        name for name in ("tf2onnx", "onnx") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ImportError(
            f"Exporting to ONNX needs {' and '.join(missing)}, not installed here: "
            "`pip install tf2onnx onnx`"
        )


def write(portable: Portable, folder: Path) -> None:
    """Write ``run.onnx`` and ``step.onnx``; see `require_tf2onnx`.

    Parameters
    ----------
    portable : Portable
        The network.
    folder : Path
        Where to.

    Raises
    ------
    NotPossibleError
        If ONNX has no operation for something in the network.
    """
    converted = {
        "run": _converted(
            lambda named: portable.run(None, named), portable.run_specs()
        ),
        "step": _converted(
            lambda named: {
                NEXT.format(name) if name in portable.state_names else name: value
                for name, value in portable.step(None, named).items()
            },
            portable.step_specs(),
        ),
    }
    unknown = {op for model in converted.values() for op in _unknown(model)}
    if unknown:
        raise NotPossibleError(
            "The network cannot be exported to ONNX, which has no operation for "
            f"{', '.join(sorted(unknown))} of TensorFlow; export it with "
            "format='saved_model', or without the neurons, synapses or TensorNodes "
            "that need it"
        )
    for name, model in converted.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def _converted(compute: Any, specs: dict[str, tf.TensorSpec]) -> Any:
    """Return a function of named tensors as a model of ONNX."""
    import tf2onnx

    names = list(specs)

    def positional(*tensors: tf.Tensor) -> Named:
        return compute(dict(zip(names, tensors, strict=True)))

    with _quiet():
        model, _ = tf2onnx.convert.from_function(
            tf.function(positional, autograph=False),
            input_signature=list(specs.values()),
            opset=OPSET,
            custom_op_handlers={
                "Expm1": (_expm1, []),
                "Log1p": (_log1p, []),
                "SelectV2": (_where, []),
            },
        )
    return model


def _expm1(ctx: Any, node: Any, name: str, args: Any) -> None:
    r"""Put :math:`\tanh(x / 2)(e^x + 1)` in the place of :math:`e^x - 1`.

    They are equal, and this one is exact for small x.
    """
    (x,), dtypes, shapes = node.input, node.output_dtypes, node.output_shapes
    (output,) = node.output
    ctx.remove_node(node.name)
    make = ctx.make_node
    half = _number(ctx, name, 0.5, ctx.get_dtype(x))
    one = _number(ctx, name, 1.0, ctx.get_dtype(x))
    tanh = make("Tanh", [make("Mul", [x, half]).output[0]]).output[0]
    more = make("Add", [make("Exp", [x]).output[0], one]).output[0]
    make("Mul", [tanh, more], outputs=[output], dtypes=dtypes, shapes=shapes)


def _log1p(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Put the logarithm of 1 + x in the place of one that ONNX does not have."""
    (x,), dtypes, shapes = node.input, node.output_dtypes, node.output_shapes
    (output,) = node.output
    ctx.remove_node(node.name)
    one = _number(ctx, name, 1.0, ctx.get_dtype(x))
    more = ctx.make_node("Add", [x, one]).output[0]
    ctx.make_node("Log", [more], outputs=[output], dtypes=dtypes, shapes=shapes)


def _where(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Put ONNX's ``Where`` in the place of TensorFlow's.

    tf2onnx multiplies one branch by 1, the other by 0, and adds them. The sum is NaN
    where the branch that is not taken is infinite or NaN, as the time since a spike is
    for neurons that have not spiked.
    """
    inputs, dtypes, shapes = list(node.input), node.output_dtypes, node.output_shapes
    (output,) = node.output
    ctx.remove_node(node.name)
    ctx.make_node("Where", inputs, outputs=[output], dtypes=dtypes, shapes=shapes)


def _number(ctx: Any, name: str, value: float, dtype: int) -> str:
    import numpy as np
    from tf2onnx import utils

    array = np.array(value, utils.map_onnx_to_numpy_type(dtype))
    return ctx.make_const(utils.make_name(name), array).output[0]


def _unknown(model: Any) -> Iterator[str]:
    """Give the types of operations that are none of ONNX's.

    tf2onnx reports these in its log, and returns a model with them all the same.
    """
    import onnx

    version = next(entry.version for entry in model.opset_import if not entry.domain)

    def nodes(graph: Any) -> Iterator[Any]:
        for node in graph.node:
            yield node
            for attribute in node.attribute:
                yield from nodes(attribute.g)
                for inner in attribute.graphs:
                    yield from nodes(inner)

    for node in nodes(model.graph):
        if node.domain or not onnx.defs.has(node.op_type, version, node.domain):
            yield node.op_type


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tf2onnx from writing what is raised as an error here."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
