"""Models whose input is a dict, as tokenizers make it: checked, mapped, recorded, and read from a file."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn

import parity
from parity.cli.inputs import inputs_of

IDS = np.array([[5, 3, 1, 0], [2, 6, 0, 0], [4, 4, 3, 2]])
BATCH = {"input_ids": IDS, "attention_mask": IDS > 0}


class Pooled(nn.Module):
    """The mean of the tokens that the mask keeps, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(8, 6), nn.Linear(6, 3)

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.named(**batch)

    def named(self, *, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        kept = attention_mask[..., None]
        return {"logits": self.head((self.words(input_ids) * kept).sum(1) / kept.sum(1))}


class JaxPooled(nnx.Module):
    """The same; `by` is what it divides by."""

    def __init__(self, by: str = "kept") -> None:
        rngs = nnx.Rngs(0)
        self.table, self.out, self.by = nnx.Embed(8, 6, rngs=rngs), nnx.Linear(6, 3, rngs=rngs), by

    def __call__(self, batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return self.named(**batch)

    def named(self, *, input_ids: jax.Array, attention_mask: jax.Array) -> dict[str, jax.Array]:
        kept = attention_mask[..., None]
        count = kept.sum(1) if self.by == "kept" else jnp.full((len(kept), 1), kept.shape[1])
        return {"logits": self.out((self.table(input_ids) * kept).sum(1) / count)}


def called(side: Any, model: Any) -> Any:
    """The model with the dict taken apart into keyword arguments."""
    return side(model, call=lambda m, batch: m.named(**batch))


def from_file(tmp_path: Path) -> tuple[Any, ...]:
    """The batch as the command line reads it, by dotted names."""
    np.savez(tmp_path / "in.npz", **{f"batch.{name}": array for name, array in BATCH.items()})
    return inputs_of(str(tmp_path / "in.npz"))


def test_a_dict_arrives_whole_or_as_keywords_and_from_a_file(tmp_path: Path):
    torch.manual_seed(0)
    model, twin = Pooled(), JaxPooled()
    (batch,) = from_file(tmp_path)
    assert {name: array.tolist() for name, array in batch.items()} == {n: a.tolist() for n, a in BATCH.items()}
    report = parity.check(model, twin, batch)
    assert report, str(report)
    assert {f.torch_path for f in report.findings if f.stage == "forward"} == {"logits"}
    report = parity.check(called(parity.TorchSide, model), called(parity.JaxSide, twin), BATCH, weights="auto")
    assert report, str(report)


@pytest.mark.parametrize("by", ["kept", "all"])
def test_a_dict_is_mapped_recorded_and_compared(by: str, tmp_path: Path):
    torch.manual_seed(0)
    model, twin = Pooled(), JaxPooled(by)
    weights = parity.map_weights(model, JaxPooled(), BATCH)
    assert {str(rule).split()[0] for rule in weights.rules} == {"words.weight", "head.weight", "head.bias"}
    parity.record(model, BATCH).save(tmp_path / "torch.st")
    left = parity.Recording.load(tmp_path / "torch.st")
    right = parity.record(called(parity.JaxSide, twin), BATCH, beside=left, weights=weights)
    assert bool(parity.compare(left, right)) is (by == "kept")
