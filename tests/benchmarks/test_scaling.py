"""The benchmark of several processes, with figures that say nothing about speed."""

import argparse
import re

import pytest
import tensorflow as tf

from nengo_dl.benchmarks import scaling
from nengo_dl.benchmarks.__main__ import main

SMALL = {"minibatch_size": 4, "n_steps": 3, "minibatches": 1, "repetitions": 1}


def test_what_a_process_measures(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(scaling, "_ARRAYS", (100, 3))
    options = argparse.Namespace(**SMALL)
    assert min(scaling._measured(options).values()) > 0
    found = scaling._reductions(options, tf.distribute.MirroredStrategy(["cpu:0"]))
    assert found["ratio"] == found["packed"] / found["bare"] > 0


def test_ratios_are_those_of_the_figures(monkeypatch, capsys):
    measured = {
        1: {"items": 100.0, "processor": 0.02},
        2: {
            "items": 180.0,
            "processor": 0.011,
            "packed": 0.003,
            "bare": 0.002,
            "ratio": 1.5,
        },
    }
    monkeypatch.setattr(scaling, "_run", lambda count, arguments: measured[count])
    main(["scaling", "--minibatch-size", "64"])
    text = capsys.readouterr().out
    assert re.findall(r"^ratio: +([\d.]+)$", text, re.M) == ["1.80", "1.50"]
    times = re.findall(r"^processor .* of (\d) .*: +([\d.]+)$", text, re.M)
    assert times == [("1", "1280.0"), ("2", "704.0")]


@pytest.mark.everything
def test_two_processes(capsys):
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    main(["scaling", *arguments])
    assert len(re.findall(r"^ratio: +[\d.]+$", capsys.readouterr().out, re.M)) == 2
