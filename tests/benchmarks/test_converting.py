"""The benchmark of conversions, with figures that say nothing about speed."""

import re

import keras

from nengo_dl.benchmarks import converting
from nengo_dl.benchmarks.__main__ import main


def test_models_are_those_that_are_promised():
    assert len(converting.fifty_layers().layers) == 50
    assert 5e6 < converting.fifty_layers().count_params() < 5.1e6
    assert converting.three_convolutions().output_shape == (None, 10)


def test_a_small_model(monkeypatch, capsys):
    def small():
        return keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                keras.layers.Conv2D(2, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )

    monkeypatch.setattr(converting, "MODELS", {"small": small})
    main(["converting", "--minibatch-size", "2", "--repetitions", "1"])
    head, line = capsys.readouterr().out.splitlines()
    assert head.startswith("model") and re.match(r"small +47 ", line)
    *times, difference = map(float, line.split()[2:])
    assert len(times) == 6 and min(times[1:]) > 0
    assert difference < 1e-5
