"""Learn online with PES: each item of a minibatch learns a function of its own.

    python examples/pes_minibatches.py

prints how far the output of each item is from what it was taught.
"""

import nengo_dl

import nengo
import numpy as np

FUNCTIONS = {"x": lambda x: x, "-x": lambda x: -x, "x²": np.square, "|x|": np.abs}
LEARN, TEST = 20_000, 4_000  # time steps of 1 ms

with nengo.Network(seed=0) as net:
    stimulus, teacher, stop = nengo.Node([0]), nengo.Node([0]), nengo.Node([0])
    pre = nengo.Ensemble(100, 1)
    post = nengo.Node(size_in=1)
    error = nengo.Ensemble(100, 1, radius=2)

    nengo.Connection(stimulus, pre)
    learned = nengo.Connection(
        pre,
        post,
        function=lambda x: [0],  # it says nothing before it has learned
        learning_rule_type=nengo.PES(learning_rate=3e-4),
    )
    nengo.Connection(post, error)
    nengo.Connection(teacher, error, transform=-1)
    nengo.Connection(error, learned.learning_rule)
    # neurons that are inhibited represent no error, and learning stops
    nengo.Connection(stop, error.neurons, transform=np.full((100, 1), -5))
    output = nengo.Probe(post, synapse=0.02)

# random numbers for 50 ms each to learn from, then all numbers in turn as a test
random = np.random.RandomState(0).uniform(-1, 1, size=LEARN // 50).repeat(50)
signal = np.concatenate([random, np.linspace(-1, 1, TEST)])
wanted = np.stack([function(signal) for function in FUNCTIONS.values()])[..., None]
stopped = (np.arange(LEARN + TEST) >= LEARN).astype(float)


def for_all(values):
    """Return the same values for each item, shape (items, time steps, 1)."""
    return np.tile(values[None, :, None], (len(FUNCTIONS), 1, 1))


with nengo_dl.Simulator(net, minibatch_size=len(FUNCTIONS)) as sim:
    sim.run_steps(
        LEARN + TEST,
        data={stimulus: for_all(signal), teacher: wanted, stop: for_all(stopped)},
    )
    print("decoders (items, outputs, neurons):", sim.data[learned].weights.shape)

# the first 0.1 s of the test still shows what was before it
deviation = (sim.data[output] - wanted)[:, LEARN + 100 :]
errors = np.sqrt(np.mean(deviation**2, axis=(1, 2)))
for name, value in zip(FUNCTIONS, errors, strict=True):
    print(f"{name:4} error {value:.3f}")
assert errors.max() < 0.2
