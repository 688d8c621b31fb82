"""A WeightMap: which torch weight lies where in which JAX weight, both ways, as a table and as JSON."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Self

import numpy as np

from parity.convert import leaves
from parity.convert.layouts import Layout, LayoutError
from parity.convert.mapping_error import MappingError, left_over
from parity.convert.places import part_of
from parity.files import write_atomically
from parity.sides.correspondence import leaf_name

FORMAT = "parity weight map 1"
LARGEST = 2**34  # elements; a file that claims more weights than any host holds is not believed


@dataclass(frozen=True)
class Rule:
    """One line of a map.

    Attributes:
        torch: Name of a torch leaf, with a NumPy index where the rule covers a part: "attn.qkv.weight[0:8]".
        jax: Path of a JAX leaf, the same way: "blocks.kernel[2]".
        layout: The axis pattern between the two.
        plus: A torch leaf that is added to `torch`, and is zero on the way back; "" for none.
        note: A remark.

    Examples:
        >>> rule = Rule("fc.weight", "head.kernel", Layout.parse("o i -> i o"))
        >>> print(rule)
        fc.weight  o i -> i o  head.kernel
    """

    torch: str
    jax: str
    layout: Layout
    plus: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.torch}{f' + {self.plus}' if self.plus else ''}  {self.layout}  {self.jax}"


@dataclass(frozen=True)
class WeightMap:
    """Where each weight of a torch model lies in a JAX model, and the other way.

    Attributes:
        rules: The lines, in the order in which the JAX model uses its weights.
        torch_shapes: Every floating leaf of the torch state_dict that has a partner.
        jax_shapes: Every leaf of the JAX state that has one.
        jax_paths: The keys of each JAX leaf's path.
        aliases: Other names of tied torch leaves, each with the name that the rules use.
        torch_alone, jax_alone: Leaves that have no partner by rule, each with the reason.
        proof: What was proven, in words; "" for a map that was edited or read from a file.

    Raises:
        MappingError: If an element of a leaf is covered by no rule or by two.

    Examples:
        >>> rule = Rule("fc.weight", "head.kernel", Layout.parse("o i -> i o"))
        >>> shapes = {"fc.weight": (3, 2)}, {"head.kernel": (2, 3)}
        >>> weights = WeightMap((rule,), *shapes, {"head.kernel": ("head", "kernel")})
        >>> weights.to_jax({"fc.weight": np.arange(6.0).reshape(3, 2)})["head"]["kernel"].tolist()
        [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    """

    rules: tuple[Rule, ...]
    torch_shapes: Mapping[str, tuple[int, ...]]
    jax_shapes: Mapping[str, tuple[int, ...]]
    jax_paths: Mapping[str, leaves.Path]
    aliases: Mapping[str, str] = field(default_factory=dict)
    torch_alone: Mapping[str, str] = field(default_factory=dict)
    jax_alone: Mapping[str, str] = field(default_factory=dict)
    proof: str = ""

    def __post_init__(self) -> None:
        self._check_cover()

    def __len__(self) -> int:
        return len(self.rules)

    def to_jax(self, torch_state: Mapping[str, Any], like: Any = None, *, views: bool = False) -> dict[Any, Any]:
        """The JAX weights that a torch state_dict is, bit for bit.

        Args:
            torch_state: `model.state_dict()`, or NumPy arrays by its names.
            like: A JAX state from which the leaves without a partner are taken; without, they are left out.
            views: Whether arrays may lie over the memory of those given, where all of a leaf is one tensor's; what is a
                sum of two is float64 then.

        Returns:
            Nested dicts of NumPy arrays: for `nnx.update(model, ...)`, or a Linen module's variables.

        Raises:
            MappingError: If leaves are missing or have other shapes.
        """
        arrays = leaves.torch_arrays(torch_state)
        _check_names("torch", arrays, self.torch_shapes, known={*self.aliases, *self.torch_alone})
        found: dict[str, np.ndarray] = {}
        sums = {leaf_name(rule.jax) for rule in self.rules if rule.plus}
        for rule in self.rules:
            source, _ = part_of(rule.torch, arrays, "torch")
            if rule.plus:
                source = np.add(source, part_of(rule.plus, arrays, "torch")[0], dtype=np.float64 if views else None)
            name = leaf_name(rule.jax)
            alone = views and name == rule.jax
            if alone and (whole := rule.layout.seen_by_jax(source, self.jax_shapes[name])) is not None:
                found[name] = whole
                continue
            if name not in found:
                found[name] = np.zeros(self.jax_shapes[name], np.float64 if views and name in sums else source.dtype)
            rule.layout.to_jax(source, part_of(rule.jax, found, "jax")[0])
        kept = (
            {p: np.asarray(v) for p, v in leaves.jax_leaves(like) if leaves.dotted(p) in self.jax_alone} if like else {}
        )
        return leaves.nested({self.jax_paths[name]: array for name, array in found.items()} | kept)

    def to_torch(self, jax_state: Any, like: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The torch state_dict that JAX weights are, bit for bit.

        Args:
            jax_state: An NNX module or State, a Linen module's variables, or what `to_jax` returns.
            like: A state_dict from which the leaves without a partner are taken; without, they are left out.

        Returns:
            Tensors by name, for `model.load_state_dict`; tied weights under each of their names.

        Raises:
            MappingError: If leaves are missing or have other shapes.
        """
        arrays = leaves.jax_arrays(jax_state)
        _check_names("jax", arrays, self.jax_shapes, known=set(self.jax_alone))
        found = {name: leaves.tensor(array) for name, array in self.to_torch_arrays(arrays).items()}
        found |= {alias: found[name] for alias, name in self.aliases.items()}
        return found | {name: like[name] for name in self.torch_alone if like is not None and name in like}

    def to_torch_arrays(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same from and as NumPy arrays by name, without aliases: gradients go back by it too."""
        return self.to_torch_arrays_of(dict(arrays), views=False)

    def to_torch_arrays_of(
        self, arrays: dict[str, np.ndarray], *, views: bool = True, gradients: bool = False
    ) -> dict[str, np.ndarray]:
        """The same of arrays that nobody needs any more: each is taken out once it is read.

        With `views`, those that lie alike on both sides are over the memory of those given; others are read more than
        once from then on, and copied. Of what is a sum in JAX the first of torch's two gets all and the second zeros;
        with `gradients` each gets all, since a sum's gradient is that of both its terms.
        """
        found: dict[str, np.ndarray] = {}
        left = Counter(leaf_name(rule.jax) for rule in self.rules)
        added = {leaf_name(rule.plus) for rule in self.rules if rule.plus}
        for rule in self.rules:
            source, _ = part_of(rule.jax, arrays, "jax")
            left[leaf_name(rule.jax)] -= 1
            if not left[leaf_name(rule.jax)]:
                del arrays[leaf_name(rule.jax)]
            name = leaf_name(rule.torch)
            alone = views and name == rule.torch and not rule.plus
            whole = rule.layout.seen_by_torch(source, self.torch_shapes[name]) if alone else None
            if whole is not None and whole.flags.c_contiguous:
                found[name] = whole
                continue
            for place in filter(None, (rule.torch, rule.plus)):
                name = leaf_name(place)
                if name not in found:
                    # The rules write to every element, but for what is added.
                    found[name] = (np.zeros if name in added else np.empty)(self.torch_shapes[name], source.dtype)
            for place in (rule.torch, rule.plus) if rule.plus and gradients else (rule.torch,):
                rule.layout.to_torch(source, part_of(place, found, "torch")[0])
        return found

    def edited(self, *changed: Rule) -> "WeightMap":
        """The map with the rules for the same JAX places replaced; unproven until `map_weights` is given it.

        Raises:
            MappingError: If the rules then cover an element twice or not at all.
        """
        by_place = {rule.jax: rule for rule in changed}
        unknown = sorted(by_place.keys() - {rule.jax for rule in self.rules})
        if unknown:
            raise MappingError(
                f"edited: no rule of the map is for {', '.join(unknown)}; print the map to see its places"
            )
        return replace(self, rules=tuple(by_place.get(r.jax, r) for r in self.rules), proof="")

    def unturned(self, layers: Iterable[str]) -> "WeightMap | None":
        """The map in which no factors of an axis change places in the leaves of some JAX layers.

        Args:
            layers: Paths of JAX layers.

        Returns:
            The map, unproven, or None where that is what it is already.
        """
        beginnings = tuple(f"{path}." for path in layers)
        turned = [r for r in self.rules if r.jax.startswith(beginnings) and r.layout.unturned() != r.layout]
        return self.edited(*(replace(r, layout=r.layout.unturned()) for r in turned)) if turned else None

    def laid_otherwise(self) -> tuple[Rule, ...]:
        """The rules under which an axis runs backwards, or its factors stand in another order, as after a flatten."""
        backwards = (
            any(atom.reverse for axis in (*rule.layout.torch, *rule.layout.jax) for atom in axis) for rule in self.rules
        )
        pairs = zip(self.rules, backwards, strict=True)
        return tuple(rule for rule, back in pairs if back or rule.layout.unturned() != rule.layout)

    def __str__(self) -> str:
        from parity.convert.map_table import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from parity.convert.map_table import as_html

        return as_html(self)

    def to_json(self, path: str | FilePath) -> None:
        """Write the map to a file, whole or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        content = {
            "format": FORMAT,
            "rules": [
                {
                    "torch": r.torch,
                    "layout": str(r.layout),
                    "jax": r.jax,
                    **({"sizes": dict(r.layout.sizes)} if r.layout.sizes else {}),
                    **({"plus": r.plus} if r.plus else {}),
                    **({"note": r.note} if r.note else {}),
                }
                for r in self.rules
            ],
            "torch": {name: list(shape) for name, shape in self.torch_shapes.items()},
            "jax": {
                name: {"path": list(self.jax_paths[name]), "shape": list(shape)}
                for name, shape in self.jax_shapes.items()
            },
            "aliases": dict(self.aliases),
            "torch_alone": dict(self.torch_alone),
            "jax_alone": dict(self.jax_alone),
        }
        write_atomically(FilePath(path), json.dumps(content, indent=1) + "\n")

    @classmethod
    def from_json(cls, path: str | FilePath) -> Self:
        """Read a map, which may have been edited by hand; nothing in the file is trusted.

        Raises:
            MappingError: If it is no weight map, or its rules do not cover every element once.
            OSError: If it cannot be read.
        """
        try:
            content = json.loads(FilePath(path).read_text("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise MappingError(f"{path} is no weight map: {error}") from None
        try:
            return cls(**_parsed(content))
        except (LayoutError, MappingError, AttributeError, KeyError, TypeError, ValueError) as error:
            told = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise MappingError(f"{path} is no weight map that can be used: {told}") from None

    def _check_cover(self) -> None:
        """Every element of every leaf once: counted, since parts may lie anywhere."""
        shapes = {"torch": self.torch_shapes, "jax": self.jax_shapes}
        total = sum(math.prod(shape) for side in shapes.values() for shape in side.values())
        if total > LARGEST:
            raise MappingError(f"the map claims {total} elements, more than {LARGEST}")
        counts = {side: {n: np.zeros(shape, np.int8) for n, shape in found.items()} for side, found in shapes.items()}
        for rule in self.rules:
            torch, jax = part_of(rule.torch, counts["torch"], "torch")[0], part_of(rule.jax, counts["jax"], "jax")[0]
            try:
                left, right = rule.layout.views(torch, jax)
            except LayoutError as error:
                raise MappingError(f"the rule  {rule}  does not fit: {error}") from None
            np.minimum(left + 1, 2, out=left)  # a third rule is told as two are
            np.minimum(right + 1, 2, out=right)
            if rule.plus:
                other = part_of(rule.plus, counts["torch"], "torch")[0]
                if other.shape != torch.shape:
                    raise MappingError(f"the rule  {rule}  adds shape {other.shape} to {torch.shape}")
                np.minimum(other + 1, 2, out=other)
        for side, found in counts.items():
            for what, wrong in (("no rule", 0), ("two rules", 2)):
                names = tuple(n for n, c in found.items() if (c == wrong).any())
                if names:
                    raise left_over(f"{what} for elements of {', '.join(names)} ({side})", side, names)


def _parsed(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise MappingError(f"wanted an object with format {FORMAT!r}")
    rules = []
    for entry in content["rules"]:
        sizes = entry.get("sizes", {})
        texts = [entry["torch"], entry["layout"], entry["jax"], entry.get("plus", ""), entry.get("note", "")]
        if not all(isinstance(t, str) for t in texts) or not isinstance(sizes, dict):
            raise MappingError(f"a rule is made of texts and sizes, got {entry}")
        rules.append(Rule(texts[0], texts[2], Layout.parse(texts[1], **sizes), texts[3], texts[4]))
    names = {key: content.get(key, {}) for key in ("aliases", "torch_alone", "jax_alone")}
    torch = {name: _shape(shape) for name, shape in content["torch"].items()}
    for key, table in names.items():
        if not all(isinstance(v, str) for v in table.values()):
            raise MappingError(f"{key} holds texts by name")
    strange = sorted(set(names["aliases"].values()) - torch.keys())
    if strange:
        raise MappingError(f"aliases of unknown leaves {', '.join(strange)}")
    paths = {name: tuple(entry["path"]) for name, entry in content["jax"].items()}
    for name, path in paths.items():
        if not path or not all(isinstance(key, (str, int)) for key in path) or leaves.dotted(path) != name:
            raise MappingError(f"the path of {name} is {list(path)}")
    shapes = {name: _shape(entry["shape"]) for name, entry in content["jax"].items()}
    return {"rules": tuple(rules), "torch_shapes": torch, "jax_shapes": shapes, "jax_paths": paths, **names}


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(n) is int and 0 <= n <= LARGEST for n in value) or len(value) > 32:
        raise MappingError(f"a shape is a list of sizes, got {value!r}")
    return tuple(value)


def _check_names(
    side: str, arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], known: Iterable[str]
) -> None:
    known = set(known)
    missing = tuple(sorted(shapes.keys() - arrays.keys()))
    extra = tuple(sorted(arrays.keys() - shapes.keys() - known))
    if missing or extra:
        told = "; ".join(f"{w}: {', '.join(n)}" for w, n in (("missing", missing), ("without a rule", extra)) if n)
        raise left_over(f"the {side} weights are not those of the map: {told}", side, missing + extra)
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise MappingError(f"{name} ({side}) has shape {arrays[name].shape}, the map is for {shape}")
