"""PoissonSpiking: what is drawn in the loop, and Nengo's own numbers on request.

All seeds are fixed, so a test that passes once passes always. Statistics are held to
what one in a thousand honest generators would miss.
"""

import nengo
import numpy as np
import pytest
from nengo.neurons import PoissonSpiking
from scipy import stats

import nengo_dl
from nengo_dl.plan.noop import noop_planner
from tests.helpers import (
    assert_matches_nengo,
    configured,
    rest_with_everything,
    simulate,
)
from tests.lowering.neurons.populations import (
    SOME_ARE_SILENT,
    add_ensemble,
    drive,
    probe_state,
)

pytestmark = SOME_ARE_SILENT

LEVEL = 1e-3


def constant_rates(rates, base_type=None, **parameters):
    """An ensemble whose neurons fire at the given rates (Hz), and probes."""
    neuron_type = PoissonSpiking(base_type or nengo.RectifiedLinear(), **parameters)
    n = len(rates)
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(
            n,
            1,
            neuron_type=neuron_type,
            gain=np.ones(n),
            bias=rates,
            encoders=np.ones((n, 1)),
        )
        net.spikes = nengo.Probe(ensemble.neurons, label="spikes")
        net.rates = nengo.Probe(ensemble.neurons, "rate_out", label="rates")
    return net


def counts(net, steps, jit=False, **options):
    """Numbers of spikes, shape (steps, n_neurons); the same without XLA as with it."""
    with configured(net, jit_compile=jit):
        sim = simulate(net, steps, **options)
    return sim.data[net.spikes] * 0.001


def several_populations():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        net.populations = []
        for i, size in enumerate([20, 5, 20, 11]):
            neuron_type = PoissonSpiking(
                [nengo.LIFRate(), nengo.RectifiedLinear(amplitude=20)][i % 2],
                amplitude=[1, 0.5][i // 2],
            )
            ensemble = add_ensemble(stimulus, neuron_type, size)
            net.populations.append(nengo.Probe(ensemble.neurons))
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spikes_have_a_poisson_distribution(dtype):
    rates = np.repeat([0, 20, 300, 2500, 50_000], 40)
    spikes = counts(constant_rates(rates), 500, dtype=dtype)
    assert np.allclose(spikes, np.round(spikes), atol=1e-4)
    spikes = np.round(spikes)
    assert not spikes[:, rates == 0].any()
    for rate in np.unique(rates)[1:]:
        own, mean = spikes[:, rates == rate].ravel(), rate * 0.001
        z = (own.mean() - mean) / np.sqrt(mean / own.size)
        assert abs(z) < stats.norm.isf(LEVEL / 2)
        edges = np.arange(stats.poisson.isf(1e-3, mean) + 1)
        edges = edges[stats.poisson.cdf(edges, mean) > 1e-3]
        expected = np.diff([0, *stats.poisson.cdf(edges, mean), 1]) * own.size
        observed = np.histogram(own, [-np.inf, *(edges + 0.5), np.inf])[0]
        assert stats.chisquare(observed, expected).pvalue > LEVEL


@pytest.mark.parametrize("jit", rest_with_everything([True, False]))
def test_items_differ_although_their_rates_are_equal(jit):
    spikes = counts(constant_rates(np.full(100, 700.0)), 100, jit, minibatch_size=3)
    assert spikes.shape == (3, 100, 100)
    for i in (0, 1):
        assert not np.array_equal(spikes[i], spikes[i + 1])
    z = (spikes.sum(axis=(1, 2)) - 7000) / np.sqrt(7000)
    assert np.all(np.abs(z) < stats.norm.isf(LEVEL / 2))


def test_neurons_and_steps_are_independent():
    spikes = np.minimum(counts(constant_rates(np.full(200, 700.0)), 1000), 3)
    spikes = np.round(spikes).astype(int)
    for first, second in (
        (spikes[:, :-1], spikes[:, 1:]),
        (spikes[:-1], spikes[1:]),
        (spikes[:-1, :-1], spikes[1:, 1:]),
    ):
        table = np.zeros((4, 4))
        np.add.at(table, (first.ravel(), second.ravel()), 1)
        assert stats.chi2_contingency(table)[1] > LEVEL
    # correlations of any two neurons are as wide as those of independent ones
    correlations = np.corrcoef(spikes.T)[np.triu_indices(200, 1)]
    z = np.sum(correlations**2) * 1000
    assert LEVEL < stats.chi2.sf(z, correlations.size) < 1 - LEVEL


def test_populations_are_independent_although_they_run_as_one():
    rates = np.full(100, 700.0)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        probes = [
            nengo.Probe(
                nengo.Ensemble(
                    100,
                    1,
                    neuron_type=PoissonSpiking(nengo.RectifiedLinear()),
                    gain=np.ones(100),
                    bias=rates,
                ).neurons
            )
            for _ in range(2)
        ]
    sim = simulate(net, 1000)
    first, second = (np.minimum(sim.data[p] // 1000, 3).astype(int) for p in probes)
    table = np.zeros((4, 4))
    np.add.at(table, (first.ravel(), second.ravel()), 1)
    assert stats.chi2_contingency(table)[1] > LEVEL


def test_spikes_are_scaled_and_signed_as_in_nengo():
    rates = np.array([-3000.0, -400, 0, 400, 3000])
    net = constant_rates(rates, nengo.Tanh(tau_ref=1e-4), amplitude=0.2)
    with configured(net, jit_compile=False):
        sim = simulate(net, 400)
    spikes, means = sim.data[net.spikes], sim.data[net.rates][-1]
    assert np.allclose(spikes / 200, np.round(spikes / 200))
    assert np.all(np.sign(spikes) * np.sign(means) >= 0)
    total, expected = spikes.sum(axis=0) / 200, means * 0.4
    assert np.all(np.abs(total - expected) <= 4 * np.sqrt(np.abs(expected)))
    assert np.all(means[[0, -1]] * [-1, 1] > 1000)


class Unruly(nengo.RectifiedLinear):
    """A base type of the user's whose rates are negative without a word."""

    def step(self, dt, J, output):
        output[...] = J


def test_negative_rates_of_a_type_that_says_it_has_none_give_no_number():
    # Nengo raises an error
    spikes = counts(constant_rates([-5.0, 700.0], Unruly()), 3)
    assert np.isnan(spikes[:, 0]).all()
    assert np.isfinite(spikes[:, 1]).all()


def test_no_python_runs_in_the_loop():
    with nengo_dl.Simulator(several_populations(), progress_bar=False) as sim:
        assert not sim._program.calls_python
        groups = [g for g in sim._program.plan if g.name.startswith("DrawnNeurons")]
    assert [len(group.ops) for group in groups] == [4]


@pytest.fixture(scope="module")
def expected():
    """What several populations fire in 30 steps, compiled by XLA."""
    net = several_populations()
    with configured(net, jit_compile=True):
        sim = simulate(net, 30, seed=3)
    return [sim.data[probe] for probe in net.populations]


@pytest.mark.parametrize(
    "settings, options",
    [
        ({"planner": noop_planner, "jit_compile": False}, {}),
        pytest.param({"jit_compile": False}, {}, marks=pytest.mark.everything),
        ({"jit_compile": False}, {"unroll_simulation": 3}),
        ({"jit_compile": True}, {"minibatch_size": 2}),
    ],
    ids=["planner", "jit", "unroll", "minibatch"],
)
def test_numbers_do_not_depend_on_how_the_model_is_run(expected, settings, options):
    net = several_populations()
    with configured(net, **settings):
        sim = simulate(net, 25, seed=3, **options)
    for probe, values in zip(net.populations, expected, strict=True):
        data = sim.data[probe]
        data = data[0] if "minibatch_size" in options else data
        assert np.array_equal(data, values[:25])


def test_numbers_of_a_population_do_not_depend_on_the_others():
    def network(n_others):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=False)
            stimulus = drive()
            for i in range(n_others + 1):
                neuron_type = PoissonSpiking(nengo.LIFRate())
                ensemble = add_ensemble(stimulus, neuron_type, 12)
                ensemble.seed = 100 - i
        return net, net.probes[0]

    (alone, p), (several, q) = network(0), network(3)
    first, second = simulate(alone, 20, seed=3), simulate(several, 20, seed=3)
    assert np.any(first.data[p])
    assert np.array_equal(first.data[p], second.data[q])


def test_numbers_go_on_over_chunks_and_runs(expected, monkeypatch):
    net = several_populations()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 8)
    with nengo_dl.Simulator(net, seed=3, dtype="float64", progress_bar=False) as sim:
        for steps in (1, 10, 1, 18):
            sim.run_steps(steps)
        for probe, values in zip(net.populations, expected, strict=True):
            assert np.array_equal(sim.data[probe], values)


def test_looking_ahead_leaves_the_state_alone():
    rates = np.full(300, 600.0)
    net = constant_rates(rates)
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(10)
        sim.run_steps(10, stateful=False)
        assert sim.n_steps == 10
        sim.run_steps(10)
        assert sim.n_steps == 20
        spikes = sim.data[net.spikes] * 0.001
    assert spikes.shape == (30, 300)
    expected = 0.6 * 300
    assert np.all(np.abs(spikes.sum(axis=1) - expected) < 4 * np.sqrt(expected))


def test_seeds_of_simulator_ensemble_and_item():
    def network(seed):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=False)
            ensemble = add_ensemble(drive(), PoissonSpiking(nengo.LIFRate()), 20)
            ensemble.seed = seed
        return net, net.probes[0]

    net, p = network(seed=1)
    with nengo_dl.Simulator(net, seed=3, progress_bar=False) as sim:
        sim.run_steps(20)
        three = np.array(sim.data[p])
        sim.reset()
        sim.run_steps(20)
        assert np.array_equal(sim.data[p], three)
        sim.reset(seed=4)
        sim.run_steps(20)
        four = np.array(sim.data[p])
        assert not np.array_equal(four, three)
        sim.reset(include_processes=False)
        sim.run_steps(20)
        assert not np.array_equal(sim.data[p], four)
        sim.reset(seed=3)
        sim.run_steps(20)
        assert np.array_equal(sim.data[p], three)
    # item i is a simulation with a seed that is i larger
    items = simulate(net, 20, seed=3, minibatch_size=2, dtype="float32").data[p]
    assert np.array_equal(items[0], three)
    assert np.array_equal(items[1], four)
    other, q = network(seed=2)
    assert not np.array_equal(
        simulate(other, 20, seed=3, dtype="float32").data[q], three
    )


def test_numbers_of_steps_that_did_not_run_are_given_back():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble = add_ensemble(drive(), PoissonSpiking(nengo.LIFRate()))
        failing = set()

        def function(t, x):
            step = round(t / 0.001)
            if step in failing:
                failing.remove(step)
                raise RuntimeError("once")

        nengo.Connection(ensemble, nengo.Node(function, size_in=1), synapse=0.01)
    (p,) = net.probes
    expected = simulate(net, 20).data[p]
    failing.add(7)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        with pytest.raises(RuntimeError, match="once"):
            sim.run_steps(20)
        assert sim.n_steps == 6
        sim.run_steps(14)
        assert np.array_equal(sim.data[p], expected)


def test_nengos_own_numbers_on_request():
    with nengo.Network(seed=0) as net:
        stimulus = drive()
        for i, base_type in enumerate([nengo.LIFRate(), nengo.Tanh(), nengo.LIFRate()]):
            neuron_type = PoissonSpiking(base_type, amplitude=1 - 0.3 * i)
            ensemble = add_ensemble(stimulus, neuron_type, 9 + i)
            nengo.Connection(ensemble, ensemble, synapse=0.05)
            probe_state(ensemble, f"population {i}")
    assert_matches_nengo(net, steps=50, minibatch=(None, 1), nengo_random_draws=True)
    for asked, calls in ((True, True), (False, False), (None, False)):
        with configured(net, nengo_random_draws=asked):
            sim = nengo_dl.Simulator(net, progress_bar=False)
        with sim:
            assert sim._program.calls_python is calls


def test_rates_and_decoded_values_are_those_of_nengo_on_average():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble = nengo.Ensemble(400, 1, neuron_type=PoissonSpiking(nengo.LIFRate()))
        nengo.Connection(nengo.Node(0.6), ensemble)
        rates = nengo.Probe(ensemble.neurons, "rate_out")
        spikes = nengo.Probe(ensemble.neurons)
        decoded = nengo.Probe(ensemble)
    with nengo.Simulator(net, progress_bar=False) as expected:
        expected.run_steps(500)
    sim = simulate(net, 500)
    assert np.allclose(sim.data[rates], expected.data[rates], rtol=1e-10)
    mean = expected.data[rates][10:].mean(axis=0)
    z = (sim.data[spikes][10:].mean(axis=0) - mean) / np.sqrt(mean / 0.49 + 1e-9)
    active = mean > 20
    assert LEVEL < stats.chi2.sf(np.sum(z[active] ** 2), active.sum()) < 1 - LEVEL
    ours, theirs = (s.data[decoded][10:].mean() for s in (sim, expected))
    assert abs(ours - theirs) < 0.02
