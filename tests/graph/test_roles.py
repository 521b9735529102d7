import nengo
import numpy as np
from nengo.builder import Model
from nengo.builder.operator import Copy, DotInc, Reset
from nengo.builder.signal import Signal

from nengo_dl.graph.roles import Role, assign


def signal(n=2):
    return Signal(np.zeros(n))


def test_roles_follow_from_who_writes_what():
    weights, source, target, total, state = (signal() for _ in range(5))
    operators = [
        Reset(target),
        Copy(weights, target, inc=True),
        Copy(source, target, inc=True),
        Copy(target, total, inc=True),  # never set
    ]
    roles = assign(operators, inputs=[source])
    assert roles[weights] is Role.PARAM
    assert roles[source] is Role.INPUT
    assert roles[target] is Role.TRANSIENT
    assert roles[total] is Role.STATE
    assert state not in roles


def test_signals_that_are_set_in_part_are_state():
    a, whole, part = signal(2), signal(4), signal(4)
    operators = [Copy(a, whole[:2]), Copy(a, whole[2:]), Copy(a, part[1:3])]
    roles = assign(operators)
    assert roles[whole] is Role.TRANSIENT
    assert roles[part] is Role.STATE


def test_what_an_operator_carries_is_state_although_it_is_set():
    a, b = signal(), signal()
    op = Copy(a, b)
    assert assign([op])[b] is Role.TRANSIENT
    assert assign([op], carries=lambda op: op.sets)[b] is Role.STATE


def test_parameters_that_change_are_online():
    weights, delta, fixed = signal(), signal(), signal()
    operators = [Copy(delta, weights, inc=True), Copy(fixed, delta)]
    roles = assign(operators, parameters=[weights, fixed])
    assert roles[weights] is Role.ONLINE
    assert roles[fixed] is Role.PARAM


def updates_of(net):
    model = Model()
    model.build(net)
    (op,) = (op for op in model.operators if op.updates)
    return model, op


def test_updated_signals_are_state_unless_redundant():
    with nengo.Network() as net:
        nengo.Probe(nengo.Node(size_in=1), synapse=0.1)
    model, op = updates_of(net)
    output, inner = op.updates
    roles = assign(model.operators)
    assert roles[output] is roles[inner] is Role.STATE
    roles = assign(model.operators, redundant=lambda o: [inner] if o is op else [])
    assert roles[inner] is Role.TRANSIENT
    assert roles[output] is Role.STATE


def test_redundant_signals_that_others_read_stay_state():
    with nengo.Network() as net:
        nengo.Probe(nengo.Node(size_in=1), synapse=0.1)
    model, op = updates_of(net)
    inner = op.updates[1]
    reader = DotInc(Signal(np.eye(1)), inner.reshape((1,)), signal(1))
    roles = assign(
        [*model.operators, reader], redundant=lambda o: [inner] if o is op else []
    )
    assert roles[inner] is Role.STATE


def test_properties_of_roles():
    assert {role for role in Role if role.carried} == {Role.STATE, Role.ONLINE}
    assert {role for role in Role if not role.batched} == {Role.PARAM}


def test_signals_without_elements_are_transient_if_they_change():
    empty, source = Signal(np.zeros(0)), Signal(np.zeros(0))
    roles = assign([Copy(source, empty, inc=True)])
    assert roles == {source: Role.PARAM, empty: Role.TRANSIENT}
