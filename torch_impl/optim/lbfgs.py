"""L-BFGS: Newton's method with a curvature remembered from the last steps."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.optim.arguments import at_least
from torch_impl.optim.line_search import Point, strong_wolfe

__all__ = ["LBFGS"]

LBFGSSlots = namedtuple(
    "LBFGSSlots",
    "func_evals n_iter d t old_dirs old_stps ro H_diag prev_flat_grad prev_loss",
    defaults=(0, 0, None, None, (), (), (), None, None, None),
)


class LBFGS:
    """Quasi-Newton steps, several of them for each call, by a closure that evaluates the cost anew.

    y = g - g_before,       s = t d of the step before      kept where y.s > 1e-10, the last history_size of them
    d = -H g                H from the pairs (y, s) by the two-loop recursion, begun with y.s / y.y
    p = p + t d             t = lr, at the very first step lr min(1, 1/|g|_1); or what the line search finds

    It is no gradient transformation: the number of evaluations depends on the cost, and what it does between them runs
    on the host. The state holds torch's slots, for all parameters together as one flat vector, in the parameters' order
    (a dict's own order).

    Args:
        params: parameters by name, real.
        lr: learning rate, at least 0.
        max_iter: steps a call, at most.
        max_eval: evaluations a call, at most; None for max_iter * 5 // 4.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where a step changes neither a parameter nor the cost by more.
        history_size: pairs to keep.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ValueError: for a hyperparameter out of range, or a complex parameter.

    Examples:
        >>> optimizer = LBFGS({"w": array([3.0])}, line_search_fn="strong_wolfe")
        >>> closure = lambda params: ((params["w"] ** 2).sum(), {"w": 2 * params["w"]})
        >>> float(optimizer.step(closure)), [round(w, 6) for w in optimizer.params["w"].tolist()]
        (9.0, [0.0])

    References:
        J. Nocedal and S. J. Wright, "Numerical Optimization" (2006), algorithm 7.4; PyTorch, torch.optim.LBFGS.
    """

    def __init__(
        self,
        params: dict[str, Float[Tensor, "..."]],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        """Keep the parameters and the hyperparameters; there is no curvature yet.

        Args:
            params, lr, max_iter, max_eval, tolerance_grad, tolerance_change, history_size, line_search_fn: as above.
        """
        at_least("LBFGS", 0.0, lr=lr)
        if line_search_fn not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn is {line_search_fn!r}, wanted None or 'strong_wolfe'")
        for name, p in params.items():
            if p.is_complex():
                raise ValueError(f"LBFGS: {name} is {p.dtype}, wanted a real one; give its real and imaginary parts")
        self.params = dict(params)
        self.state = LBFGSSlots()
        self.lr = float(lr)
        self.max_iter, self.max_eval = max_iter, max_iter * 5 // 4 if max_eval is None else max_eval
        self.tolerance_grad, self.tolerance_change = tolerance_grad, tolerance_change
        self.history_size, self.line_search_fn = history_size, line_search_fn

    def step(self, closure: Callable[[dict[str, Any]], tuple[Any, dict[str, Any]]]) -> Any:
        """Take up to max_iter steps; params and state are then those after the last.

        Args:
            closure: closure(params) -> (cost, gradients); a gradient None counts as zeros, as torch's does here.

        Returns:
            The cost before the first step, as the closure gave it.
        """

        def evaluate(x: Any) -> tuple[Any, float, Any]:
            cost, gradients = closure(self._nest(x))
            return cost, float(cost), self._flat(gradients)

        s, x = self.state, self._flat(self.params)
        first_cost, loss, g = evaluate(x)
        evals = 1
        s = s._replace(func_evals=s.func_evals + 1)
        small = _largest(g) <= self.tolerance_grad
        for iteration in range(1, self.max_iter + 1):
            if small:
                break
            s = self._direction(s._replace(n_iter=s.n_iter + 1), g)
            t = self.lr * (min(1.0, 1.0 / float(abs(g).sum())) if s.n_iter == 1 else 1.0)
            s = s._replace(prev_flat_grad=g, prev_loss=loss, t=t)
            slope = _dot(g, s.d)
            if slope > -self.tolerance_change:
                break
            used = 0
            if self.line_search_fn:

                def along(t: float, x: Any = x, d: Any = s.d) -> Point:
                    _, f, g = evaluate(x + float(t) * d)
                    return Point(t, f, g, _dot(g, d))

                point, used = strong_wolfe(
                    along, Point(0.0, loss, g, slope), t, size=_largest(s.d), max_ls=self.max_eval - evals
                )
                t, loss, g = float(point.t), point.f, point.g
                s = s._replace(t=t)
                x = x + t * s.d
            else:
                x = x + t * s.d
                if iteration != self.max_iter:  # the next call begins by evaluating here
                    _, loss, g = evaluate(x)
                    used = 1
            small = _largest(g) <= self.tolerance_grad
            evals += used
            s = s._replace(func_evals=s.func_evals + used)
            still = _largest(s.d) * abs(t) <= self.tolerance_change or abs(loss - s.prev_loss) < self.tolerance_change
            if evals >= self.max_eval or still:
                break
        self.state, self.params = s, self._nest(x)
        return first_cost

    def _direction(self, s: LBFGSSlots, g: Float[Tensor, " n"]) -> LBFGSSlots:
        """The state with the pair of the step before added, and the direction to go."""
        if s.n_iter == 1:
            return s._replace(d=-g, old_dirs=(), old_stps=(), ro=(), H_diag=1.0)
        y, step = g - s.prev_flat_grad, s.d * s.t
        ys = _dot(y, step)
        if ys > 1e-10:
            first = max(len(s.old_dirs) + 1 - self.history_size, 0)
            s = s._replace(
                old_dirs=(*s.old_dirs, y)[first:],
                old_stps=(*s.old_stps, step)[first:],
                ro=(*s.ro, 1.0 / ys)[first:],
                H_diag=ys / _dot(y, y),
            )
        q, al = -g, []
        for y, step, ro in zip(s.old_dirs[::-1], s.old_stps[::-1], s.ro[::-1], strict=True):
            al.append(_dot(step, q) * ro)
            q = q - al[-1] * y
        q = q * s.H_diag
        for y, step, ro, a in zip(s.old_dirs, s.old_stps, s.ro, al[::-1], strict=True):
            q = q + (a - _dot(y, q) * ro) * step
        return s._replace(d=q)

    def _flat(self, nest: dict[str, Any]) -> Float[Tensor, " n"]:
        """The arrays of all parameters in one vector, in the parameters' order."""
        rows = []
        for name, p in self.params.items():
            x = nest[name]
            rows.append(torch.zeros_like(p).flatten() if x is None else x.detach().flatten())
        return torch.cat(rows)

    def _nest(self, x: Float[Tensor, " n"]) -> dict[str, Float[Tensor, "..."]]:
        """The inverse of _flat."""
        nest, at = {}, 0
        for name, p in self.params.items():
            nest[name] = x[at : at + p.numel()].view_as(p)
            at += p.numel()
        return nest


def _dot(x: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> float:
    return x.dot(y).item()


def _largest(x: Float[Tensor, " n"]) -> float:
    return float(abs(x).max())
