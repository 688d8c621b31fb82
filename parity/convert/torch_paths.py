"""Which module of a torch model runs now."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def module_paths(model: torch.nn.Module) -> Iterator[Callable[[], str]]:
    """While this is entered, what is yielded tells the path of the module whose forward runs."""
    names: Mapping[int, str] = {id(m): name for name, m in model.named_modules()}
    stack: list[str] = []

    def enter(module: torch.nn.Module, args: Any) -> None:
        stack.append(names.get(id(module), stack[-1] if stack else ""))

    def leave(module: torch.nn.Module, args: Any, output: Any) -> None:
        stack.pop()

    hooks = [
        torch.nn.modules.module.register_module_forward_pre_hook(enter),
        torch.nn.modules.module.register_module_forward_hook(leave),
    ]
    try:
        yield lambda: stack[-1] if stack else ""
    finally:
        for hook in hooks:
            hook.remove()
