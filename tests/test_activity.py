"""Spikes, synaptic operations and energy, against counts by hand."""

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed, ValidationError

import nengo_dl
from nengo_dl.activity import (
    DEVICES,
    Activity,
    Device,
    FiringRates,
    PopulationActivity,
    register_device,
)
from nengo_dl.activity.fan_out import fan_out

WEIGHTS = np.array([[0, 1.0, 2, 0, 3], [0, 4, 0, 0, 0]])


def network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(np.zeros(2), label="node")
        a = nengo.Ensemble(
            4, 2, gain=[1.0] * 4, bias=[1.5, 2, 3, 200.0], label="a", radius=2
        )
        b = nengo.Ensemble(
            3, 1, neuron_type=nengo.SpikingRectifiedLinear(amplitude=0.1), label="b"
        )
        rates = nengo.Ensemble(2, 1, neuron_type=nengo.LIFRate(), label="rates")
        nengo.Connection(node, a, synapse=None)
        nengo.Connection(a, b, transform=[[1, 1]])
        nengo.Connection(a.neurons[1:], b.neurons[:2], transform=WEIGHTS[:, :3])
        nengo.Connection(b, rates)
        nengo.Connection(rates.neurons, b.neurons[0], transform=np.ones((1, 2)))
        probes = [nengo.Probe(e.neurons) for e in (a, b, rates)]
    return net, node, probes


def test_counts_by_hand():
    net, node, (a, b, rates) = network()
    x = np.random.RandomState(0).uniform(-2, 2, size=(3, 40, 2))
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        sim.run_steps(40, data={node: x})
        activity = sim.activity({node: x})
        assert sim.n_steps == 40 and sim.data[a].shape == (3, 40, 4)
    counts = {
        "a": sim.data[a].sum(axis=1) * 0.001,
        "b": sim.data[b].sum(axis=1) * 0.001 / 0.1,
    }
    # a has one decoded value, and so has b
    fan = {
        "a": 1 + np.array([0, *np.count_nonzero(WEIGHTS[:, :3], axis=0)]),
        "b": np.ones(3, int),
    }
    for label in "ab":
        found = activity[label]
        np.testing.assert_allclose(found.counts, counts[label].mean(axis=0), rtol=1e-4)
        np.testing.assert_array_equal(found.fan_out, fan[label])
        np.testing.assert_allclose(
            found.rates, counts[label].mean(axis=0) / 0.04, rtol=1e-4
        )
        expected = (counts[label] * fan[label]).sum(axis=1).mean()
        assert found.synops == pytest.approx(expected, rel=1e-4)
        assert found.silent == np.sum(counts[label].max(axis=0) < 0.5)
    assert activity["a"].saturated == 1 and activity["a"].silent >= 0
    # multiplied out, each spike reaches all neurons
    np.testing.assert_array_equal(activity["a"].multiplied_fan_out, fan["a"] - 1 + 3)
    np.testing.assert_array_equal(activity["b"].multiplied_fan_out, 2)
    spikes = sum(c.sum() for c in counts.values()) / 3
    assert activity.spikes == pytest.approx(spikes, rel=1e-4)
    assert activity.neuron_updates == (4 + 3 + 2) * 40
    assert activity.sparsity == pytest.approx(spikes / 360, rel=1e-4)
    # encoders of 4 x 2, 3 and 2 elements, and rates times weights
    assert activity.analog_macs == (8 + 3 + 2 + 2) * 40
    assert activity.dense_macs == 8 + 3 + 2 + 4 + np.sum(fan["a"] - 1) + 3 + 2
    assert activity[net.ensembles[1]] is activity["b"]
    assert not activity["rates"].spiking and activity["rates"].spikes == 0
    mean = sim.data[rates].mean(axis=(0, 1))
    np.testing.assert_allclose(activity["rates"].rates, mean, rtol=1e-4)


def test_data_of_one_step_are_presented_all_the_time():
    net, _node, (_a, *_) = network()
    x = np.random.RandomState(0).uniform(-2, 2, size=(5, 1, 2))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        activity = sim.activity({"node": x}, n_steps=20)
        again = sim.activity(np.repeat(x, 20, axis=1))
        own = sim.activity(n_steps=20)
        zero = sim.activity(np.zeros((1, 20, 2)))
    assert activity.n_items == again.n_items == 5 and activity.n_steps == 20
    assert activity["a"].firing.rates.shape == (5, 4)
    np.testing.assert_array_equal(activity["a"].counts, again["a"].counts)
    np.testing.assert_array_equal(own["a"].counts, zero["a"].counts)


def test_many_items_are_presented_in_parts(monkeypatch):
    monkeypatch.setattr("nengo_dl.activity.measure._MOST_SAMPLES", 2 * 10 * 9)
    net, _, _ = network()
    x = np.random.RandomState(0).uniform(-2, 2, size=(5, 10, 2))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        parts = sim.activity(x)
        single = [sim.activity(x[i : i + 1]) for i in (0, 4)]
    for i, one in zip((0, 4), single, strict=True):
        found = parts["b"].firing.rates[i]
        np.testing.assert_array_equal(found, one["b"].firing.rates[0])


def test_present_parameters_count():
    net, _node, (_a, *_) = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        before = sim.activity(n_steps=50)["a"].spikes
        ensemble = net.ensembles[0]
        bias = sim.model.sig[ensemble.neurons]["bias"]
        sim._runner.store.set_value(bias, np.zeros(4))
        assert sim.activity(n_steps=50)["a"].spikes == 0 < before


def test_probes_that_keep_the_last_step_make_no_difference():
    net, _, _ = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        expected = sim.activity(n_steps=30)
    with net:
        nengo_dl.configure_settings(keep_history=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert sim.activity(n_steps=30).spikes == expected.spikes > 0


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(
    "size, kernel, stride, padding, groups",
    [
        ((5, 4), (3, 3), (1, 1), "same", 1),
        ((5, 4), (2, 3), (2, 1), "valid", 1),
        ((6, 5), (4, 3), (2, 2), "same", 2),
        ((7,), (3,), (2,), "same", 1),
    ],
)
def test_fan_out_of_convolutions(size, kernel, stride, padding, groups, channels_last):
    shape = (*size, 2) if channels_last else (2, *size)
    weights = np.random.RandomState(0).uniform(1, 2, (*kernel, 2 // groups, 4))
    weights[0, ..., 1] = 0
    transform = nengo.Convolution(
        4,
        shape,
        kernel_size=kernel,
        strides=stride,
        padding=padding,
        channels_last=channels_last,
        init=weights,
        groups=groups,
    )
    n = int(np.prod(shape))
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(np.zeros(n))
        out = nengo.Node(size_in=transform.size_out)
        nengo.Connection(node, out, transform=transform, synapse=None)
        probe = nengo.Probe(out)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(n, data={node: np.eye(n)[None]})
    expected = np.count_nonzero(sim.data[probe], axis=1)
    np.testing.assert_array_equal(fan_out(transform, weights, n), expected)


def test_fan_out_of_other_transforms():
    assert fan_out(nengo.Dense((2, 2)), np.array(3.0), 2).tolist() == [1, 1]
    assert fan_out(nengo.Dense((2, 2)), np.array([0, 3.0]), 2).tolist() == [0, 1]
    assert fan_out(None, None, 2).tolist() == [1, 1]
    sparse = nengo.transforms.SparseMatrix(
        [(0, 1), (2, 1), (1, 0)], [1.0, 2, 0], (3, 2)
    )
    assert fan_out(None, sparse, 2).tolist() == [0, 2]


def test_biases_of_converted_models_are_no_operations():
    import keras

    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, "relu", name="hidden")
    hidden_out = hidden(inputs)
    outputs = keras.layers.Dense(2, name="out")(hidden_out)
    model = keras.Model(inputs, outputs)
    spiking = {"relu": nengo.SpikingRectifiedLinear()}
    converted = nengo_dl.Converter(
        model, swap_activations=spiking, scale_firing_rates=100
    )
    with converted.net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(converted.net, progress_bar=False) as sim:
        activity = sim.activity(np.ones((2, 1, 3)), n_steps=20)
    (found,) = activity.populations
    assert "hidden" in found.label
    assert activity.dense_macs == 3 * 4 + 4 * 2
    assert activity.analog_macs == 3 * 4 * 20
    assert found.synops == pytest.approx(2 * found.spikes)


def worked_example():
    """Return 64 inputs, 128 and 64 neurons, 10 outputs; their spikes are known."""

    def population(label, n_neurons, spikes, n_post):
        counts = np.full(n_neurons, spikes / n_neurons)
        fan = np.full(n_neurons, n_post)
        firing = FiringRates(counts[None] / 0.1, 500.0)
        return PopulationActivity(label, "LIF", True, firing, counts, fan, fan)

    layers = (population("1", 128, 403.0, 64), population("2", 64, 413.2, 10))
    macs = 64 * 128 + 128 * 64 + 64 * 10
    return Activity(layers, 192, 100, 0.001, 64 * 128 * 100, macs)


def test_energy_of_a_worked_example():
    activity = worked_example()
    assert activity["1"].mean == pytest.approx(31.5, abs=0.05)
    assert activity["2"].mean == pytest.approx(64.6, abs=0.05)
    assert activity.synops == pytest.approx(29_924, abs=1)
    assert activity.neuron_updates == 19_200 and activity.dense_macs == 17_024
    energy = nengo_dl.energy(activity)
    for name, expected in {
        "loihi": 2.37e-6,
        "spinnaker": 8.97e-4,
        "spinnaker2": 5.55e-5,
        "cpu": 1.48e-4,
        "gpu": 5.16e-6,
        "arm": 1.55e-5,
        "45nm_mac": 7.9e-8,
    }.items():
        assert energy[name].per_inference == pytest.approx(expected, rel=0.004)
        assert energy[name].per_second == pytest.approx(expected * 10, rel=0.004)
    assert energy["loihi"].analog == pytest.approx(819_200 * 27.1e-12)
    without_hops = Device("loihi, one core", 23.6e-12, 81e-12)
    (own,) = nengo_dl.energy(activity, without_hops).devices
    assert own.per_inference == pytest.approx(2.26e-6, rel=0.003)


def test_energy_as_keras_spiking_counts_it():
    """Synapses times the mean rate of the input times time, updates of neurons."""
    activity = worked_example()
    for name in ("loihi", "spinnaker", "spinnaker2"):
        device, found = DEVICES[name], nengo_dl.energy(activity, name)[name]
        synapses = sum(
            device.synop * (n_in * n_out) * activity[label].mean * 0.001 * 100
            for label, n_in, n_out in (("1", 128, 64), ("2", 64, 10))
        )
        assert found.synapses == pytest.approx(synapses)
        assert found.neurons == pytest.approx(device.neuron * (128 + 64) * 100)


def test_devices_of_ones_own():
    activity = worked_example()
    register_device(Device("mine", 1e-12, 2e-12, source="data sheet"))
    try:
        energy = nengo_dl.energy(activity, ["gpu", "mine"])
    finally:
        del DEVICES["mine"]
    assert energy["mine"].synapses == pytest.approx(activity.synops * 1e-12)
    assert "data sheet" in str(energy) and "Memory, input and output" in str(energy)
    assert all(device.source for device in DEVICES.values())


def test_tables():
    activity = worked_example()
    text, html = str(activity), activity._repr_html_()
    for part in ("31.5", "128", "29,924", "819,200", "192 items"):
        assert part in text and part in html
    energy = nengo_dl.energy(activity, ["loihi", "odin"])
    for part in ("2.37 uJ", "not published", "Davies et al.", "arXiv 2409.08290"):
        assert part in repr(energy) and part in energy._repr_html_()
    with pytest.raises(KeyError, match="'1', '2'"):
        activity["3"]
    with pytest.raises(KeyError, match="'loihi', 'odin'"):
        energy["gpu"]


def test_plots():
    pytest.importorskip("matplotlib").use("Agg")
    activity = worked_example()
    ax = nengo_dl.plots.firing_rates(activity)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2"]
    ax = nengo_dl.plots.energy_bars(nengo_dl.energy(activity, ["loihi", "cpu"]))
    widths = [patch.get_width() for patch in ax.patches]
    assert widths == pytest.approx([2.37e-6, 1.48e-4], rel=0.01)
    assert [text.get_text().strip() for text in ax.texts] == ["2.4 µJ", "150 µJ"]
    for wrong in (None, 3, "activity"):
        with pytest.raises(ValidationError, match="activity"):
            nengo_dl.plots.firing_rates(wrong)
        with pytest.raises(ValidationError, match="energy"):
            nengo_dl.plots.energy_bars(wrong)


def test_networks_without_neurons():
    with nengo.Network() as net:
        node = nengo.Node([1.0])
        nengo.Connection(node, nengo.Node(size_in=1), transform=2)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        activity = sim.activity(n_steps=3)
    assert activity.populations == () and activity.sparsity == 0
    assert activity.analog_macs == 3 and activity.dense_macs == 1
    assert nengo_dl.energy(activity, "loihi")["loihi"].per_inference == 0
    assert "3 steps" in str(activity)


def test_wrong_arguments():
    net, _, _ = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(ValidationError, match="n_steps: Expected data"):
            sim.activity()
        for wrong in (0, -1, 1.5, True, "many"):
            with pytest.raises(ValidationError, match="n_steps"):
                sim.activity(n_steps=wrong)
        with pytest.raises(ValidationError, match="have 3 time steps, got n_steps=5"):
            sim.activity(np.zeros((1, 3, 2)), n_steps=5)
        with pytest.raises(ValidationError, match="expected .*2"):
            sim.activity(np.zeros((1, 3, 3)))
        with pytest.raises(ValidationError, match="data"):
            sim.activity({"nobody": np.zeros((1, 3, 2))})
    with pytest.raises(SimulatorClosed, match="measure activity"):
        sim.activity(n_steps=3)
    activity = worked_example()
    twice = ["loihi", Device("loihi", synop=1e-12)]
    for wrong in ("tpu", 3, [None], True, twice):
        with pytest.raises(ValidationError, match="device"):
            nengo_dl.energy(activity, wrong)
    with pytest.raises(ValidationError, match="activity"):
        nengo_dl.energy(None)
    for arguments, name in (
        ({"name": ""}, "name"),
        ({"synop": -1}, "synop"),
        ({"synop": np.nan}, "synop"),
        ({"neuron": "much"}, "neuron"),
        ({"spiking": "yes"}, "spiking"),
        ({"source": None}, "source"),
    ):
        with pytest.raises(ValidationError, match=name):
            Device(**{"name": "mine", "synop": 1e-12, **arguments})
    with pytest.raises(ValidationError, match="device"):
        register_device("mine")


def test_one_item_without_the_axis_of_items():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.0])
        ensemble = nengo.Ensemble(5, 1)
        nengo.Connection(node, ensemble, synapse=None)
    data = np.linspace(-1, 1, 20)[:, None]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert str(sim.activity(data)) == str(sim.activity(data[None]))
    with (
        nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim,
        pytest.raises(ValidationError, match=r"shape \(20, 1\); expected"),
    ):
        sim.activity(data)
