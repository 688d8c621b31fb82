"""The catalogue of known causes: each recognises its trace, and is named only where patching one side proves it."""

from parity.checking.causes.between import explain_between
from parity.checking.causes.dropout import without_dropout
from parity.checking.causes.functions import explain_loss, explain_optimizer
from parity.checking.causes.layers import explain_layer
from parity.checking.causes.weights import explain_held, explain_weights

__all__ = [
    "explain_between",
    "explain_held",
    "explain_layer",
    "explain_loss",
    "explain_optimizer",
    "explain_weights",
    "without_dropout",
]
