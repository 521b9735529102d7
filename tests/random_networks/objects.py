"""Nodes, ensembles and networks of them, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

from tests.random_networks import parts
from tests.random_networks.draw import call
from tests.random_networks.writer import Writer


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
        Whether it is the neurons of an ensemble, or stands for them.
    function : bool
        Whether a connection from it can compute a function.
    """

    text: str
    place: int
    decoded: bool = False
    neurons: bool = False
    function: bool = False


class Objects:
    """Adds objects to a program.

    Parameters
    ----------
    writer : Writer
        Who writes the program.

    Attributes
    ----------
    sources, targets : list of End
        What connections may start and end at.
    ensembles : list of str
        All ensembles that can be probed.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._draw = draw = writer.draw
        self.sources: list[End] = []
        self.targets: list[End] = []
        self.ensembles: list[str] = []

        # objects of the same kind and size are what runs as one
        self._neuron_types = [parts.neuron_type(draw) for _ in range(3)]
        self._sizes = [draw.integer(1, 3) for _ in range(2)]
        self._n_neurons = [draw.integer(4, 12) for _ in range(2)]

    def anything(self) -> None:
        """Add an object of a random kind, most often an ensemble."""
        makers = [self.ensemble] * 6 + [self.passthrough, self.node, self.process_node]
        makers += [self.array, self.subnetwork, self.sink, self.library]
        self._draw.one_of(makers)()

    # -- Nodes

    def input_node(self, size: int | None = None) -> End:
        """Add a Node without input."""
        draw = self._draw
        size = draw.one_of(self._sizes) if size is None else size
        output = draw.one_of(
            [
                draw.values(1, size),
                parts.function_of_time(draw, size),
                parts.process(draw, size),
            ]
        )
        name = self._writer.say("node", call("nengo.Node", output, size_out=size))
        self._source(name, function=True)
        return self.sources[-1]

    def node(self) -> None:
        """Add a Node that computes a function of time and input."""
        size = self._draw.one_of(self._sizes)
        output = parts.function_of_input(self._draw, size)
        name = self._writer.say("node", call("nengo.Node", output, size_in=size))
        self._source(name, function=True)
        self._target(name)

    def sink(self) -> None:
        """Add a Node without output."""
        size = self._draw.one_of(self._sizes)
        output = "lambda t, x: None"
        self._target(self._writer.say("node", call("nengo.Node", output, size_in=size)))

    def process_node(self) -> None:
        """Add a Node that runs a Process on its input."""
        size = self._draw.one_of(self._sizes)
        process, out = parts.process_with_input(self._draw, size)
        sizes = {"size_in": size, "size_out": out}
        name = self._writer.say("node", call("nengo.Node", process, **sizes))
        self._source(name, function=True)
        self._target(name)

    def passthrough(self, size: int | None = None) -> End:
        """Add a Node that hands its input on."""
        size = self._draw.one_of(self._sizes) if size is None else size
        name = self._writer.say("node", call("nengo.Node", size_in=size))
        self._source(name)
        self._target(name)
        return self.targets[-1]

    # -- ensembles

    def ensemble(self) -> None:
        """Add an ensemble."""
        draw = self._draw
        n, size = draw.one_of(self._n_neurons), draw.one_of(self._sizes)
        neurons = draw.one_of(self._neuron_types)
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
        direct = "Direct" in neurons
        if draw.flip(0.1) and not direct and "Izhikevich" not in neurons:
            options["gain"] = "nengo.dists.Uniform(0.5, 2)"
            options["bias"] = "nengo.dists.Uniform(0.5, 1.5)"
            options.pop("max_rates", None)
            options.pop("intercepts", None)
        text = call("nengo.Ensemble", n, size, neuron_type=neurons, **options)
        name = self._writer.say("ens", text)
        self.ensembles.append(name)
        self._source(name, decoded=not direct, function=True)
        self._target(name)
        if not direct:
            self._source(f"{name}.neurons", neurons=True)
            self._target(f"{name}.neurons", neurons=True)

    def array(self) -> None:
        """Add an EnsembleArray."""
        draw, say = self._draw, self._writer.say
        neurons = draw.one_of(self._neuron_types)
        text = call(
            "nengo.networks.EnsembleArray",
            draw.one_of(self._n_neurons),
            draw.integer(1, 3),
            ens_dimensions=draw.integer(1, 2),
            neuron_type=neurons,
        )
        name = say("array", text)
        # what comes in goes out at once, so that all ends are in one place
        place = self._writer.place
        self._target(f"{name}.input", place)
        self._source(f"{name}.output", place)
        if draw.flip(0.5):
            function = draw.one_of(parts.FUNCTIONS)
            output = say("node", f"{name}.add_output('function', {function})")
            self._source(output, place)
        if "Direct" not in neurons and draw.flip(0.5):
            node = say("node", f"{name}.add_neuron_input()")
            self._target(node, place, neurons=True)
            node = say("node", f"{name}.add_neuron_output()")
            self._source(node, place, neurons=True)
        self.ensembles.append(f"{name}.ea_ensembles[-1]")

    # -- networks

    def library(self) -> None:
        """Add one of the networks that come with Nengo."""
        n, size = self._draw.one_of(self._n_neurons), self._draw.integer(1, 2)
        text, inputs = self._draw.one_of(
            [
                (call("nengo.networks.Product", n, size), ["input_a", "input_b"]),
                (call("nengo.networks.CircularConvolution", n, 2), ["input_b"]),
                (call("nengo.networks.InputGatedMemory", n, size), ["input", "gate"]),
            ]
        )
        name = self._writer.say("net", text)
        for node in inputs:
            self._target(f"{name}.{node}")
        self._source(f"{name}.output")

    def subnetwork(self) -> None:
        """Add a network in the network, with some objects."""
        seed = self._draw.one_of([None, 7])
        with self._writer.inside(
            self._writer.say("net", f"nengo.Network(seed={seed})")
        ):
            for _ in range(self._draw.integer(1, 2)):
                self._draw.one_of([self.ensemble, self.ensemble, self.passthrough])()

    def _source(self, text: str, place: int | None = None, **options: bool) -> None:
        """Let connections start here."""
        place = self._writer.place if place is None else place
        self.sources.append(End(text, place, **options))

    def _target(self, text: str, place: int | None = None, **options: bool) -> None:
        """Let connections end here."""
        place = self._writer.place if place is None else place
        self.targets.append(End(text, place, **options))
