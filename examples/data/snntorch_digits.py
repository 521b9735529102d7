"""Train a spiking classifier of digits in snnTorch, and write it as a graph of NIR.

This is how ``snntorch_digits.nir`` and ``snntorch_digits.npz`` came about, which the
notebook about snnTorch reads; it needs what ``tox -e nir`` installs, and scikit-learn:

    python examples/data/snntorch_digits.py
"""

from pathlib import Path

import nir
import numpy as np
import snntorch
import torch
from sklearn.datasets import load_digits
from snntorch.export_nir import export_to_nir
from snntorch.utils import reset

FOLDER = Path(__file__).parent
N_STEPS, N_TEST, DECAY = 25, 397, 0.9


def neurons(n):
    """Return leaky neurons that start again at 0 when they have fired."""
    return snntorch.Leaky(
        torch.full((n,), DECAY),
        threshold=torch.ones(n),
        init_hidden=True,
        reset_mechanism="zero",
        reset_delay=False,
    )


def spike_counts(model, images):
    """Return how often each output fires while images are presented."""
    reset(model)
    return sum(model(images) for _ in range(N_STEPS))


def main():
    """Train, write the graph, and what snnTorch makes of images for testing."""
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(images))
    images = torch.tensor(images[order] / 16, dtype=torch.float32)
    labels = torch.tensor(labels[order])
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 40), neurons(40), torch.nn.Linear(40, 10), neurons(10)
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    n_train = len(images) - N_TEST
    for _ in range(30):
        for batch in torch.randperm(n_train).split(50):
            rates = spike_counts(model, images[batch]) / N_STEPS
            loss = torch.nn.functional.cross_entropy(10 * rates, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        counts = spike_counts(model, images[n_train:]).numpy().astype(np.int8)
    right = np.mean(counts.argmax(axis=1) == labels[n_train:].numpy())
    print(f"{right:.1%} right in snnTorch")
    graph = export_to_nir(model, torch.zeros(1, 64), ignore_dims=[0])
    nir.write(FOLDER / "snntorch_digits.nir", graph)
    np.savez_compressed(FOLDER / "snntorch_digits.npz", counts=counts)


if __name__ == "__main__":
    main()
