"""Names of earlier releases: where what they stood for is now, or what to use."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from nengo_dl.compat.deprecation import deprecated

#: what has another name today
_MOVED = {
    "graph_optimizer.noop_planner": "nengo_dl.plan.noop_planner",
    "graph_optimizer.greedy_planner": "nengo_dl.plan.greedy_planner",
    "graph_optimizer.tree_planner": "nengo_dl.plan.greedy_planner",
    "graph_optimizer.transitive_planner": "nengo_dl.plan.greedy_planner",
    "graph_optimizer.remove_unmodified_resets": (
        "nengo_dl.graph.simplify.remove_unmodified_resets"
    ),
    "graph_optimizer.remove_zero_incs": "nengo_dl.graph.simplify.remove_zero_incs",
    "graph_optimizer.remove_identity_muls": (
        "nengo_dl.graph.simplify.remove_identity_muls"
    ),
    "graph_optimizer.default_simplifications": (
        "nengo_dl.graph.simplify.default_simplifications"
    ),
    "utils.mse": "nengo_dl.objectives.mse",
}

_SORTER = (
    "memory is laid out in the order of the plan. Leave out `sorter=` of "
    "`nengo_dl.configure_settings`"
)
_LOWERING = (
    "operators are written in TensorFlow with a `nengo_dl.lowering.Lowering`; the page "
    "on extending shows how"
)
#: what there is no more, and what to use
_GONE = {
    "graph_optimizer.order_signals": _SORTER,
    "graph_optimizer.noop_order_signals": _SORTER,
    "graph_optimizer.remove_constant_copies": (
        "the compiler does it. Leave it out of `simplifications`"
    ),
    "graph_optimizer.remove_reset_incs": (
        "the compiler does it. Leave it out of `simplifications`"
    ),
    "builder.Builder": _LOWERING,
    "builder.OpBuilder": _LOWERING,
    "builder.BuildConfig": _LOWERING,
    "op_builders": _LOWERING,
    "transform_builders": _LOWERING,
    "learning_rule_builders": (
        "all learning rules of Nengo run in TensorFlow. Others are written with a "
        "`nengo_dl.lowering.Lowering`; the page on extending shows how"
    ),
    "builder.NengoBuilder": "register build functions with `nengo.builder.Builder`",
    "builder.NengoModel": "`nengo.builder.Model` does; give it as `model=`",
    "signals.SignalDict": "`sim.signals[signal]` returns the value of a signal",
    "signals.TensorSignal": "`sim.signals[signal]` returns the value of a signal",
    "tensor_graph.TensorGraph": (
        "`sim.function()` returns the network as a function of TensorFlow"
    ),
    "utils.sanitize_name": "`sim.get_name(obj)` returns names of Nodes and Probes",
    "utils.function_name": "write `f.__name__`",
    "utils.align_func": "what functions of Nodes return is checked when they run",
    "utils.ProgressBar": (
        "give `progress_bar=True`, or a `nengo.utils.progress.ProgressBar`"
    ),
    "utils.cast_dtype": "write `np.asarray(x, dtype)`",
    "utils.find_non_differentiable": "`sim.train` warns of what lets no gradient pass",
    "utils.tf_gpu_installed": "write `tf.config.list_physical_devices('GPU')`",
    "utils.print_op": (
        "write `tf.print(message, x)` in the function of a TensorNode, which then runs "
        "without XLA"
    ),
    "utils.minibatch_generator": (
        "`sim.train` makes minibatches of arrays, and `tf.data.Dataset.batch` makes "
        "some for `sim.fit`"
    ),
    "DATA_DIR": (
        "no data come with the package. `keras.datasets` downloads some, and "
        "`nengo_dl.benchmarks` has networks"
    ),
}
#: modules with a class for each type, and what to use in place of all of them
_BUILDERS_OF = {
    "builder": _LOWERING,
    "neuron_builders": (
        "neuron types are written in TensorFlow with a `nengo_dl.lowering.Lowering`; "
        "the page on extending shows how"
    ),
    "process_builders": (
        "processes are written in TensorFlow with a `nengo_dl.lowering.Lowering`; the "
        "page on extending shows how"
    ),
}


def gone(name: str) -> str | None:
    """Return what to use in place of something that is gone, as a whole message.

    Parameters
    ----------
    name : str
        Its name, without ``nengo_dl.`` in front.

    Returns
    -------
    str or None
        None if earlier releases had no such thing, or today's has another name.
    """
    instead = _GONE.get(name)
    if instead is None and name.endswith("Builder"):
        instead = _BUILDERS_OF.get(name.rpartition(".")[0])
    if instead is None:
        return None
    return f"There is no nengo_dl.{name} any more: {instead}"


def find(name: str) -> Any:
    """Return what a name of earlier releases stands for today.

    Parameters
    ----------
    name : str
        The name, without ``nengo_dl.`` in front.

    Warns
    -----
    DeprecationWarning
        It shows today's name.

    Raises
    ------
    AttributeError
        If there is no such thing; the message says what to use, if that is known.
    """
    if name in _MOVED:
        if not _import_asks():
            deprecated(f"nengo_dl.{name}", _MOVED[name])
        module, _, attribute = _MOVED[name].rpartition(".")
        return getattr(importlib.import_module(module), attribute)
    message = gone(name)
    if message is not None:
        raise AttributeError(message)
    module, _, attribute = name.rpartition(".")
    where = ".".join(filter(None, ("nengo_dl", module)))
    raise AttributeError(f"module {where!r} has no attribute {attribute!r}")


def _import_asks() -> bool:
    """Whether ``from ... import`` asks if a module has a name; it gets it later."""
    # this function, `find` and `__getattr__` have been called in between
    return sys._getframe(3).f_globals.get("__name__") == "importlib._bootstrap"


class OlderModule(ModuleType):
    """A module of earlier releases.

    Parameters
    ----------
    name : str
        Its full name, ``"nengo_dl.graph_optimizer"`` for example.
    """

    def __getattr__(self, name: str) -> Any:
        """Return what a name in it stands for today."""
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__ == "nengo_dl.neuron_builders":
            builders = importlib.import_module(_BUILDERS)
            if hasattr(builders, name):
                return getattr(builders, name)
        return find(f"{self.__name__.partition('.')[2]}.{name}")


#: other packages write into it, which is no older form of anything their users wrote
_BUILDERS = "nengo_dl.compat.neuron_builders"
