"""Operations are counted as by hand."""

import nengo
import numpy as np
import pytest
from nengo.builder.operator import Copy, DotInc, ElementwiseInc, Reset
from nengo.builder.signal import Signal

from nengo_dl.graph.costs import doing, operations
from nengo_dl.graph.operators import Operators


def test_operations_of_single_operators():
    def signal(*shape):
        return Signal(np.zeros(shape), name="x")

    assert operations(DotInc(signal(2, 3), signal(3), signal(2))) == 12
    assert operations(DotInc(signal(), signal(5), signal(5))) == 10
    assert operations(ElementwiseInc(signal(1), signal(4), signal(4))) == 8
    assert operations(Reset(signal(7))) == 0
    assert operations(Copy(signal(7), signal(7))) == 0
    assert operations(Copy(signal(7), signal(7), inc=True)) == 7


@pytest.mark.parametrize("transposed", [False, True])
def test_operations_of_convolutions(transposed):
    kind = nengo.ConvolutionTranspose if transposed else nengo.Convolution
    transform = kind(4, (6, 6, 2), kernel_size=(3, 3), strides=(2, 2))
    with nengo.Network() as net:
        node = nengo.Node(lambda t: np.full(72, t))
        output = nengo.Node(size_in=transform.size_out)
        nengo.Connection(node, output, transform=transform, synapse=None)
        nengo.Probe(output)
    model = nengo.builder.Model()
    model.build(net)
    found = [operations(op) for op in model.operators if "Conv" in type(op).__name__]
    positions = 6 * 6 if transposed else 2 * 2
    assert found == [2 * (3 * 3 * 2 * 4) * positions]


@pytest.mark.parametrize("least", [0, 1, 8, 9, 144, 288, 577, 10**9])
def test_operators_that_do_many_operations(least):
    kind = nengo.Convolution(4, (6, 6, 2), kernel_size=(3, 3), strides=(2, 2))
    with nengo.Network(seed=0) as net:
        node, output = nengo.Node(np.ones(72)), nengo.Node(size_in=kind.size_out)
        nengo.Connection(node, output, transform=kind, synapse=None)
        nengo.Connection(output[:4], nengo.Ensemble(9, 4), synapse=0.1)
    model = nengo.builder.Model()
    model.build(net)
    expected = [op for op in model.operators if operations(op) >= least]
    assert doing(Operators(model.operators), least) == expected
