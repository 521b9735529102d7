"""The page ``docs/tensor_nodes.rst``: its code runs, and does what it says."""

import re
import textwrap
from pathlib import Path

import keras
import numpy as np

PAGE = Path(__file__).parents[1] / "docs" / "tensor_nodes.rst"


def test_code_of_the_page():
    keras.utils.set_random_seed(0)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", text)
    assert len(blocks) == text.count("code-block:: python") == 4
    found = {}
    first, layers, weights, regularizers = (
        compile(textwrap.dedent(block), PAGE, "exec") for block in blocks
    )
    exec(first, found)
    assert found["sim"].data[found["probe"]].shape == (100, 10)
    exec(layers, found)
    assert found["x"].shape_out == (10,)
    exec(weights, found)
    assert np.all(found["sim"].data[found["probe"]] < [[1, 2]])
    np.testing.assert_array_equal(found["matrix"], np.eye(2))
    exec(regularizers, found)
    assert found["found"]["loss"] > found["found"]["probe_loss"] + 0.01
