"""Faults of the three ports: every row one edit that a stranger makes, the layer that it is in, and its cause."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import nnx
from torch.nn import functional as F

from ports.planted import Edit, Planted
from ports.transformer import tokens

MIXING = "h.0.c_attn .. h.0.c_proj"
SCALE = "/ np.sqrt(q.shape[-1])"
MASK = "jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -jnp.inf)"
GELU = "nnx.gelu(self.up(self.mlp_norm(x)), approximate=self.approximate)"
UP = "self.up = nnx.Linear(WIDTH, 4 * WIDTH, use_bias=use_bias, rngs=rngs)"
NORM = "self.attention_norm = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)"
TF32 = """class TF32(nnx.Linear):
    def __call__(self, x: jax.Array) -> jax.Array:
        x, kernel = (jax.lax.reduce_precision(a, 8, 10) for a in (x, self.kernel[...]))
        return x @ kernel + self.bias[...]


"""
LOGITS = "return self.token_embedding.attend(self.final_norm(x))\n\n\nclass LinenBlock"


def logits(new: str) -> Edit:
    """An edit of how the NNX transformer makes its logits."""
    return LOGITS, f"return {new}\n\n\nclass LinenBlock"


TRANSFORMER = (
    Planted(
        "norm: epsilon of Flax",
        "transformer",
        [(NORM, "self.attention_norm = nnx.LayerNorm(WIDTH, rngs=rngs)")],
        "h.0.norm_a",
        "LayerNorm eps 1e-06, torch has 1e-05",
    ),
    Planted(
        "gelu: tanh form",
        "transformer",
        [(GELU, GELU.replace("self.approximate", "True"))],
        "h.0.ffn.1",
        "gelu (tanh), torch has gelu (erf)",
    ),
    Planted(
        "gelu: relu in its place",
        "transformer",
        [(GELU, "nnx.relu(self.up(self.mlp_norm(x)))")],
        "h.0.ffn.1",
        "relu, torch has gelu (erf)",
    ),
    Planted(
        "gelu: of half the input",
        "transformer",
        [(GELU, GELU.replace("(x)),", "(x)) / 2,"))],
        "h.0.ffn.1",
        "its input times 1/2, torch has none",
    ),
    Planted(
        "gelu: a number added to it",
        "transformer",
        [(GELU, f"{GELU} + 0.1")],
        "h.0.ffn.1",
        None,
        "no cause is named; tried, and none explains it: another order of its axes, activation in 24 forms",
    ),
    Planted(
        "attention: scale by the head",
        "transformer",
        [(SCALE, "/ q.shape[-1]")],
        MIXING,
        "scale 1 / head, torch has 1 / sqrt(head)",
    ),
    Planted("attention: no scale", "transformer", [(SCALE, "")], MIXING, "scale 1, torch has 1 / sqrt(head)"),
    Planted(
        "attention: scale by the width",
        "transformer",
        [(SCALE, "/ np.sqrt(x.shape[-1])")],
        MIXING,
        "scale 1 / sqrt(width), torch has 1 / sqrt(head)",
    ),
    Planted(
        "attention: scale of an odd number",
        "transformer",
        [(SCALE, "/ 2.1")],
        MIXING,
        "scale 1 / 2.1, torch has 1 / sqrt(head)",
    ),
    Planted("mask: none", "transformer", [(MASK, "scores")], MIXING, "mask none, torch has causal"),
    Planted(
        "mask: inverted",
        "transformer",
        [(MASK, MASK.replace("scores, -jnp.inf", "-jnp.inf, scores"))],
        MIXING,
        "mask causal inverted, torch has causal",
    ),
    Planted(
        "mask: the future in place of the past",
        "transformer",
        [("jnp.tril(", "jnp.triu(")],
        MIXING,
        "mask anticausal, torch has causal",
    ),
    Planted(
        "mask: zero in place of minus infinity",
        "transformer",
        [(MASK, MASK.replace("-jnp.inf", "0.0"))],
        MIXING,
        "masked 0, torch has -inf",
    ),
    Planted(
        "mask: NaN in place of minus infinity",
        "transformer",
        [(MASK, MASK.replace("-jnp.inf", "jnp.nan"))],
        MIXING,
        "masked nan, torch has -inf",
    ),
    Planted(
        "mask: a tiny number in place of a large one",
        "transformer",
        [(MASK, MASK.replace("-jnp.inf", "1e-9"))],
        MIXING,
        "masked 1e-09, torch has -inf",
    ),
    Planted(
        "mask: without the diagonal, so that a row is NaN",
        "transformer",
        [("jnp.tril(jnp.ones((t, t), bool))", "jnp.tril(jnp.ones((t, t), bool), -1)")],
        MIXING,
        "mask causal without the diagonal, torch has causal",
    ),
    Planted(
        "softmax: over the queries",
        "transformer",
        [("jax.nn.softmax(scores)", "jax.nn.softmax(scores, axis=-2)")],
        MIXING,
        "softmax over queries, torch has keys",
    ),
    Planted(
        "softmax: in bfloat16",
        "transformer",
        [("jax.nn.softmax(scores)", "jax.nn.softmax(scores.astype(jnp.bfloat16)).astype(scores.dtype)")],
        MIXING,
        "jax casts to bfloat16 at transformer.py",
    ),
    Planted(
        "attention: number of heads",
        "transformer",
        [("reshape(n, t, HEADS, -1) for", "reshape(n, t, 4, -1) for")],
        MIXING,
        "heads 4, torch has 2",
    ),
    Planted(
        "attention: heads last",
        "transformer",
        [
            (
                "getattr(self, name)(x).reshape(n, t, HEADS, -1)",
                "getattr(self, name)(x).reshape(n, t, -1, HEADS).swapaxes(2, 3)",
            )
        ],
        MIXING,
        "heads split, joined (d h), (h d), torch has (h d), (h d)",
    ),
    Planted(
        "residual: forgotten",
        "transformer",
        [("x = x + self.attention(", "x = self.attention(")],
        "h.0.c_proj .. h.0.norm_b",
        "without the residual connection",
    ),
    Planted(
        "logits: scaled",
        "transformer",
        [logits("self.token_embedding.attend(self.final_norm(x)) * np.sqrt(WIDTH)")],
        "lm_head",
        "sqrt(8) times torch's",
    ),
    Planted(
        "embedding: scaled",
        "transformer",
        [("x = self.token_embedding(tokens) + ", "x = 2.0 * self.token_embedding(tokens) + ")],
        "wte",
        "JAX's has 1 times what arrives from wte more than torch's",
    ),
    Planted(
        "bias: missing",
        "transformer",
        [(UP, UP.replace("use_bias=use_bias", "use_bias=False"))],
        "h.0.ffn.0",
        "no bias, torch has one",
    ),
    Planted(
        "gradient: stopped",
        "transformer",
        [(GELU, GELU.replace("self.up(self.mlp_norm(x))", "jax.lax.stop_gradient(self.up(self.mlp_norm(x)))"))],
        "h.0.ffn.1",
        "no gradient passes from h.0.ffn.0",
    ),
    Planted(
        "layer: in bfloat16",
        "transformer",
        [(UP, UP.replace("rngs=rngs", "dtype=jnp.bfloat16, rngs=rngs"))],
        "h.0.ffn.0",
        "computes in bfloat16",
    ),
    Planted(
        "layer: TF32",
        "transformer",
        [(UP, UP.replace("nnx.Linear", "TF32")), ("class Block(nnx.Module):", f"{TF32}class Block(nnx.Module):")],
        "h.0.ffn.0",
        "TF32: products keep 11 bits of their operands (jax)",
        fix='precision="highest"',
    ),
    Planted(
        "dropout: on in torch alone",
        "transformer",
        [("nn.GELU(), nn.Linear(4", "nn.GELU(), nn.Dropout(0.5), nn.Linear(4")],
        "h.0.ffn.2",
        "dropout is on in torch (p = 0.5",
    ),
)

RESNET_POOL = "x = nnx.max_pool(x, (2, 2), (2, 2))\n        for"
AVERAGED: list[Edit] = [
    ("F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)", "F.avg_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)"),
    (RESNET_POOL, "x = nnx.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))\n        for"),
]
RESIZED: list[Edit] = [
    ("x = F.max_pool2d(F.relu", 'x = F.interpolate(x, (8, 8), mode="bilinear")\n        x = F.max_pool2d(F.relu'),
    (
        "x = nnx.relu(self.stem_norm(self.stem(jnp.transpose(images, (0, 2, 3, 1)))))",
        "x = jnp.transpose(images, (0, 2, 3, 1))\n"
        '        x = jax.image.resize(x, (len(x), 8, 8, 3), "bilinear", antialias=False)\n'
        "        x = nnx.relu(self.stem_norm(self.stem(x)))",
    ),
    ("(rows, 3, size, size))", "(rows, 3, 12, 12))"),
]
STEM = "self.stem(jnp.transpose(images, (0, 2, 3, 1)))"
STEM_NORM = "self.stem_norm = BatchNorm(CHANNELS, momentum=0.9, epsilon=1e-5, rngs=rngs)"
LAST = "return nnx.relu(self.norm_b(self.conv_b(nnx.relu(self.norm_a(self.conv_a(x))))) + short)"
EVAL: dict[str, Any] = {"train": False}
TRAIN: dict[str, Any] = {"train": True}

RESNET = (
    Planted(
        "padding: SAME beside stride 2",
        "resnet",
        [("if same:", "if stride > 1:")],
        "layer2.conv1",
        "padding 'SAME', torch has (1, 1)",
        options=EVAL,
    ),
    Planted(
        "norm: epsilon of Flax's BatchNorm in the shortcut",
        "resnet",
        [
            (
                "self.shortcut_norm = BatchNorm(features, momentum=0.9, epsilon=1e-5,",
                "self.shortcut_norm = BatchNorm(features, momentum=0.9, epsilon=1e-3,",
            )
        ],
        "layer2.downsample.1",
        "BatchNorm eps 0.001, torch has 1e-05",
        options=EVAL,
    ),
    Planted(
        "norm: momentum is the complement",
        "resnet",
        [(STEM_NORM, STEM_NORM.replace("0.9", "0.1"))],
        "bn1.running_mean",
        "BatchNorm momentum 0.1, torch has 0.1",
        options=TRAIN,
    ),
    Planted(
        "norm: biased variance",
        "resnet",
        [(STEM_NORM, STEM_NORM.replace("= BatchNorm", "= nnx.BatchNorm"))],
        "bn1.running_var",
        "running variance is the biased one",
        options=TRAIN,
    ),
    Planted(
        "norm: left in train mode",
        "resnet",
        [("nnx.relu(self.stem_norm(", "nnx.relu(self.stem_norm("), (STEM, f"{STEM}, use_running_average=False")],
        "bn1",
        "BatchNorm in train mode, torch is in eval mode",
        options=EVAL,
    ),
    Planted(
        "pooling: average",
        "resnet",
        [(RESNET_POOL, RESNET_POOL.replace("max", "avg"))],
        "bn1 .. layer1.conv1",
        "pooling avg, torch has max",
        options=EVAL,
    ),
    Planted(
        "pooling: the padding is not counted",
        "resnet",
        [*AVERAGED, ("((1, 1), (1, 1)))", "((1, 1), (1, 1)), count_include_pad=False)")],
        "bn1 .. layer1.conv1",
        "count_include_pad False, torch has True",
        options=EVAL,
    ),
    Planted(
        "resize: antialias",
        "resnet",
        [*RESIZED, (", antialias=False", "")],
        "input .. conv1",
        "antialias True, torch has False",
        options=EVAL,
    ),
    Planted(
        "resize: corners aligned",
        "resnet",
        [*RESIZED, ('(8, 8), mode="bilinear"', '(8, 8), mode="bilinear", align_corners=True')],
        "input .. conv1",
        "align_corners False, torch has True",
        options=EVAL,
    ),
    Planted(
        "resize: nearest",
        "resnet",
        [*RESIZED, ('"bilinear", antialias', '"nearest", antialias')],
        "input .. conv1",
        "mode nearest-exact, torch has bilinear",
        options=EVAL,
    ),
    Planted(
        "mean: a sum in its place",
        "resnet",
        [("self.head(x.mean((1, 2)))", "self.head(x.sum((1, 2)))")],
        "layer2.downsample.1 .. fc",
        "4 times torch's",  # of the 2 x 2 places that are summed
        options=EVAL,
    ),
    Planted(
        "residual: forgotten",
        "resnet",
        [(LAST, LAST.replace(" + short", ""))],
        "layer1.bn2 .. layer2.conv1",
        "without the residual connection",
        options=EVAL,
    ),
    Planted(
        "relu: forgotten after the sum",
        "resnet",
        [(LAST, LAST.replace("nnx.relu(self.norm_b", "(self.norm_b"))],
        "layer1.bn2 .. layer2.conv1",
        "no relu at the end, torch has one",
        options=EVAL,
    ),
    Planted(
        "relu: leaky",
        "resnet",
        [("x = nnx.relu(self.stem_norm", "x = nnx.leaky_relu(self.stem_norm")],
        "bn1 .. layer1.conv1",
        "leaky_relu (slope 0.01), torch has relu",
        options=EVAL,
    ),
    Planted(
        "images: height and width exchanged",
        "resnet",
        [("(images, (0, 2, 3, 1))", "(images, (0, 3, 2, 1))")],
        "conv1",
        "its kernel lies with height and width exchanged, or its images do",
        options=EVAL,
    ),
    Planted(
        "images: divided by 255 twice",
        "resnet",
        [(STEM, STEM.replace("images,", "images / 255,"))],
        "input .. conv1",
        "1/255 times torch's",
        options=EVAL,
    ),
    Planted(
        "images: mirrored",
        "resnet",
        [(STEM, STEM.replace("images,", "images[..., ::-1],"))],
        "input .. conv1",
        "axis 2 reversed",
        options=EVAL,
    ),
)

LSTM = (
    Planted(
        "recurrence: outputs reversed",
        "lstm_tagger",
        [("keep_order: bool = True", "keep_order: bool = False")],
        "lstm",
        "the reversed outputs stay in the order of computation",
    ),
    Planted(
        "recurrence: not reversed",
        "lstm_tagger",
        [("reverse=True, keep_order", "reverse=False, keep_order")],
        "lstm",
        "runs forwards, torch's runs backwards",
    ),
    Planted(
        "cell: hard sigmoid",
        "lstm_tagger",
        [("cell(WIDTH, HIDDEN, rngs=rngs))", "cell(WIDTH, HIDDEN, gate_fn=nnx.hard_sigmoid, rngs=rngs))")],
        "lstm",
        "gates by hard_sigmoid, torch has sigmoid",
    ),
    Planted(
        "cell: relu",
        "lstm_tagger",
        [("cell(WIDTH, HIDDEN, rngs=rngs))", "cell(WIDTH, HIDDEN, activation_fn=nnx.relu, rngs=rngs))")],
        "lstm",
        "activation by relu, torch has tanh",
    ),
    Planted(
        "embedding: a padding row that trains",
        "lstm_tagger",
        [("nn.Embedding(WORDS, WIDTH)", "nn.Embedding(WORDS, WIDTH, padding_idx=8)")],
        "embed.weight",
        "torch has padding_idx=8 and keeps it out",
    ),
)


def cross(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of a language model in torch."""
    return F.cross_entropy(output.flatten(0, 1), targets.flatten())


def jax_cross(output: Any, targets: Any, *, smoothing: float = 0.0, total: bool = False) -> Any:
    """The same in optax."""
    rows, labels = output.reshape(-1, output.shape[-1]), targets.reshape(-1)
    soft = optax.smooth_labels(nnx.one_hot(labels, rows.shape[-1]), smoothing)
    each = optax.softmax_cross_entropy(rows, soft)
    return each.sum() if total else each.mean()


def transposed(model: Any) -> None:
    kernel = model.blocks[0].attention.out.kernel
    kernel.set_value(kernel.get_value().T)


def swapped(model: Any) -> None:
    attention = model.blocks[1].attention
    query, key = attention.query.kernel.get_value(), attention.key.kernel.get_value()
    attention.query.kernel.set_value(key)
    attention.key.kernel.set_value(query)


def unset(model: Any) -> None:
    bias = model.blocks[1].up.bias
    bias.set_value(jnp.zeros_like(bias.get_value()))


def gates(model: Any) -> None:
    kernel = model.forwards.cell.dense_h.kernel
    i, f, g, o = jnp.split(kernel.get_value(), 4, 1)
    kernel.set_value(jnp.concatenate([i, g, f, o], 1))


HELD = (
    Planted(
        "weights: a square kernel transposed",
        "transformer",
        (),
        "h.0.c_proj.weight",
        "the kernel is transposed",
        damage=transposed,
    ),
    Planted(
        "weights: query and key exchanged",
        "transformer",
        (),
        "h.1.c_attn.weight",
        "swapped: it holds what belongs to",
        damage=swapped,
    ),
    Planted(
        "weights: a bias that was never filled",
        "transformer",
        (),
        "h.1.ffn.0.bias",
        "0 everywhere: never filled from torch",
        damage=unset,
    ),
    Planted(
        "weights: an LSTM's gates in another order",
        "lstm_tagger",
        (),
        "lstm.weight_hh_l0",
        "an LSTM's gates i, f, g, o in the order (0, 2, 1, 3)",
        damage=gates,
    ),
)


def training(jax_loss: Any = jax_cross, optimizer: Any = None) -> dict[str, Any]:
    """Options of a check with a loss, and with one step of training."""
    options: dict[str, Any] = {"loss": (cross, jax_loss), "targets": tokens()}
    return options | ({"optimizer": optimizer} if optimizer else {})


SGD, ADAM = torch.optim.SGD, torch.optim.Adam
STEPS = (
    Planted(
        "loss: label smoothing",
        "transformer",
        (),
        "loss",
        "label_smoothing 0.1, torch has 0",
        options=training(lambda o, t: jax_cross(o, t, smoothing=0.1)),
    ),
    Planted(
        "loss: a sum in place of the mean",
        "transformer",
        (),
        "loss",
        "reduction sum, torch has mean",
        options=training(lambda o, t: jax_cross(o, t, total=True)),
    ),
    Planted(
        "loss: another temperature",
        "transformer",
        (),
        "loss",
        "the output times 1 / 1.3, which torch has not",
        options=training(lambda o, t: jax_cross(o / 1.3, t)),
    ),
    Planted(
        "optimizer: epsilon",
        "transformer",
        (),
        "",
        "eps 1e-05, torch has 1e-08",
        options=training(optimizer=(lambda p: ADAM(p, 0.1), optax.adam(0.1, eps=1e-5))),
    ),
    Planted(
        "optimizer: decay that torch has not",
        "transformer",
        (),
        "",
        "weight_decay 0.01, torch has 0",
        options=training(
            optimizer=(lambda p: SGD(p, 0.1), optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1)))
        ),
    ),
    Planted(
        "optimizer: decay decoupled",
        "transformer",
        (),
        "",
        "weight decay decoupled",
        options=training(optimizer=(lambda p: ADAM(p, 0.1, weight_decay=0.01), optax.adamw(0.1, weight_decay=0.01))),
    ),
    Planted(
        "optimizer: no momentum",
        "transformer",
        (),
        "",
        "momentum 0, torch has 0.9",
        options=training(optimizer=(lambda p: SGD(p, 0.1, momentum=0.9), optax.sgd(0.1))),
    ),
    Planted(
        "recurrence: one bias for torch's two",
        "lstm_tagger",
        (),
        "lstm.bias_hh_l0",
        None,
        "move it twice as far: freeze one of torch's",
        options={
            "loss": (lambda o, t: o.square().mean(), lambda o, t: (o**2).mean()),
            "targets": np.zeros(1),
            "optimizer": lambda p: SGD(p, 0.1),
        },
    ),
    Planted(
        "optimizer: learning rate",
        "transformer",
        (),
        "",
        "lr 0.01, torch has 0.1",
        options=training(optimizer=(lambda p: SGD(p, 0.1), optax.sgd(0.01))),
    ),
)

FAULTS = (*TRANSFORMER, *RESNET, *LSTM, *HELD, *STEPS)
