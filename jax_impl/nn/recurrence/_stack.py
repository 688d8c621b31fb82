"""What all recurrent nets share: their weights, layers and directions, the batch, and the dropout between layers."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from jax_impl.functional.dropout import dropout
from jax_impl.nn.module import Module
from jax_impl.nn.packing import PackedSequence
from jax_impl.nn.recurrence._reset import reset

Step = Callable[[tuple[Array, ...], Any], tuple[tuple[Array, ...], Array]]
"""(state, what the input adds) -> (state, h), as jax.lax.scan takes it."""

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


class Stack(Module):
    """Layers over a sequence. What an input adds to the gates is one product for all of time; the rest is a scan."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        dtype: Any,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        kind = type(self).__name__
        _validate(kind, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"{kind}: dropout={dropout} comes between layers, and there is one", stacklevel=3)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, out = GATES[kind] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            width = out * (1 + bidirectional) if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            shapes |= {"weight_hr": (proj_size, hidden_size)} if proj_size else {}
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                for name, shape in shapes.items():
                    setattr(self, f"{name}_l{layer}{suffix}", self._empty(*shape, dtype=dtype))
        self.rngs = nnx.data(rngs.dropout.fork() if dropout > 0 else None)
        self.reset_parameters(rngs=rngs)

    def reset_parameters(self, *, rngs: nnx.Rngs) -> None:
        """Draw the parameters anew."""
        reset(self, self.hidden_size, rngs)

    def _cell(self, x: Array, weights: Any) -> tuple[Step, Array]:
        """One layer in one direction: its step, and what the inputs x (T, N, I) add to the gates (T, N, ...)."""
        raise NotImplementedError

    def _run(self, input: Any, hx: tuple[Array | None, ...]) -> tuple[Any, tuple[Array, ...]]:
        """The outputs, and the last state of every layer and direction."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        x = self._sequence(input)
        batched = input.ndim == 3
        first = self._first(x, hx, input.ndim)
        x, states = self._layers(x, first, None)
        if not batched:
            return x[:, 0], tuple(value[:, 0] for value in states)
        return (x.swapaxes(0, 1) if self.batch_first else x), states

    def _run_packed(self, input: PackedSequence, hx: tuple[Array | None, ...]) -> tuple[PackedSequence, Any]:
        """The same of sequences of different lengths: where one has ended, its states stay."""
        if input.data.ndim != 2:
            raise RuntimeError(f"{type(self).__name__}: packed data has {input.data.ndim} axes, wanted 2: (sum, size)")
        steps, places = input.places
        shape = (len(input.batch_sizes), input.batch_sizes[0])
        padded = jnp.zeros((*shape, input.data.shape[1]), input.data.dtype).at[steps, places].set(input.data)
        self._check(padded)
        alive = np.zeros(shape, bool)
        alive[steps, places] = True
        first = self._first(padded, hx, 3)
        if input.sorted_indices is not None:
            first = [value[:, list(input.sorted_indices)] for value in first]
        x, states = self._layers(padded, first, alive[..., None])
        if input.unsorted_indices is not None:
            states = tuple(value[:, list(input.unsorted_indices)] for value in states)
        return replace(input, data=x[steps, places]), states

    def _first(self, x: Array, hx: tuple[Array | None, ...], axes: int) -> list[Array]:
        """The first states, each (layers, N, size); zeros where none are given."""
        kind, directions, out = type(self).__name__, 1 + self.bidirectional, self.proj_size or self.hidden_size
        first = []
        for value, size in zip(hx, (out, self.hidden_size), strict=False):
            wanted = (self.num_layers * directions, x.shape[1], size)
            if value is None:
                value = jnp.zeros(wanted, x.dtype)
            elif value.ndim != axes:
                raise RuntimeError(f"{kind}: hx has {value.ndim} axes where the input has {axes}, wanted as many")
            value = value if value.ndim == 3 else value[:, None]
            if value.shape != wanted:
                raise RuntimeError(f"{kind}: hx has shape {tuple(value.shape)}, wanted {wanted}")
            first.append(value)
        return first

    def _layers(self, x: Array, first: list[Array], alive: np.ndarray | None) -> tuple[Array, tuple[Array, ...]]:
        """All layers over x (T, N, I); alive (T, N, 1) tells which steps are a sequence's own."""
        directions = 1 + self.bidirectional
        last: list[tuple[Array, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout > 0 and self.training:
                x = dropout(x, self.dropout, key=None if self.rngs is None else self.rngs())
            outputs = []
            for reverse in range(directions):
                names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
                suffix = f"_l{layer}{'_reverse' if reverse else ''}"
                weights = [v[...] if (v := getattr(self, name + suffix, None)) is not None else None for name in names]
                state = tuple(value[layer * directions + reverse] for value in first)
                step, own = self._cell(x, weights)
                over = (step, own) if alive is None else (_while_alive(step), (own, alive))
                state, hidden = jax.lax.scan(over[0], state, over[1], reverse=bool(reverse))
                last.append(state)
                outputs.append(hidden)
            x = outputs[0] if directions == 1 else jnp.concatenate(outputs, axis=-1)
        return x, tuple(jnp.stack(values) for values in zip(*last, strict=True))

    def _sequence(self, input: Array) -> Array:
        """The input as (T, N, I)."""
        kind = type(self).__name__
        if input.ndim not in (2, 3):
            raise ValueError(f"{kind}: input has {input.ndim} axes, wanted 2 or 3: (T, size), or with a batch")
        self._check(input)
        if input.ndim == 2:
            return input[:, None]
        return input.swapaxes(0, 1) if self.batch_first else input

    def _check(self, input: Array) -> None:
        kind = type(self).__name__
        (weight,) = self._values("weight_ih_l0")
        if input.dtype != weight.dtype:
            raise ValueError(
                f"{kind}: input is {input.dtype}, the weights are {weight.dtype}; convert one of them: "
                f"input.astype({str(weight.dtype)!r})"
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"{kind}: input has {input.shape[-1]} features, wanted input_size {self.input_size}")

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        defaults |= {"bidirectional": False}
        values = {name: getattr(self, name) for name in defaults}
        given = [f"{name}={value}" for name, value in values.items() if value != defaults[name]]
        return ", ".join([str(self.input_size), str(self.hidden_size), *given])


def _while_alive(step: Step) -> Step:
    """A step that leaves the state as it is where a sequence has ended, or from behind has not begun."""

    def masked(state: tuple[Array, ...], given: Any) -> tuple[tuple[Array, ...], Array]:
        own, alive = given
        new, output = step(state, own)
        return tuple(jnp.where(alive, a, b) for a, b in zip(new, state, strict=True)), output

    return masked


def _validate(
    kind: str,
    input_size: Any,
    hidden_size: Any,
    num_layers: int,
    bias: Any,
    batch_first: Any,
    dropout: Any,
    proj_size: int,
) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ValueError(f"{kind}: dropout is {dropout!r}, wanted a probability")
    for name, value, wanted in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, wanted):
            raise TypeError(f"{kind}: {name} is {value!r}, wanted a {wanted.__name__}")
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if size <= 0:
            raise ValueError(f"{kind}: {name} is {size}, wanted 1 or more")
    if not 0 <= proj_size < hidden_size:
        raise ValueError(f"{kind}: proj_size is {proj_size}, wanted 0 to hidden_size - 1 = {hidden_size - 1}")
