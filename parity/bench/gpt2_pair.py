"""GPT-2 on both sides, as two people wrote it, and the map of its weights as its author would write it down.

Not the pair `gpt2`, whose two sides share names and layouts and load from one state: what is measured here is the check
of a port of Flax's own layers, with names of its own, and query, key and value apart.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Size:
    """The models' size but for their depth.

    Attributes:
        width, heads, length: GPT-2's smallest model, and a sequence of 128 tokens.
        vocabulary: GPT-2 has 50257; with 8192 the blocks are what is measured, not the one embedding.
    """

    width: int = 768
    heads: int = 12
    length: int = 128
    vocabulary: int = 8192


def both(layers: int, size: Size) -> tuple[Any, Any, np.ndarray]:
    """(the torch model, the JAX model, tokens of shape (1, length)); each with weights of its own."""
    import torch

    from parity.bench import gpt2_jax, gpt2_torch
    from parity.sides import jax_backend

    jax_backend.start()
    from flax import nnx

    torch.manual_seed(0)
    jax_model = gpt2_jax.GPT2(layers, **asdict(size), rngs=nnx.Rngs(0))
    tokens = np.random.default_rng(0).integers(0, size.vocabulary, (1, size.length))
    return gpt2_torch.GPT2(layers, **asdict(size)), jax_model, tokens


def weight_map(torch_model: Any, jax_model: Any) -> Any:
    """The map of the two models as their author would write it down."""
    from parity.convert import Layout, Rule, WeightMap, leaves

    named = dict(leaves.jax_leaves(jax_model))
    paths = {leaves.dotted(path): path for path in named}
    shapes = {leaves.dotted(path): tuple(np.shape(leaf)) for path, leaf in named.items()}
    turned = Layout.parse("o i -> i o")
    rules = [rule_of("wte.weight", "tokens.embedding", 2), rule_of("wpe.weight", "positions.embedding", 2)]
    width = torch_model.wte.weight.shape[1]
    for layer in range(len(torch_model.h)):
        torch, jax = f"h.{layer}", f"blocks.{layer}"
        for one, other in (("ln_1", "attention_norm"), ("ln_2", "mlp_norm")):
            rules.append(rule_of(f"{torch}.{one}.weight", f"{jax}.{other}.scale", 1))
            rules.append(rule_of(f"{torch}.{one}.bias", f"{jax}.{other}.bias", 1))
        parts = [(f"[{k * width}:{(k + 1) * width}]", name) for k, name in enumerate(("query", "key", "value"))]
        linears = [("c_attn", part, name) for part, name in parts]
        linears += [(one, "", other) for one, other in (("c_proj", "out"), ("c_fc", "up"), ("c_out", "down"))]
        for one, part, other in linears:
            rules.append(Rule(f"{torch}.{one}.weight{part}", f"{jax}.{other}.kernel", turned))
            rules.append(rule_of(f"{torch}.{one}.bias{part}", f"{jax}.{other}.bias", 1))
    rules += [rule_of("ln_f.weight", "norm.scale", 1), rule_of("ln_f.bias", "norm.bias", 1)]
    torch_shapes = {n: tuple(t.shape) for n, t in torch_model.state_dict().items() if n != "lm_head.weight"}
    return WeightMap(tuple(rules), torch_shapes, shapes, paths, aliases={"lm_head.weight": "wte.weight"})


def rule_of(torch: str, jax: str, axes: int) -> Any:
    """A rule for a leaf that lies alike on both sides."""
    from parity.convert import Layout, Rule

    letters = " ".join("abcd"[:axes])
    return Rule(torch, jax, Layout.parse(f"{letters} -> {letters}"))
