"""Copies of a torch model with another configuration; the user's own is never written to."""

import copy

from torch import nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def without_dropout(model: nn.Module) -> tuple[nn.Module, dict[str, float]]:
    """A copy without the dropout that is on.

    Args:
        model: The module, in the mode that it is in.

    Returns:
        (the copy, the rate of each dropout that was on by the path of its module).
    """
    copied = copy.deepcopy(model)
    found: dict[str, float] = {}
    for path, module in list(copied.named_modules()):
        if isinstance(module, DROPOUTS) and module.training and module.p > 0.0:
            found[path] = module.p
            parent = copied.get_submodule(path.rpartition(".")[0])
            setattr(parent, path.rpartition(".")[2], nn.Identity())
        elif isinstance(module, (nn.MultiheadAttention, nn.RNNBase)) and module.training and module.dropout > 0.0:
            found[path] = module.dropout
            module.dropout = 0.0
    return copied, found
