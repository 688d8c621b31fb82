"""A WeightMap as a table: in plain text for a terminal, and as HTML for a notebook."""

from typing import TYPE_CHECKING

from parity.markup import listing
from parity.sides.correspondence import leaf_name

if TYPE_CHECKING:
    from parity.convert.weight_map import Rule, WeightMap

UNPROVEN = "not proven: edited, or read from a file"


def as_text(weights: "WeightMap") -> str:
    """A line a rule in aligned columns, then what has no rule, then what was proven.

    Args:
        weights: The map.
    """
    rows = [(_torch(r), str(r.layout), r.jax, r.note) for r in weights.rules]
    head = ("torch", "layout", "jax", "")
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(3)]
    lines = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join([*lines, *_notes(weights)])


def as_html(weights: "WeightMap") -> str:
    """The same for a notebook, with the shapes of the leaves on both sides; every name is escaped.

    Args:
        weights: The map.
    """
    torch, jax = weights.torch_shapes, weights.jax_shapes
    rows = [
        (_torch(r), _shape(torch[leaf_name(r.torch)]), str(r.layout), r.jax, _shape(jax[leaf_name(r.jax)]), r.note)
        for r in weights.rules
    ]
    heads = ("torch", "shape", "layout", "jax", "shape", "note")
    columns = len(heads) if any(r.note for r in weights.rules) else len(heads) - 1
    return listing(
        f"WeightMap of {len(rows):,} rules", heads[:columns], [row[:columns] for row in rows], _notes(weights)
    )


def _torch(rule: "Rule") -> str:
    return f"{rule.torch} + {rule.plus}" if rule.plus else rule.torch


def _shape(shape: tuple[int, ...]) -> str:
    return str(tuple(shape))


def _notes(weights: "WeightMap") -> list[str]:
    notes = [f"{alias} is tied to {name}" for alias, name in weights.aliases.items()]
    for side, alone in (("torch", weights.torch_alone), ("jax", weights.jax_alone)):
        notes += [f"{name} ({side} alone): {why}" for name, why in alone.items()]
    return [*notes, weights.proof or UNPROVEN]
