"""Cases of GPT-2, tiny: its scores, its loss with dropout by given masks, a published file, fifty steps of AdamW."""

from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

STEPS, BATCH, SEQUENCES, LENGTH = 50, 3, 12, 7
WORDS, WIDTH, LAYERS, HEADS = 13, 8, 2, 2
DROPOUT = 0.1


def drawn(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A state as after some training: weights of a size that shows, norms that are not 1 and 0, biases."""
    linear = {"attn.c_attn": (3, 1), "attn.c_proj": (1, 1), "mlp.c_fc": (4, 1), "mlp.c_proj": (1, 4)}
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (WORDS, WIDTH), "wpe.weight": (LENGTH, WIDTH)}
    for layer in range(LAYERS):
        for name, (outputs, inputs) in linear.items():
            shapes[f"h.{layer}.{name}.weight"] = (outputs * WIDTH, inputs * WIDTH)
            shapes[f"h.{layer}.{name}.bias"] = (outputs * WIDTH,)
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"h.{layer}.{norm}.weight": (WIDTH,), f"h.{layer}.{norm}.bias": (WIDTH,)}
    shapes |= {"ln_f.weight": (WIDTH,), "ln_f.bias": (WIDTH,)}
    state = {name: rng.normal(scale=0.3, size=shape) for name, shape in shapes.items()}
    return {name: value + 1 if "ln_" in name and "weight" in name else value for name, value in state.items()}


def sequences(rng: np.random.Generator, *, rows: int = BATCH) -> np.ndarray:
    """Tokens that count up by a step of their own, one in ten of them another: what comes next can be learnt."""
    start, by = rng.integers(0, WORDS, size=(rows, 1)), rng.integers(1, 4, size=(rows, 1))
    tokens = (start + by * np.arange(LENGTH + 1)) % WORDS
    return np.where(rng.uniform(size=tokens.shape) < 0.1, rng.integers(0, WORDS, size=tokens.shape), tokens)


def masks(rng: np.random.Generator, *steps: int) -> Inputs:
    """Dropout's masks, True for what stays, of the embeddings and of each block."""

    def draw(*shape: int) -> np.ndarray:
        return rng.uniform(size=(*steps, BATCH, *shape)) >= DROPOUT

    stream = (LENGTH, WIDTH)
    blocks = [
        {"attn": draw(HEADS, LENGTH, LENGTH), "resid": draw(*stream), "mlp": draw(*stream)} for _ in range(LAYERS)
    ]
    return {"drop": draw(*stream), "h": blocks}


def training(rng: np.random.Generator) -> Inputs:
    """A dozen sequences, read a dozen times over, from weights of the source's size."""
    params = {name: value / 3 if "ln_" not in name else value for name, value in drawn(rng).items()}
    zeros = {name: np.zeros_like(value) for name, value in params.items()}
    order = np.concatenate([rng.permutation(SEQUENCES) for _ in range(-(-STEPS * BATCH // SEQUENCES))])
    return {
        "state": {"params": params, "exp_avg": zeros, "exp_avg_sq": zeros, "step": np.array(0)},
        "tokens": sequences(rng, rows=SEQUENCES),
        "order": order[: STEPS * BATCH].reshape(STEPS, BATCH),
        "masks": masks(rng, STEPS),
        "n_head": HEADS,
        "dropout": DROPOUT,
        "learning_rate": 0.003,
    }


def segment(inputs: Inputs, start: int, stop: int) -> Inputs:
    """The rows and the masks of these steps."""
    own = {
        "drop": inputs["masks"]["drop"][start:stop],
        "h": [{name: mask[start:stop] for name, mask in block.items()} for block in inputs["masks"]["h"]],
    }
    return {**inputs, "order": inputs["order"][start:stop], "masks": own}


def trained(impl: Any, **inputs: Any) -> dict[str, Any]:
    """The state and the curve, by name."""
    return dict(zip(("state", "losses"), impl.train(**inputs), strict=True))


def begun(impl: Any, *, params: Any) -> dict[str, Any]:
    """The state before the first step: the parameters as they were given, and which of them have averages of zero."""
    state = impl.initial_state(params)
    averages = {slot: state[slot] for slot in ("exp_avg", "exp_avg_sq")}
    zero = {slot: sorted(n for n, a in own.items() if float(abs(a).max()) == 0) for slot, own in averages.items()}
    return {"params": state["params"], "step": state["step"]} | {slot: ", ".join(n) for slot, n in zero.items()}


def published(rng: np.random.Generator) -> Inputs:
    """A state as the published files have it: matrices (in, out), and the masks of attention among the weights."""
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    state = {f"transformer.{n}": v.T.copy() if n.endswith(turned) else v for n, v in drawn(rng).items()}
    state |= {f"transformer.h.{layer}.attn.bias": np.tril(np.ones((1, 1, LENGTH, LENGTH))) for layer in range(LAYERS)}
    return {"state": state | {"lm_head.weight": state["transformer.wte.weight"]}}


CASES = (
    Case(
        "gpt2.logits",
        lambda rng: {"state": drawn(rng), "tokens": sequences(rng)[:, 1:], "n_head": HEADS},
        covers=("logits", "GPT2", "Block", "Attention", "MLP"),
    ),
    Case(
        "gpt2.loss",
        lambda rng: {
            "state": drawn(rng),
            "tokens": sequences(rng),
            "masks": masks(rng),
            "n_head": HEADS,
            "dropout": DROPOUT,
        },
    ),
    Case("gpt2.from_published", published, wrt=()),
    Case(
        "gpt2.parameter_count",
        call=lambda impl: {"small": impl.parameter_count()},
        wrt=(),
        jit=False,
        published=(Published("small", (124_439_808,), 0, "Transformers, GPT2Model, num_parameters()"),),
    ),
    Case("gpt2.initial_state", lambda rng: {"params": drawn(rng)}, call=begun, wrt=(), jit=False),
    Case(
        "gpt2.train",
        training,
        call=trained,
        wrt=(),
        stage="curve",
        carry=("state",),
        segment=segment,
    ),
)
