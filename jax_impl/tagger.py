"""A tagger: a bidirectional LSTM reads a sentence from both ends, and a linear layer gives each word its tag.

Parameters have the names and the layouts of a torch model; a state is a dict of them.
"""

from collections.abc import Mapping
from typing import Any, Self

import jax
import optax
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float, Int

from jax_impl import functional as F
from jax_impl import nn, optim

__all__ = ["Tagger", "logits", "loss", "train"]

State = dict[str, Array]
Masks = Mapping[str, Bool[Array, "..."]]


class Tagger(nn.Module):
    """Word embeddings, an LSTM in both directions, and scores of the tags from both its outputs.

    Args:
        vocabulary: the words there are.
        tags: the tags there are.
        embedding_dim: the features of each word.
        hidden_dim: of the LSTM, in each direction.
        num_layers: of the LSTM.
        dropout: the probability of dropout on the embeddings and on the LSTM's outputs.
        dtype: of the parameters; None for float32.

    Examples:
        >>> net = Tagger(9, 3, embedding_dim=4, hidden_dim=2, **rngs).eval()
        >>> tuple(net(array([[1, 2, 3, 4]])).shape)
        (1, 4, 3)

    References:
        A. Graves and J. Schmidhuber, "Framewise Phoneme Classification with Bidirectional LSTM" (2005); Z. Huang, W. Xu
        and K. Yu, "Bidirectional LSTM-CRF Models for Sequence Tagging" (2015), section 2.2.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        vocabulary: int,
        tags: int,
        *,
        embedding_dim: int = 100,
        hidden_dim: int = 128,
        num_layers: int = 1,
        dropout: float = 0.5,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, embedding_dim, dtype=dtype, rngs=rngs)
        self.lstm = nn.LSTM(
            embedding_dim, hidden_dim, num_layers, batch_first=True, bidirectional=True, dtype=dtype, rngs=rngs
        )
        self.hidden2tag = nn.Linear(2 * hidden_dim, tags, dtype=dtype, rngs=rngs)
        self.dropout = nn.Dropout(dropout, rngs=rngs)

    @classmethod
    def skeleton(cls, state: State, **options: Any) -> Self:
        """A Tagger of the sizes of this state, with shapes for values; the option is dropout."""
        return nnx.eval_shape(lambda: cls(**_sizes(state), **options, rngs=nnx.Rngs(0)))

    @classmethod
    def from_state(cls, state: State, **options: Any) -> Self:
        """A whole Tagger that holds this state, in the state's dtype, in train mode; it takes masks, and draws none."""
        model = nnx.clone(cls.skeleton(state, **options))  # its variables belong to the trace that this is called in
        nn.load_state_dict(model, state)
        return model

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def __call__(self, words: Int[Array, "N T"], masks: Masks | None = None) -> Float[Array, "N T K"]:
        """The scores (N, T, tags) for sentences of one length (N, T).

        Args:
            words: integers in [0, vocabulary).
            masks: of dropout, True for what stays, in place of drawn ones: "embeddings" (N, T, embedding_dim) and
                "hidden" (N, T, 2 hidden_dim).
        """
        masks = masks or {}
        x = self.dropout(self.word_embeddings(words), masks.get("embeddings"))
        hidden, _ = self.lstm(x)  # (N, T, 2 hidden_dim)
        return self.hidden2tag(self.dropout(hidden, masks.get("hidden")))


def logits(state: State, words: Int[Array, "N T"]) -> Float[Array, "N T K"]:
    """Tagger in eval mode, without dropout, as a pure function of its state.

    Args:
        state: what state_dict gives.
        words: sentences of one length (N, T), integers in [0, vocabulary).

    Returns:
        (N, T, tags).

    Raises:
        RuntimeError: where a name is missing or unexpected, or a shape does not fit.

    Examples:
        >>> state = dict(Tagger(9, 3, embedding_dim=4, hidden_dim=2, **rngs).state_dict())
        >>> tuple(logits(state, array([[1, 2, 3, 4]])).shape)
        (1, 4, 3)

    References:
        A. Graves and J. Schmidhuber (2005).
    """
    return Tagger.from_state(state).eval()(words)


def loss(
    state: State,
    words: Int[Array, "N T"],
    tags: Int[Array, "N T"],
    masks: Masks | None = None,
    *,
    dropout: float = 0.5,
) -> Float[Array, ""]:
    """The cross-entropy of each word's tag, in train mode with the masks given.

    Args:
        state: what state_dict gives.
        words: sentences of one length (N, T), integers in [0, vocabulary).
        tags: (N, T), integers in [0, tags); -100 for a word that has none.
        masks: as Tagger's call takes them; None for no dropout.
        dropout: the probability that the masks were drawn with.

    Returns:
        The mean over all words that have a tag, a scalar.

    Raises:
        RuntimeError: where a name is missing or unexpected, or a shape does not fit.

    Examples:
        >>> state = {name: value * 0 for name, value in Tagger(9, 3, hidden_dim=2, **rngs).state_dict().items()}
        >>> round(float(loss(state, array([[1, 2]]), array([[0, -100]]))), 4)  # the logarithm of 3
        1.0986

    References:
        PyTorch, torch.nn.CrossEntropyLoss, ignore_index.
    """
    net = Tagger.from_state(state, dropout=dropout if masks else 0.0)
    scores = net(words, masks)  # (N, T, tags)
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), tags.reshape(-1))


def train(
    state: State,
    words: Int[Array, "N T"],
    tags: Int[Array, "N T"],
    order: Int[Array, "steps batch"],
    masks: Masks | None = None,
    *,
    dropout: float = 0.5,
    learning_rate: float = 0.1,
) -> tuple[State, Float[Array, " steps"]]:
    """Train by plain gradient descent on minibatches, from any state and back to one.

    Args:
        state: what state_dict gives, or what an earlier call returned.
        words: all sentences (N, T), integers.
        tags: their words' tags (N, T), integers; -100 for a word that has none.
        order: the rows to use at each step (steps, batch), integer, in [0, N).
        masks: as loss takes them, each with an axis of steps before its own; None for no dropout.
        dropout: the probability that the masks were drawn with.
        learning_rate: positive.

    Returns:
        The state after the last step, and the loss of each minibatch before its update (steps,).

    Raises:
        ValueError: where order is not (steps, batch).

    Examples:
        >>> state = {name: value * 0 for name, value in Tagger(9, 3, hidden_dim=2, **rngs).state_dict().items()}
        >>> state, losses = train(state, array([[1, 2]]), array([[0, 2]]), array([[0], [0]]))
        >>> [round(float(value), 4) for value in losses]
        [1.0986, 1.0822]

    References:
        PyTorch, "Sequence Models and LSTM Networks", its loop.
    """
    if order.ndim != 2:
        raise ValueError(f"train: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step")
    optimizer = optim.SGD(learning_rate)

    def step(carry: tuple[State, Any], batch: Any) -> tuple[tuple[State, Any], Float[Array, ""]]:
        params, slots = carry
        rows, own = batch
        value, gradients = jax.value_and_grad(loss)(params, words[rows], tags[rows], own, dropout=dropout)
        updates, slots = optimizer.update(gradients, slots, params)
        return (optax.apply_updates(params, updates), slots), value

    (state, _), losses = jax.lax.scan(step, (state, optimizer.init(state)), (order, masks))
    return state, losses


def _sizes(state: State) -> dict[str, Any]:
    vocabulary, width = state["word_embeddings.weight"].shape
    tags, outputs = state["hidden2tag.weight"].shape
    return {
        "vocabulary": vocabulary,
        "tags": tags,
        "embedding_dim": width,
        "hidden_dim": outputs // 2,
        "num_layers": sum(name.startswith("lstm.weight_hh") for name in state) // 2,
        "dtype": state["hidden2tag.bias"].dtype,
    }
