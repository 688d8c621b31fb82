"""A run in JAX: begun from a live torch optimizer, gone on with from a file, saved to one."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.convert.optim.exactness import InexactWarning
from parity.convert.optim.jax_arrays import of_jax, to_jax
from parity.convert.optim.lbfgs import translated_lbfgs
from parity.convert.optim.places import Places, Weights
from parity.convert.optim.record import OptimizerRecord, ScheduleRecord, TrainingRecord
from parity.convert.optim.tensors import FileError
from parity.convert.optim.translated import Translated, TranslatedState
from parity.convert.optim.whole import Whole

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Resumed:
    """A run that JAX goes on with.

    Attributes:
        optimizer: An optax transformation: torch's step, with its schedule.
        params: What it trains, by torch's names in torch's layout; with a weight map the whole flax tree.
        state: The optimizer's state.
        step: Optimizer steps so far.
        others: What the file holds beside: buffers and frozen parameters, by torch's names; for `save_jax`.
    """

    optimizer: Translated
    params: Any
    state: TranslatedState
    step: int
    others: Mapping[str, Any]


def from_torch(
    optimizer: "torch.optim.Optimizer",
    weights: Weights | None = None,
    *,
    model: "torch.nn.Module | None" = None,
    scheduler: Any = None,
    steps: int | None = None,
    every: int = 1,
) -> Translated:
    """Translate a live torch optimizer: its rule, hyperparameters, param groups and, where it has stepped, its state.

    Args:
        optimizer: One of torch.optim's own classes.
        weights: A map to a flax tree: then gradients and params are that tree's, the rule runs in torch's layout, which
            makes optimizers that look at whole blocks exact, and the updates go back. Without it they are dicts by
            torch's parameter names: those of the model, else the optimizer's param_names, else "0", "1", ...
        model: Names the parameters. A weight map that covers buffers needs it too.
        scheduler: Of torch.optim.lr_scheduler, over this optimizer: all that it moves, moves; momentum and betas too.
        steps: Updates that will be taken: the schedule is tabulated so far, and is NaN after.
        every: Updates to one step of the scheduler.

    Returns:
        An optax.GradientTransformationExtraArgs whose `init(params)` gives the state that torch had reached; for
        L-BFGS, which calls a closure, a TranslatedLBFGS, whose `init(params)` gives an object with step(closure).

    Raises:
        TypeError: If the optimizer is of another class.
        ValueError: If something cannot be translated; the message says what.

    Warns:
        InexactWarning: Where JAX's step is not torch's up to rounding; `notes` keeps the sentences.

    Examples:
        >>> import torch
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> tx = from_torch(torch.optim.SGD([("weight", weight)], lr=0.5))
        >>> params = {"weight": jnp.ones(2)}
        >>> updates, state = tx.update({"weight": jnp.ones(2)}, tx.init(params), params)
        >>> updates["weight"].tolist()
        [-0.5, -0.5]
    """
    from parity.convert.optim.torch_record import describe, tensors_of
    from parity.convert.optim.torch_schedule import describe_schedule

    record = describe(optimizer, model)
    schedule = None if scheduler is None else describe_schedule(scheduler, optimizer, steps, every)
    if model is None:
        whole = Whole(dict(zip(record.names, record.shapes, strict=True)))
    else:
        tensors, ties = tensors_of(model.state_dict())
        whole = Whole({name: tensor.shape for name, tensor in tensors.items()}, ties)
    return _translated(record, schedule, weights, whole)


def load_jax(path: str | Path, weights: Weights | None = None) -> Resumed:
    """Go on in JAX with a run that `save_torch` or `save_jax` wrote; torch is not needed.

    Args:
        path: The file.
        weights: A map to a flax tree, as `from_torch` takes it.

    Returns:
        The run.

    Raises:
        FileError: If the file cannot be read, or holds no optimizer.
        ValueError: If JAX would round what it holds.

    Examples:
        >>> import torch, tempfile
        >>> from parity.convert.optim.torch_run import save_torch
        >>> model = torch.nn.Linear(2, 1)
        >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
        >>> save_torch(path, model, torch.optim.SGD(model.parameters(), lr=0.5), step=7)
        >>> run = load_jax(path)
        >>> run.step, {name: array.shape for name, array in run.params.items()}
        (7, {'weight': (1, 2), 'bias': (1,)})
        >>> updates, state = run.optimizer.update(run.params, run.state, run.params)
        >>> updates["weight"].shape
        (1, 2)
    """
    record = TrainingRecord.load(path)
    if record.optimizer is None:
        raise FileError(f"optim: {path} holds parameters alone, no optimizer; save the run with save_torch")
    lost = [name for name in record.optimizer.names if name not in record.model]
    if lost:
        raise FileError(f"optim: {path} holds the optimizer's state of {', '.join(lost[:8])}, but no such parameters")
    whole = Whole({name: tensor.shape for name, tensor in record.model.items()}, record.ties)
    optimizer = _translated(record.optimizer, record.schedule, weights, whole)
    arrays = {name: to_jax(tensor, name) for name, tensor in record.model.items()}
    places = optimizer.places
    if weights is None or places is None:
        params: Any = {name: arrays[name] for name in record.optimizer.names}
        others = {name: array for name, array in arrays.items() if name not in params}
    else:
        params = jax.tree.map(jnp.array, weights.to_jax({name: np.asarray(array) for name, array in arrays.items()}))
        others = {name: array for name, array in arrays.items() if name not in places.gradients}
    return Resumed(optimizer, params, optimizer.init(params), record.step, others)


def save_jax(
    path: str | Path,
    optimizer: Translated,
    params: Any,
    state: TranslatedState,
    *,
    step: int,
    others: Mapping[str, Any] | None = None,
) -> None:
    """Write a run of JAX as one file, from which `load_torch` and `load_jax` go on; torch is not needed.

    Args:
        path: The file; it is replaced whole or not at all.
        optimizer: What `from_torch` or `load_jax` gave.
        params: As `update` takes them.
        state: As `update` gave it.
        step: Optimizer steps so far.
        others: What the torch model has beside and `params` has not, by torch's names: buffers, frozen parameters.

    Raises:
        ValueError: If something that the torch model has is in neither.
        OSError: If the file cannot be written.

    Examples:
        >>> import torch, tempfile
        >>> tx = from_torch(torch.optim.SGD([("weight", torch.nn.Parameter(torch.ones(2)))], lr=0.5))
        >>> params = {"weight": jnp.ones(2)}
        >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
        >>> save_jax(path, tx, params, tx.init(params), step=3)
        >>> load_jax(path).step, load_jax(path).params["weight"].tolist()
        (3, [1.0, 1.0])
    """
    arrays = dict(params) if optimizer.places is None else optimizer.places.all_to_torch(params)
    arrays |= dict(others or {})
    lost, strange = sorted(set(optimizer.whole.shapes) - set(arrays)), sorted(set(arrays) - set(optimizer.whole.shapes))
    if lost or strange:
        raise ValueError(
            f"optim: the torch model has {', '.join(lost[:8]) or 'nothing'} that neither params nor others hold, and "
            f"they hold {', '.join(strange[:8]) or 'nothing'} that it has not; give others=..., from load_jax or the "
            "model's state_dict"
        )
    tensors = {name: of_jax(arrays[name]) for name in optimizer.whole.shapes}
    record, schedule = optimizer.record_of(state), optimizer.schedule_of(state)
    ties, origin = dict(optimizer.whole.ties), {"jax": version("jax")}
    TrainingRecord(tensors, ties, record, schedule, step, origin).save(path)


def _translated(record: OptimizerRecord, schedule: ScheduleRecord | None, weights: Weights | None, whole: Whole) -> Any:
    if record.kind == "LBFGS":
        return translated_lbfgs(record, whole, weights, schedule)
    if weights is not None and not record.is_named:
        raise ValueError(
            "optim: a weight map goes by torch's names, and this optimizer's parameters have none; give "
            "from_torch(..., model=model), or build the optimizer with model.named_parameters()"
        )
    places = None if weights is None else Places.learn(weights, record.names, whole.shapes)
    optimizer = Translated(record, schedule, places, whole)
    for note in optimizer.notes:
        warnings.warn(note, InexactWarning, stacklevel=3)
    return optimizer
