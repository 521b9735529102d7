import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.operator import Copy, DotInc, Reset
from nengo.builder.processes import SimProcess
from nengo.builder.signal import Signal

from nengo_dl.graph.opgraph import dependencies
from nengo_dl.graph.phases import partition
from nengo_dl.graph.roles import Role, assign


def signal(n=2, name=None):
    return Signal(np.zeros(n), name=name)


def remember(source, state):
    """An operator that makes ``state`` of the next step."""
    time = signal(())
    return SimProcess(
        nengo.Lowpass(0.1), source, state, time, mode="update", state={"X": signal()}
    )


def divide(operators, inputs=()):
    return partition(operators, assign(operators, inputs), lambda op: False)


def test_what_depends_on_inputs_and_parameters_runs_before():
    x, w, y, z = signal(), signal((2, 2)), signal(), signal()
    operators = [Reset(y), DotInc(w, x, y), Copy(y, z)]
    phases = divide(operators, [x])
    assert phases.before == tuple(operators)
    assert phases.loop == phases.after == ()
    assert phases.known() == {x, y, z}


def test_memory_divides_before_from_after():
    x, w, y, state, z = signal(), signal((2, 2)), signal(), signal(), signal()
    product, memory, behind = DotInc(w, x, y), remember(y, state), Copy(state, z)
    reset = Reset(y)
    phases = divide([reset, product, memory, behind], [x])
    assert phases.before == (reset, product)
    assert phases.loop == (memory,)
    assert phases.after == (behind,)


def test_products_with_known_operands_leave_the_loop():
    x, w, r, current, state = (
        signal(),
        signal((2, 2)),
        signal((2, 2)),
        signal(),
        signal(),
    )
    reset, known, recurrent = (
        Reset(current),
        DotInc(w, x, current),
        DotInc(r, state, current),
    )
    memory = remember(current, state)
    phases = divide([reset, known, recurrent, memory], [x])
    (product,) = phases.before
    assert type(product) is DotInc and (w, x) == (product.A, product.X)
    assert product.Y is not current and known.Y is current
    loop_types = [type(op) for op in phases.loop]
    assert loop_types == [Reset, Copy, DotInc, SimProcess]
    added = phases.loop[1]
    assert added.inc and added.src is product.Y and added.dst is current
    assert phases.roles[product.Y] is Role.TRANSIENT


def test_two_products_for_one_target_are_summed_before():
    x, w, v, current, state = (signal(s) for s in (2, (2, 2), (2, 2), 2, 2))
    operators = [
        Copy(state, current),
        DotInc(w, x, current),
        DotInc(v, x, current),
        remember(current, state),
    ]
    phases = divide(operators, [x])
    first, second = phases.before
    assert first.Y is second.Y
    assert [type(op) for op in phases.loop] == [Copy, Copy, SimProcess]


def test_copies_stay_because_a_copy_would_take_their_place():
    x, current, state = signal(), signal(), signal()
    operators = [
        Copy(state, current),
        Copy(x, current, inc=True),
        remember(current, state),
    ]
    phases = divide(operators, [x])
    assert phases.before == ()
    assert phases.loop == tuple(operators)


def test_what_the_loop_reads_again_is_not_behind_it():
    state, a, b, c = (signal() for _ in range(4))
    first, second, third = Copy(state, a), Copy(a, b), Copy(a, c)
    memory = remember(b, state)
    phases = divide([first, second, third, memory])
    assert phases.loop == (first, second, memory)
    assert phases.after == (third,)


def test_values_that_are_gone_at_the_end_of_a_step_are_read_within_it():
    x, state, seen = signal(), signal(), signal()
    operators = [Copy(x, state, inc=True), Copy(state, seen), remember(x, state)]
    phases = divide(operators, [x])
    assert phases.after == ()
    assert set(phases.loop) == set(operators)


def test_whoever_needs_the_loop_stays_in_it():
    x, y, z = signal(), signal(), signal()
    python, behind = Copy(x, y), Copy(y, z)
    operators = [python, behind]
    phases = partition(operators, assign(operators, [x]), lambda op: op is python)
    assert (phases.before, phases.loop, phases.after) == ((), (python,), (behind,))


def test_every_operator_of_a_model_has_one_place_and_the_order_holds():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(np.ones(2))
        a, b = nengo.Ensemble(10, 2, neuron_type=nengo.LIFRate()), nengo.Ensemble(10, 2)
        nengo.Connection(stimulus, a, synapse=None)
        nengo.Connection(a, b)
        nengo.Connection(b, b)
        nengo.Probe(b)
        nengo.Probe(a.neurons)
    model = Model()
    model.build(net)
    operators = dependencies(model.operators).operators

    def carries(op):
        return getattr(op, "state", {}).values()

    out = model.sig[stimulus]["out"]
    roles = assign(operators, [out], carries=carries)
    phases = partition(operators, roles, lambda op: bool(carries(op)))
    placed = [op for part in (phases.before, phases.loop, phases.after) for op in part]
    assert set(operators) <= set(placed)
    assert len(placed) == len(set(placed)) == len(operators)
    place = {op: i for i, op in enumerate(operators)}
    for part in (phases.before, phases.loop, phases.after):
        numbers = [place[op] for op in part]
        assert numbers == sorted(numbers)
    names = {type(op).__name__ for op in phases.before}
    assert "SimNeurons" in names
    assert {type(op).__name__ for op in phases.after}
