"""Every cause that the catalogue can name, in one line each: what the README lists."""

from parity.checking.causes.layer_catalogue import CATALOGUE
from parity.sides.torch_emulations import FAMILIES
from parity.sides.torch_losses import SETTINGS
from parity.sides.torch_updates import OPTIONS

HELD = (
    "transposed or with axes in another order",
    "swapped with an equal sibling",
    "flipped",
    "blocks in another order: query, key and value, or gates",
    "flattened in the other order",
    "never filled",
)


def known() -> dict[str, tuple[str, ...]]:
    """The causes by where they are found.

    Returns:
        Place -> the causes there, in words.

    Examples:
        >>> sum(map(len, known().values())) >= 40
        True
    """
    layers = tuple((entry.__doc__ or "").strip().splitlines()[0].rstrip(".") for entry in CATALOGUE)
    between = tuple(f"{family}: {', '.join(settings)}" for family, settings in FAMILIES.items())
    return {
        "a layer": layers,
        "between layers": between,
        "a weight that JAX holds": HELD,
        "the loss": SETTINGS,
        "the optimizer": (*OPTIONS, "coupled or decoupled decay", "clipping: none, or by the norm without 1e-6"),
        "the models": ("dropout on in one side", "train mode on one side", "a weight trained on one side alone"),
    }
