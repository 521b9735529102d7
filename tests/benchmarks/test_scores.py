"""How well tasks go: small ones of each kind, the command line, and the page."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from nengo_dl.benchmarks import __main__ as command
from nengo_dl.benchmarks import pixels, sequences
from nengo_dl.benchmarks.capacity import capacity
from nengo_dl.benchmarks.control import adaptive_control
from nengo_dl.benchmarks.digits import recurrent_classifier, surrogate_classifier
from nengo_dl.benchmarks.fewer_bits import fewer_bits
from nengo_dl.benchmarks.labelled import Labelled
from nengo_dl.benchmarks.records import Record
from nengo_dl.benchmarks.scored_tasks import TASKS, ScoredTask, measure_score
from nengo_dl.benchmarks.scores import Score, by_figure
from nengo_dl.benchmarks.tables import list_tables
from nengo_dl.simulator import Simulator

ROOT = Path(__file__).parents[2]


def test_memory_with_spikes_on_signals(monkeypatch):
    monkeypatch.setattr(sequences, "N_NEURONS", (6, 5))
    monkeypatch.setattr(sequences, "MINIBATCH_SIZE", 4)
    items = np.random.RandomState(0).uniform(size=(8, 9, 1)).astype("float32")
    data = Labelled(items, np.arange(8), items, np.arange(8))
    found = sequences.mnist1d_lmu(n_epochs=1, n_steps=3, data=data)
    assert list(found) == ["rates (%)", "spikes (%)", "mean rate (Hz)"]
    assert 0 <= found["spikes (%)"] <= 100 and 0 < found["mean rate (Hz)"] < 1000


@pytest.fixture
def keras_mnist(monkeypatch):
    """Return images as Keras does, few and small ones: three bars, up or across."""
    rng = np.random.RandomState(0)
    images = rng.randint(60, size=(100, 28, 28)).astype(np.uint8)
    labels = rng.randint(2, size=100).astype(np.uint8)
    images[labels == 0, 4::8] = 255
    images[labels == 1, :, 4::8] = 255
    parts = (images[:50], labels[:50]), (images[50:], labels[50:])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: parts)
    pixels.mnist_images.cache_clear()
    yield
    pixels.mnist_images.cache_clear()


def test_mnist_comes_from_keras(keras_mnist):
    data = pixels.mnist_images()
    assert data.train.shape == (50, 28, 28, 1) and data.test.shape == (50, 28, 28, 1)
    assert data.train.dtype == np.float32 and data.train.max() == 1
    assert set(data.train_labels) == {0, 1}


def test_perceptron_on_mnist(keras_mnist):
    assert TASKS["mnist"].downloads
    assert TASKS["mnist"].run(0) == {"rates (%)": 100, "spikes (%)": 100}


def test_mnist_that_cannot_be_downloaded(monkeypatch, capsys):
    def fails():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fails)
    pixels.mnist_images.cache_clear()
    with pytest.raises(SystemExit, match=r"URL fetch failure.*mnist\.npz"):
        command.main(["psmnist_lmu", "--seeds", "1"])


def test_a_memory_of_pixels_learns(monkeypatch):
    # of 25 pixels in a random order, those of one place say what the class is
    monkeypatch.setattr(pixels, "MINIBATCH_SIZE", 20)
    rng = np.random.RandomState(0)
    items = rng.uniform(0, 0.5, size=(200, 5, 5, 1)).astype(np.float32)
    labels = rng.randint(2, size=200)
    items[:, 2, 2, 0] = labels
    data = Labelled(items[:160], labels[:160], items[160:], labels[160:])
    assert pixels.psmnist_lmu(n_epochs=20, data=data)["rates (%)"] > 90


def test_a_memory_of_pixels_is_what_was_published():
    net = pixels.PixelNetwork(order=6, n_units=5, n_pixels=8)
    with Simulator(net, minibatch_size=1, progress_bar=False) as sim:
        n_parameters = sum(p.numpy().size for p in sim.keras_model.trainable_weights)
    # encoders and kernels of pixel, units and memory; biases; outputs
    assert n_parameters == (1 + 5 + 6) + (5 + 25 + 30) + 5 + 50


def test_classifiers_in_fewer_bits():
    # the class is the larger of two values: eight bits are enough
    items = np.random.RandomState(0).uniform(size=(400, 2)).astype("float32")
    labels = (items[:, 0] > items[:, 1]).astype(int)
    found = fewer_bits(Labelled(items, labels, items, labels))
    assert list(found) == [
        "float32 in training (%)",
        "bfloat16 in training (%)",
        "bfloat16 in training and runs (%)",
        "float16 in training (%)",
        "float16 in training and runs (%)",
    ]
    assert min(found.values()) > 80


def test_items_are_moved_round():
    items = np.arange(10.0).reshape(2, 5, 1)
    epochs = list(sequences._moved(items, 20, seed=0))
    assert len(epochs) == 20
    for moved in epochs:
        for before, after in zip(items, moved, strict=True):
            start = int(np.flatnonzero(after[:, 0] == before[0, 0])[0])
            assert np.array_equal(np.roll(before, start, axis=0), after)
    assert len({moved[0, 0, 0] for moved in epochs}) == 5


def test_pendulums_learn_their_weight():
    found = adaptive_control(n_items=3, seconds=4.0, n_neurons=60)
    assert 0 < found["with PES (rad)"] < 0.7 * found["without learning (rad)"]


def test_memories_answer_as_in_nengo():
    found = capacity(n_pairs=(1, 2), n_items=2, dimensions=12, neurons_per_d=20)
    assert list(found)[:2] == ["1 pairs (%)", "2 pairs (%)"]
    assert list(found.values())[:2] == list(found.values())[2:]
    assert found["1 pairs (%)"] == 100


@pytest.mark.everything
def test_digits_with_surrogate_gradients_and_with_pixels_in_another_order():
    assert surrogate_classifier(n_epochs=10) > 0.93
    assert recurrent_classifier(order=np.arange(64)[::-1]) > 0.93


def test_command_goes_on_where_it_stopped(monkeypatch, capsys, tmp_path):
    seeds = []

    def run(seed):
        seeds.append(seed)
        return {"right (%)": 90.0 + seed, "error (rad)": 0.5}

    tasks = {"tiny": ScoredTask(run)}
    monkeypatch.setattr(command, "SCORED_TASKS", tasks)
    path, page = tmp_path / "scores.json", tmp_path / "page.inc"
    both = ["scores", "--json", str(path), "--resume", "--seeds"]
    command.main([*both, "1"])
    command.main([*both, "3"])
    assert seeds == [0, 1, 2]
    capsys.readouterr()
    command.main(["--show", str(path), "--rst", str(page)])
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].split()[:6] == ["tiny,", "right", "(%)", "91", "±", "0.82"]
    lines = page.read_text().splitlines()
    row = lines.index("   * - ``tiny, right (%)``")
    assert lines[row + 1] == "     - 91 ± 0.82"
    # how many seeds there are is said once, and a second column has the time
    assert lines[row + 3] == "   * - ``tiny, error (rad)``"
    assert ".. list-table:: How well tasks go, 3 seeds" in lines


def test_a_score_has_its_seed_and_time():
    score = measure_score(ScoredTask(lambda seed: {"right (%)": seed}), 3)
    assert score.seed == 3 and score.figures == {"right (%)": 3.0}
    assert score.seconds > 0
    found = by_figure([score, Score(4, {"right (%)": 5.0}, 1.0)])
    assert found["right (%)"].mean == (4, 1)


def test_page_shows_what_was_measured():
    record = Record.read(ROOT / "benchmarks" / "scores.json")
    page = (ROOT / "docs" / "score_tables.inc").read_text(encoding="utf-8")
    assert page == list_tables(record)
    assert set(record.scores) == {k for k, task in TASKS.items() if not task.downloads}
    assert all(len(runs) == 5 for runs in record.scores.values())
    about = (ROOT / "docs" / "scores.rst").read_text(encoding="utf-8")
    described = re.findall(r"^``(\w+)``(?:, ``(\w+)``)?$", about, re.MULTILINE)
    assert {name for names in described for name in names if name} == set(TASKS)
    lmu = by_figure(record.scores["mnist1d_lmu"])
    assert lmu["spikes (%)"].mean[0] > 90
