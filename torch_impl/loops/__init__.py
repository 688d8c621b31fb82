"""Training loops at the limit: the spiral, Nielsen's network and LeNet at full speed, and many at once.

Each does what the readable loop of its own pair does, update for update: `spiral.train`, `network.train_epochs` and
`classifier.train`. `parity bench training` times them beside those.
"""

from torch_impl.loops.lenet import train_lenet
from torch_impl.loops.network import train_network
from torch_impl.loops.seeds import train_seeds
from torch_impl.loops.spiral import train_spiral

__all__ = ["train_spiral", "train_network", "train_lenet", "train_seeds"]
