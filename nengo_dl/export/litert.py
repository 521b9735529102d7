"""LiteRT, formerly TensorFlow Lite: for telephones and boards, without TensorFlow."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import tensorflow as tf

from nengo_dl.export.graphs import graphs, specs
from nengo_dl.export.portable import Portable
from nengo_dl.validation import NotPossibleError

FILE = "model.tflite"


def write(portable: Portable, folder: Path, int8: bool) -> None:
    """Write ``model.tflite``, with the signatures ``run`` and ``step``.

    Parameters
    ----------
    portable : Portable
        The network.
    folder : Path
        Where to.
    int8 : bool
        Whether weights have 8 bits. The converter leaves matrices of less than 1,024
        elements as they are.

    Raises
    ------
    ImportError
        If this version of TensorFlow has no converter.
    NotPossibleError
        If LiteRT has no operation for something in the network.
    """
    if getattr(tf, "lite", None) is None:
        raise ImportError(
            f"TensorFlow {tf.__version__} has no converter for LiteRT; install one "
            "that has, 2.18 to 2.21 for example"
        )
    found = graphs(portable)
    arguments = specs(portable)
    signatures = {
        name: function.get_concrete_function(**arguments[name])
        for name, function in found.items()
    }
    module = tf.Module()
    module.functions = list(found.values())
    with tempfile.TemporaryDirectory() as temporary:
        tf.saved_model.save(module, temporary, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            temporary, signature_keys=list(signatures)
        )
        # no interpreter that is shipped today has TensorFlow's own operations
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            content = converter.convert()
        except Exception as error:  # the converter's errors have no class of their own
            names = sorted(set(re.findall(r"\btf\.[A-Z]\w*", str(error))))
            raise NotPossibleError(
                "The network cannot be exported for LiteRT, which has no operation for "
                f"{', '.join(names) or 'a part of it'}; export it with "
                "format='saved_model', or without the neurons, synapses or TensorNodes "
                f"that need it. TensorFlow's converter says: {error!s:.500}"
            ) from error
    (folder / FILE).write_bytes(content)
