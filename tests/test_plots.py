"""Pictures: what is drawn is what was recorded, learned and planned."""

import keras
import matplotlib
import nengo
import numpy as np
import pytest
from matplotlib import pyplot
from nengo.exceptions import SimulatorClosed, ValidationError
from nengo.utils.ensemble import response_curves, tuning_curves
from PIL import Image

import nengo_dl
from nengo_dl import plots
from tests.helpers import printed_by

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figures_are_left():
    pyplot.close("all")  # those of other tests in this process
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.node = nengo.Node(lambda t: [np.sin(20 * t), np.cos(20 * t)])
        net.plane = nengo.Ensemble(30, 2, label="plane", radius=1.5)
        net.line = nengo.Ensemble(20, 1, label="line")
        nengo.Connection(net.node, net.plane)
        net.sum = nengo.Connection(net.plane, net.line, function=sum)
        net.probe = nengo.Probe(net.plane, synapse=0.02, sample_every=0.002)
        net.spikes = nengo.Probe(net.line.neurons)
        net.output = nengo.Probe(net.line, label="result")
    return net


@pytest.fixture(scope="module")
def sim(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run(0.1)
        yield sim


@pytest.fixture(scope="module")
def batch(net):
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        presented = np.random.RandomState(0).uniform(-1, 1, size=(3, 1, 2))
        sim.run_steps(50, data={net.node: np.tile(presented, (1, 50, 1))})
        yield sim


def legend(ax):
    box = ax.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


def test_traces_are_the_samples_at_their_times(sim, net):
    ax = plots.probe_traces(sim, net.probe)
    assert [line.get_label() for line in ax.lines] == legend(ax)
    assert legend(ax) == ["dimension 0", "dimension 1"]
    for line, samples in zip(ax.lines, sim.data[net.probe].T, strict=True):
        assert np.array_equal(line.get_xdata(), sim.trange(sample_every=0.002))
        assert np.array_equal(line.get_ydata(), samples)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "plane: decoded_output")


def test_traces_of_one_dimension_have_no_legend_and_the_probes_label(sim, net):
    ax = plots.probe_traces(sim, net.output, color="red")
    assert ax.get_ylabel() == "result"
    assert ax.lines[0].get_color() == "red"
    assert not legend(ax)


def test_traces_are_those_of_one_item(batch, net):
    for item in (0, 2, -1):
        ax = plots.probe_traces(batch, net.output, item=item)
        drawn = ax.lines[0].get_ydata()
        assert np.array_equal(drawn, batch.data[net.output][item, :, 0])
    with pytest.raises(ValidationError, match="from 0 to 2, got 3"):
        plots.probe_traces(batch, net.output, item=3)


def test_traces_of_other_data(batch, net):
    data = np.random.RandomState(0).rand(5, 7, 2)
    ax = plots.probe_traces(batch, net.probe, item=4, data=data)
    assert np.array_equal(ax.lines[1].get_ydata(), data[4, :, 1])
    assert np.allclose(ax.lines[1].get_xdata(), 0.002 * np.arange(1, 8))
    ax = plots.probe_traces(batch, net.output, data=data[0])
    assert np.allclose(ax.lines[0].get_xdata(), 0.001 * np.arange(1, 8))


def test_traces_of_a_probe_that_keeps_the_last_sample_only():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(keep_history=False, jit_compile=False)
        probe = nengo.Probe(nengo.Node(lambda t: t))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run(0.01)
    ax = plots.probe_traces(sim, probe, marker="o")
    assert np.allclose(ax.lines[0].get_xydata(), [[0.01, 0.01]])


def test_nothing_recorded_is_an_error(net):
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.raises(ValidationError, match="not recorded anything"),
    ):
        plots.probe_traces(sim, net.output)


def test_nengos_simulator_can_be_drawn_too(net):
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run(0.02)
        ax = plots.probe_traces(sim, net.probe)
        assert np.array_equal(ax.lines[0].get_ydata(), sim.data[net.probe][:, 0])
        assert len(plots.tuning_curves(sim, net.line).lines) == 20


def test_raster_has_a_mark_for_each_spike(sim, net):
    ax = plots.spike_raster(sim, net.spikes)
    marks = ax.lines[0].get_xydata()
    steps, neurons = np.nonzero(sim.data[net.spikes])
    assert len(marks) == len(steps) > 20
    assert np.allclose(marks[:, 0], (steps + 1) * 0.001)
    assert np.array_equal(marks[:, 1], neurons)
    assert ax.get_xlim() == pytest.approx((0.001, 0.1))
    assert ax.get_ylim() == (-0.5, 19.5)
    assert plots.probe_traces(sim, net.output).get_xlim() == ax.get_xlim()


def test_raster_of_chosen_neurons_of_an_item(batch, net):
    ax = plots.spike_raster(batch, net.spikes, item=1, neurons=[7, 3])
    marks = ax.lines[0].get_xydata()
    for row, neuron in enumerate([7, 3]):
        spikes = batch.data[net.spikes][1, :, neuron] > 0
        assert (marks[:, 1] == row).sum() == spikes.sum()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["7", "3"]


def test_tuning_curves_are_nengos(sim, net):
    points = np.linspace(-1, 1, 50)[:, None]
    _, rates = tuning_curves(net.line, sim, inputs=points)
    ax = plots.tuning_curves(sim, net.line, n_points=50)
    assert np.allclose([line.get_ydata() for line in ax.lines], rates.T, atol=1e-2)
    assert np.allclose(ax.lines[0].get_xdata(), points[:, 0])
    assert ax.get_ylabel() == "rate (Hz)"


def test_curves_in_a_plane_are_along_encoders_or_a_direction(sim, net):
    ensemble = net.plane
    _, rates = response_curves(ensemble, sim, inputs=np.linspace(-1, 1, 50))
    ax = plots.tuning_curves(sim, ensemble, n_points=50)
    assert np.allclose([line.get_ydata() for line in ax.lines], rates.T, atol=1e-2)
    assert ax.lines[0].get_xdata()[-1] == 1.5  # the radius

    points = np.linspace(-1.5, 1.5, 50)[:, None] * [0.6, 0.8]
    _, rates = tuning_curves(ensemble, sim, inputs=points)
    ax = plots.tuning_curves(sim, ensemble, [3, 4], neurons=[5, 2], n_points=50)
    drawn = [line.get_ydata() for line in ax.lines]
    assert np.allclose(drawn, rates.T[[5, 2]], atol=1e-2)

    for wrong in ([1, 2, 3], [0, 0]):
        with pytest.raises(ValidationError, match="vector of 2 numbers"):
            plots.tuning_curves(sim, ensemble, direction=wrong)


def test_rates_are_those_of_neurons_without_their_amplitude():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        small = nengo.Ensemble(10, 1, neuron_type=nengo.LIF(amplitude=0.01), seed=1)
        plain = nengo.Ensemble(10, 1, neuron_type=nengo.LIF(), seed=1)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        curves = [plots.tuning_curves(sim, e).lines for e in (small, plain)]
    for one, other in zip(*curves, strict=True):
        assert np.allclose(one.get_ydata(), other.get_ydata())


def test_direct_mode_has_no_curves():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.Direct())
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.raises(ValidationError, match="Direct mode"),
    ):
        plots.tuning_curves(sim, ensemble)


def test_what_training_changes_shows_in_curves_and_histograms():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.config[nengo.Connection].synapse = None
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(40, 1, neuron_type=nengo.LIFRate(), label="a")
        nengo.Connection(node, ensemble)
        output = nengo.Node(size_in=1, label="out")
        connection = nengo.Connection(ensemble, output)
        probe = nengo.Probe(output)
    x = np.linspace(-1, 1, 40).reshape(40, 1, 1)
    with nengo_dl.Simulator(net, minibatch_size=10, progress_bar=False) as sim:
        ax = plots.weight_histogram(sim, connection)
        assert not legend(ax)
        assert ax.get_xlabel() == "weights of a → out"
        before = [line.get_ydata() for line in plots.tuning_curves(sim, ensemble).lines]

        sim.train({node: x, probe: x**2}, keras.optimizers.Adam(0.01), n_epochs=3)
        after = [line.get_ydata() for line in plots.tuning_curves(sim, ensemble).lines]
        assert not np.allclose(before, after)
        built = sim.data[ensemble]
        points = np.linspace(-1, 1, 201)[:, None]
        currents = points @ built.scaled_encoders.T + built.bias
        expected = nengo.LIFRate().rates(currents, np.ones(40), np.zeros(40))
        assert np.allclose(after, expected.T)

        for obj, now, initial in (
            (connection, sim.data[connection].weights, "weights"),
            (ensemble, built.scaled_encoders, "scaled_encoders"),
            (ensemble.neurons, built.bias, "bias"),
        ):
            owner = obj if obj is connection else ensemble
            then = getattr(sim.model.params[owner], initial)
            ax = plots.weight_histogram(sim, obj, bins=8)
            assert legend(ax) == ["as built", "now"]
            edges = np.histogram_bin_edges(np.concatenate([then, now], axis=None), 8)
            assert [bar.get_height() for bar in ax.patches[:8]] == list(
                np.histogram(then, edges)[0]
            )
            outline = ax.patches[8].get_xy()
            heights = np.histogram(now, edges)[0]
            assert outline[:, 1].max() == pytest.approx(heights.max())


def test_what_items_learn_counts_as_one_set_of_weights():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        pre = nengo.Ensemble(20, 1)
        post = nengo.Node(size_in=1)
        connection = nengo.Connection(pre, post, learning_rule_type=nengo.PES())
        nengo.Connection(nengo.Node(1), connection.learning_rule)
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        sim.run(0.05)
        ax = plots.weight_histogram(sim, connection, bins=5)
    outline = ax.patches[5].get_xy()
    # of a closed polygon: there and back
    assert sum(outline[1:-1:2, 1][:5]) == pytest.approx(20)


def test_histogram_of_sparse_weights():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, out = nengo.Node([0, 0]), nengo.Node(size_in=2)
        transform = nengo.Sparse((2, 2), indices=[[0, 0], [1, 1]], init=[3.0, 5.0])
        connection = nengo.Connection(node, out, transform=transform)
        plain = nengo.Connection(node, out, transform=None)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ax = plots.weight_histogram(sim, connection, bins=2)
        assert [bar.get_height() for bar in ax.patches] == [1, 1]
        with pytest.raises(ValidationError, match="no weights"):
            plots.weight_histogram(sim, plain)
        with pytest.raises(ValidationError, match="Expected a Connection"):
            plots.weight_histogram(sim, node)


def test_losses_of_train():
    ax = plots.training_curves(np.array([4.0, 2.0, 1.0]))
    assert np.array_equal(ax.lines[0].get_xydata(), [[1, 4], [2, 2], [3, 1]])
    assert (ax.get_ylabel(), ax.get_yscale()) == ("loss", "log")
    assert plots.training_curves([1.0, -1.0]).get_yscale() == "linear"


@pytest.mark.parametrize(
    "values, expected",
    [
        ([0.62, 0.02], {"0.02", "0.1", "0.2", "0.6"}),
        ([4.0, 2.0], {"2", "3", "4"}),
        ([30.0, 0.001], {"0.001", "0.01", "0.1", "1", "10"}),
    ],
)
def test_losses_are_written_as_decimals(values, expected):
    ax = plots.training_curves(np.array(values))
    ax.figure.canvas.draw()
    axis = ax.yaxis
    low, high = ax.get_ylim()
    written = {
        label.get_text()
        for label in (*axis.get_majorticklabels(), *axis.get_minorticklabels())
        if label.get_text() and low <= label.get_position()[1] <= high
    }
    assert expected <= written
    assert all("e" not in text and "$" not in text for text in written)


def test_history_of_fit():
    history = keras.callbacks.History()
    history.history = {
        "accuracy": [0.5, 0.75],
        "loss": [2.0, 1.0],
        "val_accuracy": [0.25, 0.5],
        "val_loss": [3.0, 2.0],
    }
    ax = plots.training_curves(history)
    assert legend(ax) == ["loss", "val_loss"]
    loss, validation = ax.lines
    assert list(validation.get_ydata()) == [3, 2]
    assert (loss.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert loss.get_color() == validation.get_color()

    ax = plots.training_curves(history, metrics=["accuracy"])
    assert legend(ax) == ["accuracy", "val_accuracy"]
    assert (ax.get_ylabel(), ax.get_yscale()) == ("accuracy", "linear")
    with pytest.raises(ValidationError, match="precision; there is accuracy, loss"):
        plots.training_curves(history, metrics=["precision"])


def test_several_trainings_are_compared():
    history = keras.callbacks.History()
    history.history = {"loss": [2.0, 1.0]}
    ax = plots.training_curves({"rates": history, "spikes": np.array([3.0, 2.0, 1.0])})
    assert legend(ax) == ["rates", "spikes"]
    assert [len(line.get_ydata()) for line in ax.lines] == [2, 3]
    assert ax.get_ylabel() == "loss"


def test_weights_that_went_astray_are_an_error():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0])
        output = nengo.Node(size_in=1)
        connection = nengo.Connection(node, output, synapse=None, transform=2)
        probe = nengo.Probe(output)
    data = {node: np.full((1, 1, 1), 1e30), probe: np.zeros((1, 1, 1))}
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.train(data, "sgd")
        with pytest.raises(ValidationError, match="smaller learning rate"):
            plots.weight_histogram(sim, connection)


@pytest.mark.parametrize("history", [[], {}, np.ones((2, 2)), {"loss": []}])
def test_no_history_is_an_error(history):
    with pytest.raises(ValidationError):
        plots.training_curves(history)


def test_plan_has_a_bar_for_each_group(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        ax = plots.plan(sim)
        groups = sim._program.plan
        assert [bar.get_width() for bar in ax.patches] == [len(g.ops) for g in groups]
        names = [tick.get_text() for tick in ax.get_yticklabels()]
        assert names == [group.name for group in groups]
        assert "SimNeurons.LIF" in names
        count = sum(len(group.ops) for group in groups)
        assert ax.get_title() == f"{count} operators in {len(groups)} groups"
        top, bottom = ax.patches[0], ax.patches[-1]
        assert (
            ax.transData.transform((0, top.get_y()))[1]
            > (ax.transData.transform((0, bottom.get_y()))[1])
        )
    with pytest.raises(SimulatorClosed, match="draw its plan"):
        plots.plan(sim)


@pytest.fixture(scope="module")
def classifier():
    """Return a simulator of three classes, a Probe of spikes, and one of outputs."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble = nengo.Ensemble(12, 3, label="first")
        other = nengo.Ensemble(8, 1, label="second", max_rates=[50] * 8)
        nengo.Connection(nengo.Node([0.2, 0.9, -0.3], label="node"), ensemble)
        nengo.Connection(ensemble[0], other)
        spikes = nengo.Probe(ensemble.neurons)
        output = nengo.Probe(ensemble, synapse=0.02, sample_every=0.002, label="class")
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run(0.06)
        yield sim, spikes, output


def test_spikes_and_answer_have_one_axis_of_time(classifier):
    sim, spikes, output = classifier
    above, below = plots.spikes_and_answer(
        sim, spikes, output, item=1, target=0, classes=["a", "b", "c"]
    )
    assert above.get_xlim() == below.get_xlim() == pytest.approx((0.001, 0.06))
    assert len(above.lines[0].get_xdata()) == (sim.data[spikes][1] > 0).sum() > 20
    samples = sim.data[output][1]
    assert samples[-1].argmax() == 1
    for line, column in zip(below.lines[:3], samples.T, strict=True):
        assert np.array_equal(line.get_ydata(), column)
    assert np.array_equal(below.lines[3].get_ydata(), samples.max(axis=1))
    assert [line.get_color() for line in below.lines[:3]] == ["C1", "C0", "0.75"]
    assert above.get_title(loc="left") == "answer: b, right: a (orange)"
    assert (below.get_xlabel(), below.get_ylabel()) == ("time (s)", "class")
    assert above.get_xlabel() == ""  # that of the axes below


def test_spikes_and_answer_of_what_predict_returned(classifier):
    sim, spikes, output = classifier
    data = {spikes: np.eye(12)[None], output: np.eye(3)[None, [0, 1, 2, 2]]}
    _, axs = pyplot.subplots(2)
    above, below = plots.spikes_and_answer(sim, spikes, output, data=data, axs=axs)
    assert (above, below) == tuple(axs)
    assert len(above.lines[0].get_xdata()) == 12
    assert above.get_title(loc="left") == "answer: 2"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"target": 3}, "whole numbers from 0 to 2"),
        ({"target": "cat"}, "whole numbers from 0 to 2"),
        ({"classes": ["a", "b"]}, "3 names"),
        ({"item": 2}, "from 0 to 1, got 2"),
        ({"item": 0.5}, "from 0 to 1, got 0.5"),
        ({"axs": [None]}, "2 axes"),
        ({"data": 3}, "mapping"),
    ],
)
def test_mistakes_about_answers(classifier, options, message):
    with pytest.raises(ValidationError, match=message):
        plots.spikes_and_answer(*classifier, **options)


def test_accuracy_over_time(classifier):
    sim, _, output = classifier
    outputs = np.zeros((4, 5, 3))
    outputs[:, :, 0] = 0.5
    for item, step in enumerate((1, 2, 2, 9)):
        outputs[item, step:, 2] = 1
    outputs[2, 4, 1] = np.nan
    labels = np.full((4, 1, 1), 2)
    ax = plots.accuracy_over_time(sim, output, labels, data=outputs, label="one")
    assert ax.lines[0].get_ydata().tolist() == [0, 25, 75, 75, 50]
    assert np.allclose(ax.lines[0].get_xdata(), 0.002 * np.arange(1, 6))
    assert ax.lines[1].get_ydata()[0] == pytest.approx(100 / 3)
    plots.accuracy_over_time(sim, output, labels, data=outputs, label="two", ax=ax)
    assert len(ax.lines) == 3 and legend(ax) == ["one", "two"]
    assert ax.get_xlabel() == "presentation time (s)"
    assert ax.get_ylabel() == "recognised (%)"
    ax = plots.accuracy_over_time(sim, output, [1, 1])
    assert ax.lines[0].get_ydata()[-1] == 100


def test_mistakes_about_accuracy(classifier, sim, net):
    simulator, _, output = classifier
    for labels in ([1], [1, 3], [1, 0.5], ["a", "b"], None, [1, -1], [1, np.nan]):
        with pytest.raises(ValidationError, match="2 whole numbers from 0 to 2"):
            plots.accuracy_over_time(simulator, output, labels)
    with pytest.raises(ValidationError, match="of a simulator with a minibatch"):
        plots.accuracy_over_time(sim, net.probe, [1])


def test_histograms_of_rates_have_one_axis(classifier):
    sim = classifier[0]
    activity = sim.activity(n_steps=50)
    axs = plots.rate_histograms(activity, bins=4, color="red")
    assert [ax.get_xlabel() for ax in axs] == ["", "rate (Hz)"]
    assert axs[0].get_xlim() == axs[1].get_xlim()
    for ax, population in zip(axs, activity.populations, strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        edges = [
            ax.patches[0].get_x(),
            *(b.get_x() + b.get_width() for b in ax.patches),
        ]
        assert heights == list(np.histogram(population.rates, edges)[0])
        assert ax.get_title(loc="left").startswith(f"{population.label}: mean ")
    assert sum(bar.get_height() for bar in axs[0].patches) == 12
    (one,) = plots.rate_histograms(activity, ["second"])
    assert one.get_title(loc="left").endswith("of 8 silent")
    for wrong in (["third"], "second", [], [3]):
        with pytest.raises(ValidationError, match="labels or Ensembles"):
            plots.rate_histograms(activity, wrong)
    with pytest.raises(ValidationError, match="Activity of a network with neurons"):
        plots.rate_histograms(sim)


def test_silent_networks_have_histograms_too():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        nengo.Ensemble(5, 1, intercepts=[0.5] * 5)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        (ax,) = plots.rate_histograms(sim.activity(n_steps=2))
    assert sum(bar.get_height() for bar in ax.patches) == 5


def test_animations_end_with_the_whole_picture(classifier, tmp_path):
    sim, spikes, output = classifier
    path = plots.animate_spikes(
        sim, spikes, tmp_path / "spikes.gif", output, item=1, n_frames=3, fps=5
    )
    with Image.open(path) as image:
        assert image.n_frames == 3 and image.info["duration"] == 200
        black = []
        for frame in range(3):
            image.seek(frame)
            black.append((np.asarray(image.convert("L")) < 60).sum())
    assert black[0] < black[1] < black[2]
    page = plots.animate_spikes(
        sim, spikes, str(tmp_path / "spikes.html"), n_frames=2
    ).read_text()
    assert page.count("data:image/png;base64") == 2
    assert not pyplot.get_fignums()
    for wrong in ("spikes.mp4", "spikes", None):
        with pytest.raises(ValidationError, match=r"ends with .gif or .html"):
            plots.animate_spikes(sim, spikes, wrong)
    for wrong in ({"n_frames": 0}, {"fps": 0.5}):
        with pytest.raises(ValidationError, match="whole number of at least 1"):
            plots.animate_spikes(sim, spikes, path, **wrong)


def test_axes_that_are_given_are_drawn_on(sim, net):
    _, axes = pyplot.subplots(5)
    assert plots.probe_traces(sim, net.output, ax=axes[0]) is axes[0]
    assert plots.spike_raster(sim, net.spikes, ax=axes[1]) is axes[1]
    assert plots.tuning_curves(sim, net.line, ax=axes[2]) is axes[2]
    assert plots.training_curves([1.0], ax=axes[3]) is axes[3]
    assert plots.plan(sim, ax=axes[4]) is axes[4]
    assert len(pyplot.get_fignums()) == 1
    assert all(ax.has_data() for ax in axes)


def test_without_matplotlib_an_error_says_how_to_get_it():
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import nengo_dl\n"
        "try: nengo_dl.plots.training_curves([1.0])\n"
        "except ImportError as error: print(error)\n"
    )
    assert "pip install matplotlib" in printed_by(program)


def test_nothing_is_imported_before_it_is_needed():
    program = (
        "import sys, nengo_dl; nengo_dl.plots\n"
        "print('matplotlib' in sys.modules, 'tensorflow' in sys.modules)\n"
    )
    assert printed_by(program).split() == ["False", "False"]
