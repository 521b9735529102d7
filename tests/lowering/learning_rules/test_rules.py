"""BCM, Oja, Voja and RLS, by themselves and merged."""

import nengo
import numpy as np
import pytest

from nengo_dl import Simulator
from tests.helpers import assert_matches_nengo, rest_with_everything


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        stimulus = nengo.Node(lambda t: np.sin(30 * t) + 0.3, label="stimulus")
        pre = nengo.Ensemble(12, 1, label="pre")
        nengo.Ensemble(10, 1, label="post")
        nengo.Connection(stimulus, pre)
    return net


@pytest.mark.parametrize(
    "rule",
    rest_with_everything(
        [
            [nengo.Oja(learning_rate=1e-4), nengo.BCM(learning_rate=1e-6)],
            nengo.BCM(learning_rate=1e-6, theta_synapse=0.05),
            nengo.Oja(learning_rate=1e-4, beta=0.5),
        ]
    ),
    ids=["both", "BCM", "Oja"],
)
def test_rules_of_neurons(net, rule):
    with net:
        pre, post = net.ensembles
        connection = nengo.Connection(
            pre.neurons,
            post.neurons,
            transform=np.random.RandomState(0).uniform(0, 0.02, (10, 12)),
            learning_rule_type=rule,
        )
        nengo.Probe(connection, "weights", sample_every=0.003)
        nengo.Probe(post, synapse=0.01)
    # weights change by tiny amounts: they must not only match, but have changed
    weights = assert_matches_nengo(net, steps=60)[0]
    assert np.abs(weights[-1] - weights[0]).max() > 1e-4


@pytest.mark.parametrize("post_synapse", rest_with_everything([0.01, None]))
def test_voja(net, post_synapse):
    with net:
        pre, post = net.ensembles
        rule = nengo.Voja(learning_rate=0.1, post_synapse=post_synapse)
        connection = nengo.Connection(pre, post, learning_rule_type=rule)
        nengo.Connection(
            nengo.Node(lambda t: -0.5 * (t > 0.03)), connection.learning_rule
        )
        nengo.Probe(post, "scaled_encoders", sample_every=0.003)
        nengo.Probe(post, synapse=0.01)
    encoders = assert_matches_nengo(net, steps=60)[0]
    assert np.abs(encoders[-1] - encoders[0]).max() > 1e-4


def test_rls(net):
    with net:
        pre = net.ensembles[0]
        error = nengo.Node(size_in=1)
        rule = nengo.RLS(learning_rate=1e-2, pre_synapse=nengo.Lowpass(0.01))
        connection = nengo.Connection(
            pre, error, function=lambda x: 0, learning_rule_type=rule
        )
        nengo.Connection(net.nodes[0], error, transform=-1)
        nengo.Connection(error, connection.learning_rule)
        nengo.Probe(connection, "weights", sample_every=0.003)
        nengo.Probe(connection.learning_rule, "inv_gamma", sample_every=0.01)
        nengo.Probe(error, synapse=0.01)
    assert_matches_nengo(net, steps=60, rtol=1e-9, brief=True)


def test_learned_encoders_are_live_in_the_data(net):
    with net:
        pre, post = net.ensembles
        nengo.Connection(pre, post, learning_rule_type=nengo.Voja(learning_rate=0.1))
        p = nengo.Probe(post, "scaled_encoders")
    with Simulator(net, dtype="float64", progress_bar=False) as sim:
        initial = sim.data[post]
        sim.run_steps(40)
        learned = sim.data[post]
        assert np.array_equal(learned.scaled_encoders, sim.data[p][-1])
        assert not np.allclose(learned.scaled_encoders, initial.scaled_encoders)
        np.testing.assert_allclose(
            learned.scaled_encoders,
            learned.encoders * learned.gain[:, None] / post.radius,
        )
        assert np.array_equal(learned.bias, initial.bias)


def test_rules_of_different_sizes_and_rates_merge():
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        stimulus = nengo.Node(lambda t: [np.sin(30 * t), 0.4])
        for n, rate in ((6, 1e-4), (6, 3e-4), (9, 1e-4)):
            pre, post = nengo.Ensemble(n, 2), nengo.Ensemble(7, 2)
            nengo.Connection(stimulus, pre)
            voja = nengo.Connection(
                pre, post, learning_rule_type=nengo.Voja(learning_rate=1000 * rate)
            )
            nengo.Connection(stimulus[1], voja.learning_rule, transform=-rate)
            rls = nengo.Connection(
                pre, nengo.Node(size_in=2), learning_rule_type=nengo.RLS(rate)
            )
            nengo.Connection(stimulus, rls.learning_rule)
            nengo.Probe(rls, "weights", sample_every=0.005)
            nengo.Probe(post, "scaled_encoders", sample_every=0.005)
            for rule in (nengo.BCM(rate * 1e-3), nengo.Oja(rate, beta=n / 10)):
                connection = nengo.Connection(
                    pre.neurons,
                    post.neurons,
                    transform=rng.uniform(0, 0.02, (7, n)),
                    learning_rule_type=rule,
                )
                nengo.Probe(connection, "weights", sample_every=0.005)
    assert_matches_nengo(net, rtol=1e-9)


def test_rules_without_filters():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        stimulus = nengo.Node(lambda t: np.sin(30 * t) + 0.3)
        pre, post = nengo.Ensemble(6, 1), nengo.Ensemble(7, 1)
        nengo.Connection(stimulus, pre)
        for rule in (
            nengo.BCM(1e-7, pre_synapse=None, post_synapse=0),
            nengo.Oja(1e-4, pre_synapse=None, post_synapse=0),
            nengo.PES(1e-4, pre_synapse=None),
            nengo.RLS(1e-3, pre_synapse=None),
            nengo.Voja(learning_rate=0.1, post_synapse=None),
        ):
            neurons = isinstance(rule, nengo.BCM | nengo.Oja)
            connection = nengo.Connection(
                pre.neurons if neurons else pre,
                post.neurons if neurons else post,
                transform=np.full((7, 6), 0.01) if neurons else 1,
                learning_rule_type=rule,
            )
            if isinstance(rule, nengo.PES | nengo.RLS):
                nengo.Connection(stimulus, connection.learning_rule)
            nengo.Probe(connection, "weights", label=type(rule).__name__)
        nengo.Probe(post, "scaled_encoders")
    assert_matches_nengo(net, rtol=1e-9, brief=True)
