import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, SimPyFunc
from nengo.builder.processes import SimProcess

from nengo_dl.graph.draws import DrawnNeurons, Draws
from nengo_dl.graph.inputs import Source, input_nodes, lift


def built(net):
    model = Model()
    model.build(net)
    return model


def lifted(net):
    model = built(net)
    operators, inputs = lift(
        model, model.operators, lambda op: isinstance(op, SimPyFunc)
    )
    return model, operators, inputs


def test_constants_functions_and_processes_are_lifted():
    with nengo.Network() as net:
        constant = nengo.Node([1, 2])
        function = nengo.Node(np.sin)
        process = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        nengo.Node(size_in=1)
    model, operators, inputs = lifted(net)
    assert {i.node: i.source for i in inputs} == {
        constant: Source.CONSTANT,
        function: Source.FUNCTION,
        process: Source.PROCESS,
    }
    assert all(i.lifted and i.signal is model.sig[i.node]["out"] for i in inputs)
    assert not any(isinstance(op, SimPyFunc | SimProcess) for op in operators)


def test_functions_stay_in_the_loop_if_there_is_other_python_code():
    with nengo.Network() as net:
        of_time = nengo.Node(np.sin)
        nengo.Node(lambda t, x: x, size_in=1)
        process = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        constant = nengo.Node(1)
    _, operators, inputs = lifted(net)
    sources = {i.node: i.source for i in inputs}
    assert sources == {
        of_time: Source.IN_STEP,
        process: Source.PROCESS,
        constant: Source.CONSTANT,
    }
    assert [i.lifted for i in inputs if i.node is of_time] == [False]
    assert sum(isinstance(op, SimPyFunc) for op in operators) == 2


def test_order_of_functions_is_kept():
    with nengo.Network() as net:
        nodes = [nengo.Node(lambda t: t) for _ in range(5)]
    model = built(net)
    _, inputs = lift(model, model.operators[::-1], lambda op: False)
    assert [i.node for i in inputs] == nodes[::-1]


def test_functions_without_output_are_inputs_without_a_signal():
    with nengo.Network() as net:
        nengo.Node(lambda t: None)
    _, operators, (only,) = lifted(net)
    assert only.source is Source.FUNCTION
    assert only.signal is None
    assert only.node is None
    assert not any(isinstance(op, SimPyFunc) for op in operators)


def test_noise_leaves_a_copy_behind():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(5, 1, noise=nengo.processes.WhiteNoise())
    model, operators, (noise,) = lifted(net)
    assert noise.source is Source.PROCESS
    assert noise.node is None
    target = model.sig[ensemble.neurons]["in"]
    copies = [op for op in operators if isinstance(op, Copy) and op.src is noise.signal]
    assert [(op.dst, op.inc) for op in copies] == [(target, True)]
    assert noise.signal.shape == target.shape


def test_synapses_stay():
    with nengo.Network() as net:
        nengo.Probe(nengo.Node(1), synapse=0.1)
    _, operators, _ = lifted(net)
    assert sum(isinstance(op, SimProcess) for op in operators) == 1


def test_input_nodes_are_those_without_input_that_have_output():
    with nengo.Network() as net:
        a = nengo.Node(1)
        with nengo.Network():
            b = nengo.Node(np.sin)
        nengo.Node(size_in=2)
        nengo.Node(lambda t, x: x, size_in=1)
        nengo.Node(lambda t: None)
    assert input_nodes(built(net)) == (a, b)
    assert input_nodes(Model()) == ()


def test_neurons_are_fed_what_they_draw():
    with nengo.Network() as net:
        for neuron_type in (
            nengo.StochasticSpiking(nengo.AdaptiveLIFRate()),
            nengo.AdaptiveLIF(),
        ):
            nengo.Ensemble(5, 1, neuron_type=neuron_type)
    model = built(net)

    def draws(op):
        state = getattr(op, "state_extra", {})
        if not state:
            return None
        return Draws(state["rng"], (2, 3), lambda rng, n: rng.rand(n, 2, 3), True)

    operators, (only,) = lift(model, model.operators, lambda op: False, draws)
    (drawn,) = (op for op in operators if isinstance(op, DrawnNeurons))
    assert only.source is Source.DRAWS
    assert only.lifted
    assert only.node is None
    assert only.signal is drawn.draws
    assert only.signal.shape == (2, 3)
    # the operator in whose place it stands
    assert only.op in model.operators
    assert only.draws.rng is only.op.state_extra["rng"]
    assert drawn.neurons is only.op.neurons
    assert (drawn.J, drawn.output, drawn.state) == (only.op.J, only.op.output, {})
    assert drawn.reads == [drawn.J, drawn.draws]
    # everybody else stays
    others = [op for op in operators if type(op) is SimNeurons]
    assert len(others) == 2
    assert set(others) <= set(model.operators)


def test_neurons_stay_if_nobody_says_what_they_draw():
    with nengo.Network() as net:
        nengo.Ensemble(5, 1, neuron_type=nengo.StochasticSpiking(nengo.LIFRate()))
    model, operators, inputs = lifted(net)
    assert operators == model.operators
    assert inputs == ()
