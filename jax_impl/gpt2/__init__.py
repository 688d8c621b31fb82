"""GPT-2: a stack of blocks that read what came before and write to a shared stream, trained to tell the next token.

Parameters have the names of the published files and torch's layouts; `from_published` turns such a file. A training
state is a dict: "params", "exp_avg" and "exp_avg_sq" under their names, and "step", how many there have been.
"""

from jax_impl.gpt2.model import GPT2, MLP, Attention, Block, from_published, parameter_count
from jax_impl.gpt2.training import initial_state, logits, loss, train

__all__ = [
    "Attention",
    "MLP",
    "Block",
    "GPT2",
    "from_published",
    "parameter_count",
    "logits",
    "loss",
    "initial_state",
    "train",
]
