"""Time a step of optimization in snnTorch; prints JSON."""

import argparse
import json
import math
import statistics
import time

import snntorch
import torch

SIZE_IN, HIDDEN, SIZE_OUT = 784, 128, 10
N_STEPS, MINIBATCH_SIZE, N_MINIBATCHES = 100, 50, 20
#: time constants (s) of the membrane and of the filter on the output
TAU_RC, TAU_OUT, DT = 0.02, 0.1, 0.001


class Classifier(torch.nn.Module):
    """Layers of 784, 128 and 10 units, with spikes in the middle.

    Parameters
    ----------
    at_once : bool
        Whether layers without memory see all time steps at once.
    """

    def __init__(self, at_once):
        super().__init__()
        self.at_once = at_once
        self.first = torch.nn.Linear(SIZE_IN, HIDDEN)
        self.neurons = snntorch.Leaky(beta=math.exp(-DT / TAU_RC))
        self.last = torch.nn.Linear(HIDDEN, SIZE_OUT, bias=False)
        self.keep = math.exp(-DT / TAU_OUT)

    def forward(self, x):
        """Return the filtered output, shape (batch, steps, 10)."""
        # `unbind` has a cheap derivative: that of ``x[:, i]`` is as large as x
        inputs = (self.first(x) if self.at_once else x).unbind(1)
        membrane = self.neurons.reset_mem()
        filtered = torch.zeros(len(x), SIZE_OUT)
        spikes, outputs = [], []
        for row in inputs:
            now = row if self.at_once else self.first(row)
            spike, membrane = self.neurons(now, membrane)
            spikes.append(spike)
        for row in self.last(torch.stack(spikes, 1)).unbind(1):
            filtered = self.keep * filtered + (1 - self.keep) * row
            outputs.append(filtered)
        return torch.stack(outputs, 1)


def milliseconds(at_once, repetitions):
    """Return the median time of a step over some epochs (ms)."""
    torch.manual_seed(0)
    n_items = MINIBATCH_SIZE * N_MINIBATCHES
    x = torch.rand(n_items, N_STEPS, SIZE_IN)
    y = torch.rand(n_items, N_STEPS, SIZE_OUT)
    model = Classifier(at_once)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def epoch():
        for chosen in torch.randperm(n_items).split(MINIBATCH_SIZE):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()

    epoch()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times) / N_MINIBATCHES


def main():
    """Print the times of both forms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    found = {
        "all steps at once": milliseconds(True, repetitions),
        "step by step": milliseconds(False, repetitions),
    }
    versions = {"snntorch": snntorch.__version__, "torch": torch.__version__}
    threads = torch.get_num_threads()
    print(json.dumps({"milliseconds": found, "versions": versions, "threads": threads}))


if __name__ == "__main__":
    main()
