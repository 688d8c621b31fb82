"""Cases of the tagger: one and two layers, dropout by masks that both are given, and fifty steps of training."""

from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs

STEPS, BATCH, SENTENCES, LENGTH = 50, 4, 12, 6
WORDS, TAGS, WIDTH, HIDDEN = 15, 4, 5, 3
DROPOUT = 0.25


def drawn(rng: np.random.Generator, *, layers: int = 1) -> dict[str, np.ndarray]:
    """A state, drawn as torch's layers start."""
    state = {"word_embeddings.weight": rng.normal(size=(WORDS, WIDTH))}
    for layer in range(layers):
        for direction in ("", "_reverse"):
            shapes = {
                "weight_ih": (4 * HIDDEN, 2 * HIDDEN if layer else WIDTH),
                "weight_hh": (4 * HIDDEN, HIDDEN),
                "bias_ih": (4 * HIDDEN,),
                "bias_hh": (4 * HIDDEN,),
            }
            for name, shape in shapes.items():
                state[f"lstm.{name}_l{layer}{direction}"] = rng.uniform(-1, 1, size=shape) * HIDDEN**-0.5
    for name, shape in {"weight": (TAGS, 2 * HIDDEN), "bias": (TAGS,)}.items():
        state[f"hidden2tag.{name}"] = rng.uniform(-1, 1, size=shape) * (2 * HIDDEN) ** -0.5
    return state


def sentences(rng: np.random.Generator, *, rows: int = BATCH) -> Inputs:
    """Words whose tag the word before decides too; some have none."""
    words = rng.integers(0, WORDS, size=(rows, LENGTH))
    tags = (words + np.roll(words, 1, axis=1)) % TAGS
    tags[rng.uniform(size=tags.shape) < 0.1] = -100
    return {"words": words, "tags": tags}


def masks(rng: np.random.Generator, *steps: int) -> dict[str, np.ndarray]:
    """Dropout's masks, True for what stays."""
    widths = {"embeddings": WIDTH, "hidden": 2 * HIDDEN}
    return {name: rng.uniform(size=(*steps, BATCH, LENGTH, width)) >= DROPOUT for name, width in widths.items()}


def training(rng: np.random.Generator) -> Inputs:
    """A dozen sentences, read some twenty times over."""
    order = np.concatenate([rng.permutation(SENTENCES) for _ in range(-(-STEPS * BATCH // SENTENCES))])
    return {
        "state": drawn(rng),
        **sentences(rng, rows=SENTENCES),
        "order": order[: STEPS * BATCH].reshape(STEPS, BATCH),
        "masks": masks(rng, STEPS),
        "dropout": DROPOUT,
        "learning_rate": 0.5,
    }


def segment(inputs: Inputs, start: int, stop: int) -> Inputs:
    """The rows and the masks of these steps."""
    own = {name: mask[start:stop] for name, mask in inputs["masks"].items()}
    return {**inputs, "order": inputs["order"][start:stop], "masks": own}


def trained(impl: Any, **inputs: Any) -> dict[str, Any]:
    """The state and the curve, by name."""
    return dict(zip(("state", "losses"), impl.train(**inputs), strict=True))


CASES = (
    Case(
        "tagger.logits",
        lambda rng: {"state": drawn(rng), "words": sentences(rng)["words"]},
        covers=("logits", "Tagger"),
    ),
    Case("tagger.loss", lambda rng: {"state": drawn(rng, layers=2), **sentences(rng)}),
    Case(
        "tagger.loss_with_dropout",
        lambda rng: {"state": drawn(rng), **sentences(rng), "masks": masks(rng), "dropout": DROPOUT},
        call=lambda impl, **inputs: impl.loss(**inputs),
        covers=("loss",),
    ),
    Case(
        "tagger.train",
        training,
        call=trained,
        wrt=(),
        stage="curve",
        carry=("state",),
        segment=segment,
    ),
)
