"""Small torch models and NNX twins of them, written as two people would, and the map of their weights by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch import nn

from parity.convert import Layout, Rule, WeightMap
from parity.convert.leaves import dotted, jax_leaves

LAYOUTS = {
    ("kernel", 2): "o i -> i o",
    ("kernel", 3): "o i k -> k i o",
    ("kernel", 4): "o i h w -> h w i o",
}
LEAVES = {"running_mean": "mean", "running_var": "var"}


def by_hand(model: nn.Module, twin: Any, pairs: dict[str, str], *more: Rule) -> WeightMap:
    """The map of modules whose leaves have their usual names, and further rules."""
    rules = list(more)
    tensors = dict(model.state_dict())
    leaves = {dotted(p): (p, np.shape(a)) for p, a in jax_leaves(twin)}
    for torch_path, jax_path in pairs.items():
        module = model.get_submodule(torch_path)
        for name, tensor in module.state_dict().items():
            if name == "num_batches_tracked":
                continue
            norm = tensor.dim() == 1 and name == "weight"
            leaf = LEAVES.get(name, "bias" if name == "bias" else "scale" if norm else "kernel")
            if isinstance(module, nn.Embedding):
                leaf = "embedding"
            layout = LAYOUTS.get(
                (leaf, tensor.dim()), " ".join("abcd"[: tensor.dim()]) + " -> " + " ".join("abcd"[: tensor.dim()])
            )
            rules.append(Rule(f"{torch_path}.{name}", f"{jax_path}.{leaf}", Layout.parse(layout)))
    names = {p.partition("[")[0] for r in rules for p in (r.torch, r.plus) if p}
    places = {r.jax.partition("[")[0] for r in rules}
    return WeightMap(
        tuple(rules),
        {n: tuple(tensors[n].shape) for n in sorted(names)},
        {n: leaves[n][1] for n in sorted(places)},
        {n: leaves[n][0] for n in sorted(places)},
    )


WIDTH, HEADS = 8, 2


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        n, length, _ = x.shape
        q, k, v = (t.view(n, length, HEADS, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        scores = scores.masked_fill(~keep[:, None, None, :], -torch.inf)
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, WIDTH))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.attn, self.ln2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
        self.fc1, self.act, self.fc2 = nn.Linear(WIDTH, 12), nn.GELU(), nn.Linear(12, WIDTH)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln1(x), keep)
        return x + self.fc2(self.act(self.fc1(self.ln2(x))))


class Encoder(nn.Module):
    """Two pre-norm blocks between two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block in self.blocks:
            x = block(x, keep)
        return self.head(x)


class JaxBlock(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, fault: str) -> None:
        self.fault = fault
        eps = 1e-6 if fault in ("eps", "eps and more") else 1e-5
        norm = Shifted if fault == "eps and more" else nnx.LayerNorm
        self.norm1 = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)
        self.norm2 = norm(WIDTH, epsilon=eps, rngs=rngs)
        self.query, self.key, self.value, self.out = (nnx.Linear(WIDTH, WIDTH, rngs=rngs) for _ in range(4))
        self.up = nnx.Linear(WIDTH, 12, rngs=rngs)
        self.down = nnx.Linear(12, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array, keep: jax.Array) -> jax.Array:
        a = self.norm1(x)
        head = WIDTH // HEADS

        def apart(t: jax.Array) -> jax.Array:
            return t.reshape(*t.shape[:2], HEADS, head).swapaxes(1, 2)

        # The order of calls is not torch's, and need not be.
        v, k, q = (apart(f(a)) for f in (self.value, self.key, self.query))
        if self.fault == "qkv order":
            q, k = k, q
        scores = q @ k.swapaxes(-1, -2) / (head if self.fault == "scale and more" else head**0.5)
        if self.fault == "scale and more":
            scores = scores + 0.1 * jnp.arange(scores.shape[-1])
        if self.fault == "causal":
            scores = jnp.where(jnp.tri(scores.shape[-1], dtype=bool), scores, -jnp.inf)
        if self.fault == "mask inverted":
            keep = ~keep
        if self.fault != "mask missing":
            scores = jnp.where(keep[:, None, None, :], scores, -jnp.inf)
        mixed = (nnx.softmax(scores) @ v).swapaxes(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        h = self.up(self.norm2(x))
        h = {
            "gelu": lambda h: nnx.gelu(h, approximate=True),
            "gelu and more": lambda h: nnx.gelu(h, approximate=True) + 1e-6,
        }.get(self.fault, lambda h: nnx.gelu(h, approximate=False))(h)
        return x + self.down(h)


class Shifted(nnx.LayerNorm):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x) + 1e-4


class JaxEncoder(nnx.Module):
    """The same; the fault is in the second block, or in both."""

    def __init__(self, fault: str = "", second: str | None = None) -> None:
        rngs = nnx.Rngs(0)
        self.inp = nnx.Linear(5, WIDTH, rngs=rngs)
        self.layers = nnx.List([JaxBlock(rngs, fault if second else ""), JaxBlock(rngs, second or fault)])
        self.out = nnx.Linear(WIDTH, 3, rngs=rngs)

    def __call__(self, x: jax.Array, keep: jax.Array) -> jax.Array:
        x = self.inp(x)
        for block in self.layers:
            x = block(x, keep)
        return self.out(x)


def encoder_map(model: nn.Module, twin: Any) -> WeightMap:
    pairs = {"embed": "inp", "head": "out"}
    rules = []
    for i in range(2):
        names = {"ln1": "norm1", "ln2": "norm2", "attn.proj": "out", "fc1": "up", "fc2": "down"}
        pairs |= {f"blocks.{i}.{a}": f"layers.{i}.{b}" for a, b in names.items()}
        for place, name in enumerate(("query", "key", "value")):
            part = f"[{place * WIDTH}:{(place + 1) * WIDTH}]"
            for leaf, own, layout in (("weight", "kernel", "o i -> i o"), ("bias", "bias", "a -> a")):
                rules.append(
                    Rule(f"blocks.{i}.attn.qkv.{leaf}{part}", f"layers.{i}.{name}.{own}", Layout.parse(layout))
                )
    return by_hand(model, twin, pairs, *rules)


def encoder_inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    keep = np.array([[True, True, True, False], [True, True, False, True]])
    return rng.normal(size=(2, 4, 5)), keep


class Images(nn.Module):
    """Two convolutions with BatchNorm, pooling, and a linear layer after a flatten."""

    def __init__(self, act: nn.Module | None = None, pool: nn.Module | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.bn1, self.act = nn.BatchNorm2d(4), act or nn.ReLU()
        self.conv2, self.gn = nn.Conv2d(4, 4, 3, padding=1, bias=True), nn.GroupNorm(2, 4)
        self.pool = pool or nn.AvgPool2d(3, 2, padding=1)
        self.drop = nn.Dropout(dropout)
        self.fc1, self.fc2 = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.bn1(self.conv1(x)))
        x = self.pool(torch.relu(self.gn(self.conv2(x))))
        return self.fc2(self.drop(torch.tanh(self.fc1(x.flatten(1)))))


class JaxImages(nnx.Module):
    def __init__(self, fault: str = "", *, train: bool = False) -> None:
        rngs = nnx.Rngs(0)
        self.fault = fault
        self.c1 = nnx.Conv(3, 4, (3, 3), 2, padding=1, rngs=rngs)
        self.n1 = nnx.BatchNorm(
            4,
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-5,
            rngs=rngs,
        )
        self.c2 = nnx.Conv(4, 4, (3, 3), padding=1, kernel_dilation=1, rngs=rngs)
        eps = 1e-6 if fault == "group norm eps" else 1e-5
        self.n2 = nnx.GroupNorm(4, 4 if fault == "groups" else 2, epsilon=eps, rngs=rngs)
        self.l1, self.l2 = nnx.Linear(16, 16, rngs=rngs), nnx.Linear(16, 16, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.n1(self.c1(x.transpose(0, 2, 3, 1)))
        x = {"slope": lambda x: nnx.leaky_relu(x, 0.2), "leaky": nnx.leaky_relu}.get(self.fault, nnx.relu)(x)
        x = nnx.relu(self.n2(self.c2(x)))
        x = nnx.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        if self.fault != "flatten":
            x = x.transpose(0, 3, 1, 2)
        x = jnp.tanh(self.l1(x.reshape(len(x), -1)))
        return self.l2(x)


def images_map(model: nn.Module, twin: Any) -> WeightMap:
    pairs = {"conv1": "c1", "bn1": "n1", "conv2": "c2", "gn": "n2", "fc1": "l1", "fc2": "l2"}
    return by_hand(model, twin, pairs)


def images_inputs() -> tuple[np.ndarray]:
    return (np.random.default_rng(1).normal(size=(2, 3, 8, 8)),)


class Tagger(nn.Module):
    """An embedding with a padding row, an LSTM or a GRU, and a linear layer."""

    def __init__(self, cell: str = "LSTM") -> None:
        super().__init__()
        self.words = nn.Embedding(7, 4, padding_idx=0)
        self.rnn = getattr(nn, cell)(4, 3, batch_first=True)
        self.tags = nn.Linear(3, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.tags(self.rnn(self.words(tokens))[0])


class JaxTagger(nnx.Module):
    def __init__(self, cell: str = "LSTM") -> None:
        rngs = nnx.Rngs(0)
        self.table = nnx.Embed(7, 4, rngs=rngs)
        made = nnx.OptimizedLSTMCell(4, 3, rngs=rngs) if cell == "LSTM" else nnx.GRUCell(4, 3, rngs=rngs)
        self.scanned = nnx.RNN(made, rngs=rngs)
        self.out = nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        return self.out(self.scanned(self.table(tokens)))


def tagger_map(model: nn.Module, twin: Any) -> WeightMap:
    from parity.convert import Layout

    cell, rules = "scanned.cell", []
    rules.append(Rule("rnn.weight_ih_l0", f"{cell}.dense_i.kernel", Layout.parse("o i -> i o")))
    rules.append(Rule("rnn.weight_hh_l0", f"{cell}.dense_h.kernel", Layout.parse("o i -> i o")))
    if "GRU" in type(model.rnn).__name__:
        rules.append(
            Rule("rnn.bias_ih_l0[0:6]", f"{cell}.dense_i.bias[0:6]", Layout.parse("a -> a"), "rnn.bias_hh_l0[0:6]")
        )
        rules.append(
            Rule("rnn.bias_ih_l0[6:9]", f"{cell}.dense_i.bias[6:9]", Layout.parse("a -> a"), "rnn.bias_hh_l0[6:9]")
        )
    else:
        rules.append(Rule("rnn.bias_ih_l0", f"{cell}.dense_h.bias", Layout.parse("a -> a"), "rnn.bias_hh_l0"))
    return by_hand(model, twin, {"words": "table", "tags": "out"}, *rules)
