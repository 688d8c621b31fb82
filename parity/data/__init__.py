"""Raw data, read or made with NumPy alone: the same arrays go into both sides of a pair."""

from parity.data.cifar10_batches import Cifar10, read_cifar10
from parity.data.idx import Mnist, read_idx, read_mnist
from parity.data.optical_digits import Digits, as_32x32, digits
from parity.data.orders import random_orders
from parity.data.spiral_arms import CaseStudy, case_study, spiral

__all__ = [
    "CaseStudy",
    "Cifar10",
    "Digits",
    "Mnist",
    "as_32x32",
    "case_study",
    "digits",
    "random_orders",
    "read_cifar10",
    "read_idx",
    "read_mnist",
    "spiral",
]
