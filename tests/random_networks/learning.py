"""Connections with learning rules, drawn at random."""

from __future__ import annotations

from tests.random_networks.connections import RATE, Connections
from tests.random_networks.draw import Draw, call
from tests.random_networks.objects import End, Objects
from tests.random_networks.writer import Writer


def pes(draw: Draw) -> str:
    """Return a PES rule."""
    return _rule(draw, "nengo.PES", (1e-5, 3e-4), "pre_synapse")


def rls(draw: Draw) -> str:
    """Return an RLS rule."""
    return _rule(draw, "nengo.RLS", (1e-4, 1e-2), "pre_synapse")


def voja(draw: Draw) -> str:
    """Return a Voja rule."""
    return _rule(draw, "nengo.Voja", (1e-3, 3e-2), "post_synapse")


def bcm(draw: Draw) -> str:
    """Return a BCM rule."""
    synapses = ("pre_synapse", "post_synapse", "theta_synapse")
    return _rule(draw, "nengo.BCM", (1e-11, 1e-9), *synapses)


def oja(draw: Draw) -> str:
    """Return an Oja rule."""
    return _rule(draw, "nengo.Oja", (1e-7, 2e-6), "pre_synapse", "post_synapse")


def _rule(draw: Draw, name: str, rate: tuple[float, float], *synapses: str) -> str:
    options = {s: _synapse(draw) for s in synapses if draw.flip(0.3)}
    return call(name, draw.number(*rate), **options)


def _synapse(draw: Draw) -> str:
    return draw.one_of(["None", "0.01", "nengo.Alpha(0.005)", "nengo.Lowpass(0.02)"])


class Learning:
    """Adds connections that learn to a program.

    Parameters
    ----------
    writer : Writer
        Who writes the program.
    objects : Objects
        What there is to connect.
    connections : Connections
        Who connects it.

    Attributes
    ----------
    rules : list of str
        All learning rules so far.
    """

    def __init__(
        self, writer: Writer, objects: Objects, connections: Connections
    ) -> None:
        self._writer = writer
        self._draw = writer.draw
        self._objects = objects
        self._connections = connections
        self.rules: list[str] = []

    def learn(self) -> None:
        """Add a connection with one learning rule or several, if there is a place."""
        kinds = [self._decoders, self._decoders, self._encoders, self._weights]
        self._draw.one_of([*kinds, self._from_neurons])()

    def _decoders(self) -> None:
        """Learn decoders, and perhaps the encoders at the other end as well."""
        draw, connections = self._draw, self._connections
        sources = [end for end in self._objects.sources if end.decoded]
        if not sources or not self._objects.targets:
            return
        source, target = draw.one_of(sources), draw.one_of(self._objects.targets)
        (pre, repeats_in), (post, repeats_out) = (
            connections.pre(source),
            connections.post(target),
        )
        rules = [draw.one_of([pes, rls])(draw)]
        if target.neurons:
            # the error is encoded for each neuron, which RLS does not do
            post, rules = target.text, [pes(draw)]
        if self._has_neurons(target) and draw.flip(0.3):
            rules.append(voja(draw))
        elif draw.flip(0.1):
            rules.append(pes(draw))
        size, columns = self._size_in(post), self._size_out(pre)
        if size == columns and draw.flip(0.5):
            transform = "0.7"
        else:
            if repeats_in or repeats_out:  # Nengo allows no matrix then
                pre, post = source.text, target.text
            transform = self._matrix(0.5, pre, post)
        self._connect(source, target, pre, post, transform, rules)

    def _encoders(self) -> None:
        """Learn the encoders of an ensemble."""
        targets = [end for end in self._objects.targets if self._has_neurons(end)]
        if not targets:
            return
        source = self._draw.one_of(self._objects.sources)
        target = self._draw.one_of(targets)
        scale = 0.4 / RATE if source.neurons else 0.5
        transform = self._matrix(scale, source.text, target.text)
        rules = [voja(self._draw)]
        self._connect(source, target, source.text, target.text, transform, rules)

    def _weights(self) -> None:
        """Learn weights between neurons."""
        draw = self._draw
        ends = [end for end in self._objects.targets if self._has_neurons(end)]
        if not ends:
            return
        source, target = draw.one_of(ends), draw.one_of(ends)
        rules = [
            rule(draw) for rule in draw.some_of([bcm, oja, pes], draw.integer(1, 2))
        ]
        pre, post = source.text, target.text
        if draw.flip(0.5):
            transform = self._matrix(0.5, pre, post)
            solver = "nengo.solvers.LstsqL2(weights=True)"
            self._connect(source, target, pre, post, transform, rules, solver=solver)
        else:
            pre, post = f"{pre}.neurons", f"{post}.neurons"
            transform = self._matrix(0.4 / RATE, pre, post)
            self._connect(source, target, pre, post, transform, rules)

    def _from_neurons(self) -> None:
        """Learn what neurons send to something without neurons."""
        draw = self._draw
        sources = [e for e in self._objects.sources if e.text.endswith(".neurons")]
        targets = [end for end in self._objects.targets if not end.neurons]
        if not sources or not targets:
            return
        source, target = draw.one_of(sources), draw.one_of(targets)
        rule = draw.one_of([pes, rls])
        pre, repeats = self._connections.pre(source)
        if rule is rls or repeats:
            pre = source.text
        transform = self._matrix(0.4 / RATE, pre, target.text)
        self._connect(source, target, pre, target.text, transform, [rule(draw)])

    def _connect(
        self,
        source: End,
        target: End,
        pre: str,
        post: str,
        transform: str,
        rules: list[str],
        **options: str,
    ) -> None:
        """Add the connection, and what its rules are told."""
        draw = self._draw
        keys, learned = self._named(rules)
        connection = self._connections.add(
            pre,
            post,
            transform=transform,
            synapse=self._connections.synapse(source, target),
            learning_rule_type=learned,
            **options,
        )
        for key in keys:
            rule = f"{connection}.learning_rule{key}"
            self.rules.append(rule)
            size = self._size_in(rule)
            if size and draw.flip(0.8):
                self._tell(rule)
            if size > 1 and draw.flip(0.3):
                self._tell(f"{rule}[{draw.integer(0, size - 1)}]")

    def _named(self, rules: list[str]) -> tuple[list[str], str]:
        """Return how to get at each rule, and the rules as a connection takes them."""
        if len(rules) == 1 and self._draw.flip(0.7):
            return [""], rules[0]
        if self._draw.flip(0.5):
            return [f"[{i}]" for i in range(len(rules))], f"[{', '.join(rules)}]"
        keys = [f"rule {i}" for i in range(len(rules))]
        pairs = ", ".join(f"{k!r}: {r}" for k, r in zip(keys, rules, strict=True))
        return [f"[{key!r}]" for key in keys], f"{{{pairs}}}"

    def _tell(self, rule: str) -> None:
        """Connect something to a rule: an error, or how fast it shall learn."""
        source = self._draw.one_of(self._objects.sources)
        scale = 0.4 / RATE if source.neurons else 0.5
        self._connections.add(
            source.text,
            rule,
            transform=self._matrix(scale, source.text, rule),
            synapse=self._draw.one_of(["None", "0.005", "nengo.Alpha(0.01)"]),
        )

    def _matrix(self, scale: float, pre: str, post: str) -> str:
        """Return a transform from one end to the other."""
        return self._draw.values(scale, self._size_in(post), self._size_out(pre))

    def _size_in(self, text: str) -> int:
        return int(self._writer.ask(text).size_in)

    def _size_out(self, text: str) -> int:
        return int(self._writer.ask(text).size_out)

    def _has_neurons(self, end: End) -> bool:
        """Whether it is an ensemble with neurons."""
        if end.text not in self._objects.ensembles:
            return False
        return bool(self._size_out(f"{end.text}.neurons"))
