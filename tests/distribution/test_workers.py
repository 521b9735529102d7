"""Two processes on this machine train as one does, also if one of them is killed."""

import os
import signal
import time

import numpy as np
import pytest

from tests.distribution.launcher import Workers

rare = pytest.mark.everything

#: in a step; in a graph of truncated training there are two steps, each of which hands
#: on numbers and whole numbers
COLLECTIVES = {
    "train": 1,
    "train, all items": 2,
    "train, truncated": 4,
    "loss": 1,
    "fit": 1,
}


@pytest.mark.parametrize(
    "kinds, dtype, jit, calls",
    [
        pytest.param("recurrent", "float64", False, ["briefly"], marks=rare),
        pytest.param(
            "recurrent,forward", "float64", True, ["trained", "measured"], marks=rare
        ),
        pytest.param(
            "convolutional,spiking",
            "float32",
            False,
            ["trained", "measured"],
            marks=rare,
        ),
    ],
)
def test_results_are_those_of_one_process(tmp_path, kinds, dtype, jit, calls):
    # what is trained in 64 bits is compared by the next test, too
    limit = 1e-10 if dtype == "float64" else 1e-5
    with Workers(tmp_path, "compare", kinds, dtype, jit, *calls) as workers:
        for found in workers.results():
            assert len(found) > 2
            assert {n: v for n, v in found.items() if not v < limit} == {}


def test_each_process_reads_its_rows_and_its_files_only(tmp_path):
    with Workers(tmp_path, "reading") as workers:
        first, second = workers.results()
    for found in (first, second):
        # two arrays of 16 items, two calls, two epochs; then inputs, and both arrays
        # once more, targets as a whole
        assert found["arrays"]["read"] == {"divided": [64, 32], "alone": [128, 48]}
        for kind in ("arrays", "files"):
            assert max(found[kind]["differences"].values()) < 1e-10, kind
    read = [set(found["files"]["read"]) for found in (first, second)]
    assert len(read[0]) == len(read[1]) == 8  # items of an epoch
    assert not read[0] & read[1]


def test_processes_exchange_once_in_a_step_what_others_need(tmp_path):
    with Workers(tmp_path, "exchanging") as workers:
        for found in workers.results():
            assert found["collectives"] == COLLECTIVES
            # in the rows that this process looks at, and in those of the other
            assert found["bad"] == {"0": True, "-1": True}
            # a dataset that the user has divided, with AutoShardPolicy.OFF
            assert max(found["own"].values()) < 1e-10


def test_callbacks_that_not_all_processes_run(tmp_path):
    # processes that run different minibatches in a call wait for each other forever
    with Workers(tmp_path, "of_callbacks") as workers:
        first, second = workers.results()
    assert first["seen"] == [0, 1, 2, 3] * 2 and second["seen"] == []
    assert all(first["written"])
    assert first["losses"] == second["losses"]


def test_a_callback_of_one_process_stops_all_of_them(tmp_path):
    with Workers(tmp_path, "of_stops") as workers:
        first, second = workers.results()
    assert first == second
    del first["params"]
    # four minibatches in an epoch, the second of which is the last
    assert first == {
        "epoch": [8, 2],
        "batch": [2, 1],
        "stream": [2, 1],
        "keras, epoch": [8, 2],
        "keras, batch": [2, 1],
        "evaluate": 2,
        "keras, evaluate": 2,
    }


def test_an_error_of_one_process_ends_the_work_of_all(tmp_path):
    with Workers(tmp_path, "of_errors") as workers:
        first, second = workers.results()
    # all are where they meet, and can go on
    assert first.pop("loss") == second.pop("loss")
    assert set(first.values()) == {"KeyError: 'own'"}
    for name, error in second.items():
        own = "KeyError" if name.endswith("True") else "LostWorkerError: An error"
        assert error.startswith(own), name
    assert len(second) == 28


def test_weights_are_read_when_they_are_complete(tmp_path):
    with Workers(tmp_path, "of_weights") as workers:
        first, second = workers.results()
    assert first["differences"] == second["differences"] == [0, 0, 0]
    assert first["refused"] == ["OSError"]
    assert second["refused"] == ["SimulationError"]


@rare
@pytest.mark.parametrize("way", ["train", "fit"])
@pytest.mark.parametrize("killed", [0, 1])
def test_training_goes_on_after_a_worker_was_killed(tmp_path, way, killed):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    with Workers(undisturbed, "resume", way, 0) as workers:
        expected, other = (np.array(own["params"]) for own in workers.results())
    assert np.array_equal(expected, other)
    with Workers(disturbed, "resume", way, 0.2) as workers:
        workers.wait_for("EPOCH 2", killed)
        os.kill(workers.processes[killed].pid, signal.SIGKILL)
        start = time.monotonic()
        code = workers.processes[1 - killed].wait(60)
        assert time.monotonic() - start < 60
        assert code != 0
        assert "Another process of the strategy has ended" in workers.text(1 - killed)
    with Workers(disturbed, "resume", way, 0) as workers:
        first, second = (np.array(own["params"]) for own in workers.results())
        assert "EPOCH 0" not in workers.text(0)
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-12)
