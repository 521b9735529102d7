"""Random networks: combinations that nobody thought of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np

from tests.random_networks import parts
from tests.random_networks.draw import Draw, call
from tests.random_networks.learning import Learning
from tests.random_networks.program import Program
from tests.random_networks.transforms import convolution, transform

#: typical output of neurons (Hz), which transforms scale down
RATE = 200.0

#: whose elements can be probed apart
SLICED = (nengo.Ensemble, nengo.Node, nengo.ensemble.Neurons)

#: what is probed as a matrix
MATRICES = ("scaled_encoders", "weights", "delta", "inv_gamma")


@dataclass(frozen=True)
class End:
    """Something that a connection may start or end at.

    Attributes
    ----------
    text : str
        How a statement names it.
    place : int
        Its place in the order of objects; connections without synapse go forward.
    decoded : bool
        Whether a connection from it has decoders.
    neurons : bool
        Whether it is the neurons of an ensemble.
    function : bool
        Whether a connection from it can compute a function.
    """

    text: str
    place: int
    decoded: bool = False
    neurons: bool = False
    function: bool = False


class Generator:
    """Writes a program, and runs it at the same time to ask Nengo about sizes.

    Parameters
    ----------
    seed : int
        What decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.draw = draw = Draw(seed)
        self._program = Program(seed)
        self._net, self._names = self._program.empty()
        self._lines: list[str] = []
        self._context = ""
        self.sources: list[End] = []
        self.targets: list[End] = []
        self.ensembles: list[str] = []
        self.connections: list[str] = []

        # objects of the same kind and size are what runs as one
        self._neuron_types = [parts.neuron_type(draw) for _ in range(3)]
        self._synapses = [parts.synapse(draw) for _ in range(3)]
        self._sizes = [draw.integer(1, 3) for _ in range(2)]
        self._n_neurons = [draw.integer(4, 12) for _ in range(2)]

    def program(self) -> Program:
        """Return the program."""
        draw = self.draw
        for _ in range(draw.integer(1, 2)):
            self.input_node()
        inputs = list(self.sources)
        makers = [self.ensemble] * 6 + [self.passthrough, self.node, self.process_node]
        makers += [self.array, self.subnetwork, self.sink]
        for _ in range(draw.integer(2, 4)):
            draw.one_of(makers)()
        for source in inputs:
            self.connect(source)
        for _ in range(draw.integer(1, 5)):
            draw.one_of([self.connect] * 5 + [self.convolve])()
        for _ in range(draw.integer(0, 2)):
            Learning(self).rule()
        self.probes()
        return Program(self._program.seed, tuple(self._lines))

    # -- writing and running statements

    def say(self, prefix: str, text: str) -> str:
        """Add a statement that makes an object, and return the object's name."""
        name = f"{prefix}_{len(self._lines)}"
        line = f"{self._context}{name} = {text}"
        with self._net:
            exec(line, self._names)
        self._lines.append(line)
        return name

    def ask(self, text: str) -> Any:
        """Return the value of an expression."""
        return eval(text, self._names)

    # -- objects

    def input_node(self, size: int | None = None) -> None:
        """Add a Node without input."""
        draw = self.draw
        size = draw.one_of(self._sizes) if size is None else size
        output = draw.one_of(
            [
                draw.values(1, size),
                parts.function_of_time(draw, size),
                parts.process(draw, size),
            ]
        )
        name = self.say("node", call("nengo.Node", output, size_out=size))
        self.sources.append(self._end(name, function=True))

    def node(self) -> None:
        """Add a Node that computes a function of time and input."""
        size = self.draw.one_of(self._sizes)
        output = parts.function_of_input(self.draw, size)
        name = self.say("node", call("nengo.Node", output, size_in=size))
        self.sources.append(self._end(name, function=True))
        self.targets.append(self._end(name))

    def sink(self) -> None:
        """Add a Node without output."""
        size = self.draw.one_of(self._sizes)
        name = self.say("node", call("nengo.Node", "lambda t, x: None", size_in=size))
        self.targets.append(self._end(name))

    def process_node(self) -> None:
        """Add a Node that runs a Process on its input."""
        size = self.draw.one_of(self._sizes)
        process, out = parts.process_with_input(self.draw, size)
        name = self.say("node", call("nengo.Node", process, size_in=size, size_out=out))
        self.sources.append(self._end(name, function=True))
        self.targets.append(self._end(name))

    def passthrough(self, size: int | None = None) -> str:
        """Add a Node that hands its input on."""
        size = self.draw.one_of(self._sizes) if size is None else size
        name = self.say("node", call("nengo.Node", size_in=size))
        self.sources.append(self._end(name))
        self.targets.append(self._end(name))
        return name

    def ensemble(self) -> None:
        """Add an ensemble."""
        draw = self.draw
        n, size = draw.one_of(self._n_neurons), draw.one_of(self._sizes)
        neurons = draw.one_of(self._neuron_types)
        direct = "Direct" in neurons
        options = parts.optional(
            draw,
            {
                "radius": parts.uniform(0.5, 2),
                "noise": parts.noise,
                "intercepts": lambda draw: "nengo.dists.Uniform(-0.9, 0.5)",
                "max_rates": lambda draw: "nengo.dists.Uniform(50, 120)",
                "encoders": lambda draw: draw.values(1, n, size),
                "n_eval_points": lambda draw: str(draw.integer(20, 60)),
                "seed": lambda draw: str(draw.integer(0, 99)),
            },
            0.2,
        )
        if "encoders" in options and draw.flip(0.5):
            options["normalize_encoders"] = False
        if "Sigmoid" in neurons or "Tanh" in neurons:
            # their gains would not be positive
            options.pop("max_rates", None)
        if draw.flip(0.1) and not direct:
            options["gain"] = "nengo.dists.Uniform(0.5, 2)"
            options["bias"] = "nengo.dists.Uniform(0.5, 1.5)"
            options.pop("max_rates", None)
            options.pop("intercepts", None)
        text = call("nengo.Ensemble", n, size, neuron_type=neurons, **options)
        name = self.say("ens", text)
        self.ensembles.append(name)
        self.sources.append(self._end(name, decoded=not direct, function=True))
        self.targets.append(self._end(name))
        if not direct:
            self.sources.append(self._end(f"{name}.neurons", neurons=True))
            self.targets.append(self._end(f"{name}.neurons", neurons=True))

    def array(self) -> None:
        """Add an EnsembleArray."""
        draw = self.draw
        neurons = draw.one_of(self._neuron_types)
        text = call(
            "nengo.networks.EnsembleArray",
            draw.one_of(self._n_neurons),
            draw.integer(1, 3),
            ens_dimensions=draw.integer(1, 2),
            neuron_type=neurons,
        )
        name = self.say("array", text)
        place = len(self._lines)
        self.targets.append(self._end(f"{name}.input", place))
        self.sources.append(self._end(f"{name}.output", place))
        if draw.flip(0.5):
            function = draw.one_of(parts.FUNCTIONS)
            output = self.say("node", f"{name}.add_output('function', {function})")
            self.sources.append(self._end(output, place))
        if "Direct" not in neurons and draw.flip(0.5):
            node = self.say("node", f"{name}.add_neuron_input()")
            self.targets.append(self._end(node, place, neurons=True))
            node = self.say("node", f"{name}.add_neuron_output()")
            self.sources.append(self._end(node, place, neurons=True))
        self.ensembles.append(f"{name}.ea_ensembles[-1]")

    def subnetwork(self) -> None:
        """Add a network in the network, with some objects."""
        name = self.say("net", call("nengo.Network", seed=self.draw.one_of([None, 7])))
        outside, self._context = self._context, f"with {name}: "
        for _ in range(self.draw.integer(1, 2)):
            self.draw.one_of([self.ensemble, self.ensemble, self.passthrough])()
        self._context = outside

    def _end(self, text: str, place: int | None = None, **options: bool) -> End:
        """Return an end at the place of the last statement, or an earlier one."""
        return End(text, len(self._lines) if place is None else place, **options)

    # -- connections

    def connect(self, source: End | None = None) -> None:
        """Connect two objects, or parts of them."""
        draw = self.draw
        source = draw.one_of(self.sources) if source is None else source
        target = draw.one_of(self.targets)
        pre, pre_repeats = self.pre(source)
        post, post_repeats = self.post(target)
        options: dict[str, Any] = {}
        mid = self.ask(pre).size_out
        if source.function and draw.flip(0.35):
            options["function"] = draw.one_of(parts.FUNCTIONS)
            mid = np.size(self.ask(options["function"])(np.zeros(mid)))
        elif source.decoded and pre == source.text and draw.flip(0.1):
            # a function that is known at some points only
            options["eval_points"] = draw.values(1, 30, mid)
            options["function"] = draw.values(1, 30, 2)
            mid = 2
        scale = (0.5 if source.neurons else 0.8) / (RATE if source.neurons else 1)
        weights = (
            source.decoded
            and target.text in self.ensembles
            and "Direct" not in str(self.ask(target.text).neuron_type)
            and draw.flip(0.15)
        )
        if weights:
            options["solver"] = "nengo.solvers.LstsqL2(weights=True)"
        size = self.ask(post).size_in
        if mid != size or draw.flip(0.8):
            options["transform"] = transform(
                draw,
                size,
                mid,
                scale,
                pre_repeats or post_repeats,
                sparse=not source.decoded,
            )
            if options["transform"] is None:
                return
        if draw.flip(0.1):
            options["seed"] = draw.integer(0, 99)
        self._connection(source, target, pre, post, options)

    def convolve(self) -> None:
        """Connect two objects through a convolution."""
        draw = self.draw
        if draw.flip(0.5):
            self.input_node(draw.one_of([12, 16, 18]))
            source, pre = self.sources[-1], self.sources[-1].text
        else:
            source = draw.one_of([end for end in self.sources if not end.decoded])
            pre, _ = self.pre(source)
        scale = 0.3 / (RATE if source.neurons else 1)
        text = convolution(draw, self.ask(pre).size_out, scale)
        size = self.ask(text).size_out
        fitting = [e for e in self.targets if self.ask(e.text).size_in >= size]
        if not fitting or draw.flip(0.3):
            self.passthrough(size)
            fitting = self.targets[-1:]
        target = draw.one_of(fitting)
        post = target.text
        if self.ask(post).size_in > size:
            post = f"{post}[:{size}]" if draw.flip(0.5) else f"{post}[-{size}:]"
        self._connection(source, target, pre, post, {"transform": text})

    def _connection(
        self, source: End, target: End, pre: str, post: str, options: dict
    ) -> None:
        """Add a connection with some synapse, or none where that makes no cycle."""
        options["synapse"] = self.synapse(source, target)
        name = self.say("conn", call("nengo.Connection", pre, post, **options))
        self.connections.append(name)

    def synapse(self, source: End, target: End) -> str:
        """Return a synapse, or none where that makes no cycle."""
        if source.place < target.place and self.draw.flip(0.3):
            return "None"
        return self.draw.one_of(self._synapses)

    def pre(self, end: End) -> tuple[str, bool]:
        """Return the source of a connection, see `part`."""
        return self.part(end.text, self.ask(end.text).size_out)

    def post(self, end: End) -> tuple[str, bool]:
        """Return the target of a connection, see `part`."""
        return self.part(end.text, self.ask(end.text).size_in)

    def part(self, text: str, n: int) -> tuple[str, bool]:
        """Return something or some of its ``n`` elements, and whether any repeats."""
        draw = self.draw
        i = draw.integer(0, n - 1)
        low = draw.integer(0, n - 1)
        mask = [draw.flip(0.5) for _ in range(n)]
        chosen = draw.some_of(range(n), draw.integer(1, n))
        repeating = [draw.integer(0, n - 1) for _ in range(draw.integer(1, n))]
        whole = 6
        options = [
            *[("", False)] * whole,
            (f"[{i}]", False),
            (f"[{i - n}]", False),
            ("[::-1]", False),
            (f"[{low}:]", False),
            (f"[:{low + 1}]", False),
            (f"[{low}::2]", False),
            (f"[{low}::-1]", False),
            (f"[{chosen}]", False),
            (f"[np.array({chosen})]", False),
            (f"[{[k - n for k in chosen]}]", False),
            (f"[{repeating}]", len(set(repeating)) < len(repeating)),
            # Nengo takes a mask for repeated indices
            (f"[{mask}]" if any(mask) else "", any(mask)),
        ]
        index, repeats = draw.one_of(options)
        return text + index, repeats

    # -- probes

    def probes(self) -> None:
        """Probe most of what can be probed, and one thing in any case."""
        objects = [*self.ensembles, *(f"{name}.neurons" for name in self.ensembles)]
        objects += [end.text for end in self.sources + self.targets]
        for name in dict.fromkeys(objects + self.connections):
            # what neurons do is less well visible elsewhere
            probability = 0.5 if name.endswith(".neurons") else 0.3
            for attribute in self.ask(name).probeable:
                if self.ask(name).size_out and self.draw.flip(probability):
                    self.probe(name, attribute)
        self.probe(self.sources[0].text, "output")

    def probe(self, name: str, attribute: str) -> None:
        """Probe an attribute of an object, or some elements of it."""
        draw = self.draw
        target = self.ask(name)
        if attribute == "weights" and (
            not target.has_weights or isinstance(target.transform, nengo.Sparse)
        ):
            return
        if isinstance(target, SLICED) and attribute not in MATRICES and draw.flip(0.3):
            name, _ = self.part(name, target.size_out)
        options = {"synapse": draw.one_of(["None", "None", *self._synapses])}
        if draw.flip(0.4):
            options["sample_every"] = draw.one_of(["0.002", "0.0035", "0.0007", "0.01"])
        self.say("probe", call("nengo.Probe", name, repr(attribute), **options))
