"""Learning rules with minibatches: each item of the batch learns a copy of its own."""

import nengo
import numpy as np
import pytest

import nengo_dl
from tests.helpers import assert_close

RULES = {
    "PES": nengo.PES(1e-3),
    "RLS": nengo.RLS(1e-2),
    "BCM": nengo.BCM(1e-8),
    "Oja": nengo.Oja(1e-5),
    "Voja": nengo.Voja(learning_rate=0.1),
}
STEPS = 40


def network(name, value=0.0):
    """Return a network that learns from one input, and where its weights are."""
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        net.stimulus = nengo.Node([value])
        pre, post = nengo.Ensemble(12, 1), nengo.Ensemble(10, 1)
        nengo.Connection(net.stimulus, pre)
        between_neurons = name in ("BCM", "Oja")
        connection = nengo.Connection(
            pre.neurons if between_neurons else pre,
            post.neurons if between_neurons else post,
            transform=np.full((10, 12), 0.01) if between_neurons else 1,
            learning_rule_type=RULES[name],
        )
        if name in ("PES", "RLS"):
            nengo.Connection(post, connection.learning_rule)
            nengo.Connection(net.stimulus, connection.learning_rule, transform=-1)
        net.learned = post if name == "Voja" else connection
        attribute = "scaled_encoders" if name == "Voja" else "weights"
        net.probes_of = [nengo.Probe(net.learned, attribute), nengo.Probe(post)]
    return net


def weights(sim, net):
    built = sim.data[net.learned]
    return getattr(built, "scaled_encoders", getattr(built, "weights", None))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("values", [(0.6,), (-1.0, 0.3, 0.9)], ids=len)
def test_every_item_learns_what_a_simulation_of_its_own_would(name, values):
    net = network(name)
    batch = len(values)
    data = np.tile(np.reshape(values, (batch, 1, 1)), (1, STEPS, 1))
    with nengo_dl.Simulator(
        net, dtype="float64", minibatch_size=batch, progress_bar=False
    ) as sim:
        before = weights(sim, net)
        sim.run_steps(STEPS, data={net.stimulus: data})
        after = weights(sim, net)
        for i, value in enumerate(values):
            other = network(name, value)
            with nengo.Simulator(other, progress_bar=False) as alone:
                alone.run_steps(STEPS)
            for ours, theirs in zip(net.probes_of, other.probes_of, strict=True):
                assert_close(sim.data[ours][i], alone.data[theirs])
        recorded = sim.data[net.probes_of[0]]
    # one copy for each item, from the beginning, and for a batch of one too
    assert before.shape == after.shape == (batch, *recorded.shape[2:])
    assert np.array_equal(after, recorded[:, -1])
    assert not np.allclose(before, after)
    assert all(np.array_equal(item, before[0]) for item in before)
    assert all(not np.allclose(item, after[0]) for item in after[1:])


@pytest.mark.parametrize("name", RULES)
def test_without_a_minibatch_there_is_no_batch_axis(name):
    net = network(name, 0.6)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(3)
        recorded = sim.data[net.probes_of[0]]
        assert np.array_equal(weights(sim, net), recorded[-1])


def test_gains_of_learned_encoders_have_a_batch_axis_too():
    net = network("Voja")
    data = np.tile(np.reshape([-1.0, 0.3], (2, 1, 1)), (1, STEPS, 1))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(STEPS, data={net.stimulus: data})
        built = sim.data[net.learned]
    assert built.gain.shape == (2, 10)
    np.testing.assert_allclose(
        built.scaled_encoders, built.encoders * built.gain[..., None], rtol=1e-5
    )
