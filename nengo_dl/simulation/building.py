"""From a network to a program: everything that happens before a simulation can run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import nengo
import numpy as np
from nengo.builder import Model

from nengo_dl import config
from nengo_dl.display.progress import Steps, stage
from nengo_dl.distribution.shares import share_of
from nengo_dl.distribution.workers import Workers
from nengo_dl.graph import nengo_model, trainable
from nengo_dl.graph.garbage import no_garbage_collection
from nengo_dl.graph.inputs import input_nodes
from nengo_dl.graph.number_range import check_initial_values
from nengo_dl.graph.operators import Operators
from nengo_dl.graph.opgraph import nengo_order
from nengo_dl.inputs.endpoints import Endpoints
from nengo_dl.inputs.random_streams import MAX_SEED
from nengo_dl.lowering.registry import attributes_of
from nengo_dl.lowering.tensor_nodes.binding import bind
from nengo_dl.program.built import Built
from nengo_dl.program.compile import compile_program
from nengo_dl.program.program import Program
from nengo_dl.simulation.options import Options
from nengo_dl.user_code import warn_user


@dataclass(frozen=True)
class Building:
    """A built model, and its program.

    Attributes
    ----------
    built : Built
        The model, and how the user wants it simulated.
    program : Program
        The model as one function of tensors.
    endpoints : Endpoints
        Its inputs and outputs.
    times : dict of {str: float}
        How long each stage took (s), by name.
    seed : int
        The seed of the simulator.
    """

    built: Built
    program: Program
    endpoints: Endpoints
    times: dict[str, float]
    seed: int


def build(
    network: nengo.Network | None,
    dt: float,
    model: Model | None,
    options: Options,
    workers: Workers,
    seed: int | None,
) -> Building:
    """Build a network with Nengo, decide how it runs, and make a program of it.

    Parameters
    ----------
    network : nengo.Network or None
        The network; None if the model is complete.
    dt : float
        Length of a time step (s).
    model : nengo.builder.Model or None
        What the network is built into.
    options : Options
        The options of the simulator.
    workers : Workers
        The processes that build it, and what divides minibatches between devices.
    seed : int or None
        The seed of the simulator; None: the network decides, or else chance.

    Raises
    ------
    BuildError
        If the network cannot be built, or has numbers beyond the precision.
    ValidationError
        If it is configured with what cannot be.
    """
    with stage("Building", None, options.progress_bar) as tracker:
        start = time.perf_counter()
        model = nengo_model.build(network, dt, model, Steps(tracker))
        planning = time.perf_counter()
        settings = config.resolve(model.toplevel, options.dtype)
        batch, jit = options.minibatch_size or 1, settings.jit_compile is not False
        # after Nengo has drawn what it draws without a seed, as in Nengo's simulator
        seed = workers.agree(_of_network(network) if seed is None else seed)
        for warning in bind(model, settings.dtype, batch, jit, seed):
            warn_user(warning)
        with no_garbage_collection():
            operators = Operators(model.operators)
            check_initial_values(operators, settings.dtype)
            built = Built(
                model,
                nengo_order(operators),
                trainable.resolve(
                    model,
                    settings.inference_only,
                    partial(attributes_of, surrogate=settings.surrogate),
                ),
                settings,
                batch,
                options.unroll_simulation,
                options.device,
                workers.replicas,
            )
            program = compile_program(built)
        times = {
            "nengo build": planning - start,
            "plan": time.perf_counter() - planning,
        }
    endpoints = Endpoints(
        tuple(input_nodes(model)),
        tuple(model.probes),
        options.minibatch_size,
        settings.dtype,
        frozenset(p for p in model.probes if not settings.keeps_history(p)),
        {p: size for p in model.probes for size in model.sig[p]["in"].shape[-1:]},
        model.dt,
        share_of(workers.replicas),
    )
    return Building(built, program, endpoints, times, seed)


def _of_network(network: nengo.Network | None) -> int:
    """Return the seed of a simulator that was given none, as Nengo chooses it."""
    own = getattr(network, "seed", None)
    return int(np.random.randint(MAX_SEED) if own is None else own + 1)
