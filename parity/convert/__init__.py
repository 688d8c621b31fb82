"""From torch to JAX and back: weights, optimizers, schedules, runs. A framework is imported by what needs it."""

from parity.convert import optim as optim
