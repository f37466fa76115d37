"""What an earlier, independent run measured: figures to stand beside ours, which are not ours.

Before this library had a Transformer, one of the same kind and sizes was written in PyTorch, by itself:
bytes, a context of 128, width 96, 3 blocks of causal attention and 8 experts of width 96, 2 of them per byte,
Switch loss 0.01, 2,000 steps of 16 x 128 bytes, three seeds. It differs in more than the program. Its
gradients came from autograd. Its 9.3 MB of text are of the same kinds, from another installation and in
another mix. It held out blocks of bytes and not whole files, so that part of what it was judged on stood in
its training text too. Its learning rate was 5e-3 and fell as a cosine. Only rounded figures are left of it.
"""

from types import MappingProxyType

LAYERS = MappingProxyType({  # (lowest, highest) of three seeds in each of the three layers
    "an expert off": ((0.14, 0.17), (0.06, 0.08), (0.06, 0.09)),
    "bits about the class": ((0.39, 0.63), (0.78, 0.85), (1.04, 1.11)),
    "bits, classes shuffled": ((0.06, 0.21),) * 3,
    "correlation of use and harm": ((0.5, 0.6), (0.7, 0.7), (0.6, 0.8)),
    "classes hit most by their commonest expert": ((2, 4), (5, 6), (3, 5)),
    "harm on bytes that did not use it": ((0.33, 0.33), (0.15, 0.19), (0, 0)),
    "the byte itself tells": ((0.91, 0.98), (0.70, 0.81), (0.52, 0.57)),
    "the byte before adds": ((0.01, 0.04), (0.08, 0.17), (0.22, 0.24)),
    "the place in the word adds": ((0, 0), (0.01, 0.03), (0.07, 0.09)),
})
AT_K = MappingProxyType({1: (0.03, 0.05), 3: (0.002, 0.005), 4: (0.005, 0.012), 8: (0.020, 0.036)})
GAIN = (0.21, 0.23)        # nats per byte better than the byte model of the course, three seeds
UNBALANCED = (2.6, 2.8)  # times its fair share, the busiest expert of the last layer without balancing
AFTER_EQUAL_TIME = MappingProxyType({  # held-out losses, three minutes of training, by seed
    "experts": (1.231, 1.247, 1.237), "upcycled": (1.269, 1.268, 1.268), "dense": (1.287, 1.289, 1.286)})
# of its strongest cases: class, layer, share that uses the expert, harm without it, error of that
VITAL = ("digit", 1, 0.0, 0.80, 0.03)    # of one run of 11,400 steps
SPARE = ("space", 3, 0.49, 0.005, None)  # of one seed of three
