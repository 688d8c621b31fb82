"""ResNet-18: blocks of two convolutions that learn what to add to their input, with batch normalization in both modes.

Parameters and buffers have torchvision's names and layouts, so that the state of its resnet18 loads as it is. A
training state is a dict of two dicts: "model", the whole state of the net, and "momentum_buffer", of its parameters.
"""

from torch_impl.resnet.model import BasicBlock, ResNet, parameter_count
from torch_impl.resnet.training import initial_state, logits, loss, train

__all__ = ["BasicBlock", "ResNet", "parameter_count", "logits", "loss", "initial_state", "train"]
