"""What `LowerNeurons.step` may return, and what is said of anything else."""

from types import MappingProxyType

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.neurons import SimNeurons
from nengo.exceptions import BuildError

import nengo_dl
from nengo_dl.lowering import LowerNeurons, register


def activity(step, with_state=False):
    """Return the activity of neurons with this step."""
    if with_state:

        class Own(nengo.LIFRate):
            state = MappingProxyType({"voltage": nengo.dists.Choice([0.5])})

            def step(self, dt, J, output, voltage):
                raise AssertionError("it is lowered")

    else:

        class Own(nengo.LIFRate):
            def step(self, dt, J, output):
                raise AssertionError("it is lowered")

    names = ("voltage",) if with_state else ()
    members = {"step": step, "state_names": names}
    register(SimNeurons, Own)(type("LowerOwn", (LowerNeurons,), members))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        ones = nengo.dists.Choice([1.0])
        ensemble = nengo.Ensemble(3, 1, neuron_type=Own(), gain=ones, bias=ones)
        probe = nengo.Probe(ensemble.neurons)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(2)
        return sim.data[probe][:, -1]


@pytest.mark.parametrize("step", [lambda self, j: (2 * j,), lambda self, j: [2 * j]])
def test_without_state(step):
    np.testing.assert_array_equal(activity(step), np.full((2, 3), 2))


def test_what_needs_no_input_may_be_an_array():
    np.testing.assert_array_equal(
        activity(lambda self, j: (np.arange(3),)), [[0, 1, 2]] * 2
    )


@pytest.mark.parametrize(
    "returned, given",
    [
        (lambda j: j, "SymbolicTensor of shape (1, 3), float32;"),
        (lambda j: None, "None;"),
        (lambda j: (), "a tuple of 0;"),
        (lambda j: (j, j), "a tuple of 2;"),
        (lambda j: (j[:, 0],), "of shape (1,), float32 as the activity;"),
        (lambda j: (tf.reduce_sum(j),), "of shape (), float32 as the act"),
        (lambda j: (tf.cast(j, "float64"),), "float64 as the activity;"),
        (lambda j: ("j",), "'j' as the activity;"),
    ],
)
def test_anything_else_is_named(returned, given):
    with pytest.raises(BuildError) as caught:
        activity(lambda self, j: returned(j))
    message = str(caught.value)
    assert message.startswith("LowerOwn.step returned ") and given in message
    assert message.endswith(
        "expected a tuple of 1 tensor (the activity), each of the dtype and "
        "shape of the input current, (batch, neurons)"
    )


def test_state_is_named():
    with pytest.raises(BuildError, match=r"2 tensors \(the activity, voltage\)"):
        activity(lambda self, j, voltage: (j,), with_state=True)
    with pytest.raises(BuildError, match="returned 1.0 as voltage"):
        activity(lambda self, j, voltage: (j, 1.0), with_state=True)
    found = activity(lambda self, j, voltage: (voltage, voltage + j), with_state=True)
    np.testing.assert_array_equal(found, np.full((2, 3), 1.5))
