"""Models of either side whose states are saved and loaded, and every bit of what they hold."""

import numpy as np

from parity.cases.lenet import mlp_state

SIZES = (3, 4, 2)


def arrays(pair, state):
    return {name: pair.array(value) for name, value in state.items()}


def bits(pair, array):
    """The bytes of an array of any dtype, and its dtype's and shape's names."""
    if pair.name == "torch":
        import torch

        whole = array.detach().contiguous()
        content = bytes(whole.reshape(-1).view(torch.uint8).tolist())
    else:
        content = np.asarray(array).tobytes()
    return str(array.dtype).removeprefix("torch."), tuple(array.shape), content


def contents(pair, model):
    return {name: bits(pair, value) for name, value in pair.module("checkpoint").state_dict(model).items()}


def mlp(pair, seed=0, sizes=SIZES):
    return pair.module("lenet").MLP.from_state(arrays(pair, mlp_state(np.random.default_rng(seed), *sizes)))


def several_kinds(pair):
    """A model of every kind of layer that both frameworks have, nested, listed, shared, with a weight of its own."""
    if pair.name == "torch":
        import torch
        from torch import nn

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Conv1d(2, 3, 5, dtype=torch.float64)
                self.blocks = nn.ModuleList(
                    nn.Sequential(nn.Conv2d(4, 6, (1, 3), groups=2), nn.BatchNorm2d(6)) for _ in range(2)
                )
                self.embedding = nn.Embedding(7, 4)
                self.norm = nn.LayerNorm(4)
                self.groups = nn.GroupNorm(2, 6)
                self.head = nn.Linear(4, 4, bias=False)
                self.shared = self.head
                self.scale = nn.Parameter(torch.arange(3.0))

        return Model()
    import jax
    import jax.numpy as jnp
    from flax import nnx

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.stem = nnx.Conv(2, 3, 5, param_dtype=jnp.float64, rngs=rngs)
            self.blocks = nnx.List(
                nnx.Sequential(nnx.Conv(4, 6, (1, 3), feature_group_count=2, rngs=rngs), nnx.BatchNorm(6, rngs=rngs))
                for _ in range(2)
            )
            self.embedding = nnx.Embed(7, 4, rngs=rngs)
            self.norm = nnx.LayerNorm(4, rngs=rngs)
            self.groups = nnx.GroupNorm(6, num_groups=2, rngs=rngs)
            self.head = nnx.Linear(4, 4, use_bias=False, rngs=rngs)
            self.shared = self.head
            self.scale = nnx.Param(jnp.arange(3, dtype=jnp.float32))
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

    return Model(nnx.Rngs(jax.random.key(0, impl="rbg")))  # the generator that compiles fastest


NORMED = {"weight": (6,), "bias": (6,), "running_mean": (6,), "running_var": (6,)}
EVERY_KIND = {
    "stem.weight": (3, 2, 5),
    "stem.bias": (3,),
    **{f"blocks.{i}.0.weight": (6, 2, 1, 3) for i in range(2)},
    **{f"blocks.{i}.0.bias": (6,) for i in range(2)},
    **{f"blocks.{i}.1.{name}": shape for i in range(2) for name, shape in NORMED.items()},
    "embedding.weight": (7, 4),
    "norm.weight": (4,),
    "norm.bias": (4,),
    "groups.weight": (6,),
    "groups.bias": (6,),
    "head.weight": (4, 4),
    "shared.weight": (4, 4),
    "scale": (3,),
}


def narrowed(pair, model, dtype):
    """The model, its parameters in another dtype."""
    state = pair.module("checkpoint").state_dict(model)
    if pair.name == "torch":
        import torch

        state = {name: value.to(getattr(torch, dtype)) for name, value in state.items()}
    else:
        state = {name: value.astype(dtype) for name, value in state.items()}
    pair.module("checkpoint").load_state_dict(model, state)
    return model
