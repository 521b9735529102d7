"""Train spiking neurons on handwritten digits in snnTorch; prints JSON.

The task is ``digits_surrogate`` of ``python -m nengo_dl.benchmarks``, with the same
images for training and for the test, sizes, time steps, epochs, minibatches, optimizer,
loss and filter on the output, and with an arctangent for the derivative of spikes in
both. The neurons are snnTorch's leaky units.
"""

import argparse
import json
import math
import statistics
import time

import numpy as np
import snntorch
import torch
from sklearn.datasets import load_digits

HIDDEN, N_STEPS, N_EPOCHS, MINIBATCH_SIZE = 128, 25, 30, 50
#: images for training and for the test
N_TRAIN, N_TEST = 1350, 400
#: time constants (s) of the membrane and of the filter on the output
TAU_RC, TAU_OUT, DT = 0.02, 0.01, 0.001


class Classifier(torch.nn.Module):
    """Layers of 64, 128 and 10 units, with spikes in the middle."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(64, HIDDEN)
        self.neurons = snntorch.Leaky(beta=math.exp(-DT / TAU_RC))
        self.last = torch.nn.Linear(HIDDEN, 10, bias=False)
        self.keep = math.exp(-DT / TAU_OUT)

    def forward(self, x):
        """Return the filtered output of the last time step, shape (batch, 10)."""
        current = self.first(x)  # an image is the same in all steps
        membrane = self.neurons.reset_mem()
        filtered = torch.zeros(len(x), 10)
        for _ in range(N_STEPS):
            spikes, membrane = self.neurons(current, membrane)
            filtered = self.keep * filtered + (1 - self.keep) * self.last(spikes)
        return filtered


def accuracy(seed):
    """Return the share of test images that are recognised."""
    torch.manual_seed(seed)
    images, labels = load_digits(return_X_y=True)
    order = np.random.RandomState(seed).permutation(len(images))
    images = torch.tensor(images[order] / 16, dtype=torch.float32)
    labels = torch.tensor(labels[order])
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(N_EPOCHS):
        for chosen in torch.randperm(N_TRAIN).split(MINIBATCH_SIZE):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(
                model(images[chosen]), labels[chosen]
            )
            loss.backward()
            optimizer.step()
    test = slice(N_TRAIN, N_TRAIN + N_TEST)
    with torch.no_grad():
        answers = model(images[test]).argmax(-1)
    return float((answers == labels[test]).float().mean())


def main():
    """Print the accuracy of each seed, their mean and spread, and the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    start = time.perf_counter()
    found = [100 * accuracy(seed) for seed in range(parser.parse_args().seeds)]
    seconds = (time.perf_counter() - start) / len(found)
    versions = {"snntorch": snntorch.__version__, "torch": torch.__version__}
    result = {
        "accuracy (%)": found,
        "mean": statistics.mean(found),
        "standard deviation": statistics.pstdev(found),
        "seconds for a seed": seconds,
        "versions": versions,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
