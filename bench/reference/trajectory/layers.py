"""Which layers a file of weights has, and what stands in for those that it lacks."""

import re

# For files that end with conv3_4: the layers of a term in their order, none twice.
NEAREST = {"4_1": "3_3", "4_2": "3_4", "5_1": "3_4", "5_2": "3_4"}


def convolutions(names):
    """(block, index) of every convolution, in order, from names such as conv3_4.weight."""
    found = [re.fullmatch(r"conv(\d)_(\d)\.weight", name) for name in names]
    return sorted((int(m[1]), int(m[2])) for m in found if m)
