"""Stochastic gradient descent: the rule by hand, then the framework's own optimizer, to the same answer.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1; PyTorch, Neural Networks (60 minute blitz) and
    torch.optim.SGD.
"""

from torch_impl.sgd.minibatches import cost, minibatch_step, minibatches, updates_per_epoch
from torch_impl.sgd.rule import initial_state, sgd_step, slots
from torch_impl.sgd.training import train, train_in_place, train_with_optimizer

__all__ = [
    "cost",
    "updates_per_epoch",
    "minibatches",
    "minibatch_step",
    "initial_state",
    "slots",
    "sgd_step",
    "train",
    "train_in_place",
    "train_with_optimizer",
]
