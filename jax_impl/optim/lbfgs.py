"""L-BFGS: Newton's method with a curvature remembered from the last steps."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least
from jax_impl.optim.line_search import Point, strong_wolfe

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
        params: dict[str, Float[Array, "..."]],
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
            if jnp.iscomplexobj(p):
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

    def _direction(self, s: LBFGSSlots, g: Float[Array, " n"]) -> LBFGSSlots:
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
        # as many pairs as there can be, the missing ones zeros, which change nothing: compiled once for all steps
        missing, none = self.history_size - len(s.ro), jnp.zeros_like(g)
        ro = np.array((0.0,) * missing + s.ro, g.dtype)
        return s._replace(d=_two_loops(g, (none,) * missing + s.old_dirs, (none,) * missing + s.old_stps, ro, s.H_diag))

    def _flat(self, nest: dict[str, Any]) -> Float[Array, " n"]:
        """The arrays of all parameters in one vector, in the parameters' order."""
        rows = []
        for name, p in self.params.items():
            x = nest[name]
            rows.append(jnp.zeros_like(p).ravel() if x is None else jnp.asarray(x, p.dtype).ravel())
        return jnp.concatenate(rows)

    def _nest(self, x: Float[Array, " n"]) -> dict[str, Float[Array, "..."]]:
        """The inverse of _flat."""
        nest, at = {}, 0
        for name, p in self.params.items():
            nest[name] = x[at : at + p.size].reshape(p.shape)
            at += p.size
        return nest


@jax.jit
def _two_loops(
    g: Float[Array, " n"], old_dirs: tuple[Any, ...], old_stps: tuple[Any, ...], ro: Float[Array, " m"], H_diag: float
) -> Float[Array, " n"]:
    pairs = (jnp.stack(old_dirs), jnp.stack(old_stps), ro)  # (m, n), (m, n), (m,)

    def down(q: Array, pair: Any) -> tuple[Array, Array]:
        y, step, ro = pair
        a = _product(step, q) * ro
        return q - a * y, a

    def up(q: Array, pair: Any) -> tuple[Array, None]:
        (y, step, ro), a = pair
        return q + (a - _product(y, q) * ro) * step, None

    q, al = jax.lax.scan(down, -g, pairs, reverse=True)
    return jax.lax.scan(up, q * H_diag, (pairs, al))[0]


def _product(x: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    return jnp.dot(x, y, precision=jax.lax.Precision.HIGHEST)


def _dot(x: Float[Array, " n"], y: Float[Array, " n"]) -> float:
    return float(_product(x, y))


def _largest(x: Float[Array, " n"]) -> float:
    return float(abs(x).max())
