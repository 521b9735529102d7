"""Run and train Nengo models with TensorFlow."""

import sys as _sys
from importlib import import_module as _import_module
from importlib.machinery import ModuleSpec as _ModuleSpec
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

from nengo_dl import dists, neurons, surrogates, synapses
from nengo_dl.backend import check_keras_backend as _check_keras_backend
from nengo_dl.config import configure_settings, configure_trainable
from nengo_dl.disk_cache import use_compilation_cache as _use_compilation_cache
from nengo_dl.neurons import LeakyReLU, LimitedReLU, SoftLIFRate, SpikingLeakyReLU
from nengo_dl.synapses import Delay
from nengo_dl.tf_log import silence as _silence_tensorflow
from nengo_dl.version import version as __version__

if TYPE_CHECKING:
    from nengo_dl import activity, callbacks, converter, losses, objectives, plots
    from nengo_dl import objectives as obj
    from nengo_dl.activity.energy import energy
    from nengo_dl.converter import Converter
    from nengo_dl.layers import Layer, tensor_layer
    from nengo_dl.nir import from_nir, to_nir
    from nengo_dl.simulator import Simulator
    from nengo_dl.tensor_node import TensorNode, reshaped

_silence_tensorflow()
_use_compilation_cache()

__all__ = [
    "Converter",
    "Delay",
    "Layer",
    "LeakyReLU",
    "LimitedReLU",
    "Simulator",
    "SoftLIFRate",
    "SpikingLeakyReLU",
    "TensorNode",
    "__version__",
    "activity",
    "callbacks",
    "configure_settings",
    "configure_trainable",
    "converter",
    "dists",
    "energy",
    "from_nir",
    "losses",
    "neurons",
    "obj",
    "objectives",
    "plots",
    "reshaped",
    "surrogates",
    "synapses",
    "tensor_layer",
    "to_nir",
]

#: what is imported when first needed: the module, and the name in it if not all of it
_LAZY = {
    "Converter": ("nengo_dl.converter", "Converter"),
    "Layer": ("nengo_dl.layers", "Layer"),
    "Simulator": ("nengo_dl.simulator", "Simulator"),
    "TensorNode": ("nengo_dl.tensor_node", "TensorNode"),
    "activity": ("nengo_dl.activity", None),
    "callbacks": ("nengo_dl.callbacks", None),
    "converter": ("nengo_dl.converter", None),
    "energy": ("nengo_dl.activity.energy", "energy"),
    "from_nir": ("nengo_dl.nir", "from_nir"),
    "losses": ("nengo_dl.losses", None),
    "lowering": ("nengo_dl.lowering", None),
    "nir": ("nengo_dl.nir", None),
    "obj": ("nengo_dl.objectives", None),
    "objectives": ("nengo_dl.objectives", None),
    "plan": ("nengo_dl.plan", None),
    "plots": ("nengo_dl.plots", None),
    "reshaped": ("nengo_dl.tensor_node", "reshaped"),
    "tensor_layer": ("nengo_dl.layers", "tensor_layer"),
    "to_nir": ("nengo_dl.nir", "to_nir"),
}


#: modules of earlier releases, which programs and other packages import by name
_OLDER = (
    "builder",
    "graph_optimizer",
    "neuron_builders",
    "process_builders",
    "signals",
    "tensor_graph",
    "utils",
)

#: what earlier releases had, and nothing is in the place of
_GONE = ("DATA_DIR", "learning_rule_builders", "op_builders", "transform_builders")


#: modules that do not import Keras
_WITHOUT_KERAS = (
    "backend",
    "config",
    "disk_cache",
    "dists",
    "graph",
    "neurons",
    "nir",
    "plan",
    "surrogates",
    "synapses",
    "tf_log",
    "user_code",
    "validation",
    "version",
)


class _Imports:
    """What Python does before it imports modules of this package.

    It comes to modules that earlier releases had, says what to use in place of those
    that are gone, and finds out if Keras can be used.
    """

    @classmethod
    def find_spec(cls, name: str, *others: Any) -> _ModuleSpec | None:
        """Return how to load a module of earlier releases; None for all others.

        ``from`` comes here with names that a module does not have, too.
        """
        package, _, rest = name.partition(".")
        if package != __name__:
            return None
        if rest in _OLDER:
            # a package, or else `from` does not come here with names in it
            return _ModuleSpec(name, cls, is_package=True)  # type: ignore[arg-type]
        if rest in _GONE or rest.partition(".")[0] in _OLDER:
            message = _import_module("nengo_dl.compat.older_names").gone(rest)
            if message is not None:
                # with its name, `from` would replace the message by its own
                raise ModuleNotFoundError(message)
        if rest.partition(".")[0] not in _WITHOUT_KERAS:
            _check_keras_backend()
        return None

    @staticmethod
    def create_module(spec: _ModuleSpec) -> _ModuleType:
        """Return the module."""
        return _import_module("nengo_dl.compat.older_names").OlderModule(spec.name)

    @staticmethod
    def exec_module(module: _ModuleType) -> None:
        """Do nothing: it is complete."""


_sys.meta_path.insert(0, _Imports)


def __getattr__(name: str) -> Any:
    """Import TensorFlow, which takes seconds, when it is first needed."""
    if name in _OLDER:
        return _import_module(f"nengo_dl.{name}")
    if name not in _LAZY:
        if name.startswith("_"):
            raise AttributeError(f"module 'nengo_dl' has no attribute {name!r}")
        return _import_module("nengo_dl.compat.older_names").find(name)
    module, attribute = _LAZY[name]
    found: Any = _import_module(module)
    if attribute is not None:
        found = getattr(found, attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, and those of any module: ``__file__`` for example."""
    return sorted({*__all__, *_LAZY, *(n for n in globals() if n.startswith("__"))})
