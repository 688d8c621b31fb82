"""L-BFGS goes over and back: the vectors of all parameters in torch's order, with a line search and without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from convert.optim.moves import apart

import parity

pytestmark = pytest.mark.part(2)

START = {"w": np.linspace(-1.0, 2.0, 6).reshape(2, 3), "b": np.array([0.5, -0.25])}  # torch's order is not JAX's


def cost(w, b, sqrt):
    """A valley that bends, so that the directions need their history."""
    return ((w**2).sum() - 1) ** 2 + (w[0] * w[1]).sum() ** 2 + (sqrt(1 + b**2)).sum() + 0.3 * (w[:, 0] * b).sum()


class Run:
    def __init__(self, options, arrays=START):
        self.parameters = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in arrays.items()}
        self.optimizer = torch.optim.LBFGS(list(self.parameters.items()), **options)

    def steps(self, count):
        def closure():
            self.optimizer.zero_grad()
            loss = cost(**self.parameters, sqrt=torch.sqrt)
            loss.backward()
            return loss

        for _ in range(count):
            self.optimizer.step(closure)
        return self

    def arrays(self):
        return {name: p.detach().numpy().copy() for name, p in self.parameters.items()}


class Held(torch.nn.Module):
    def __init__(self, run):
        super().__init__()
        for name, parameter in run.parameters.items():
            self.register_parameter(name, parameter)


@pytest.mark.parametrize("options", [{"lr": 0.1, "max_iter": 3}, {"max_iter": 2, "line_search_fn": "strong_wolfe"}])
def test_a_run_that_goes_over_and_back_is_the_unbroken_one(wide, tmp_path, options):
    unbroken = Run(options).steps(6)
    first = Run(options).steps(2)
    parity.optim.save_torch(tmp_path / "run", Held(first), first.optimizer, step=2)
    run = parity.optim.load_jax(tmp_path / "run")
    live = run.state
    closure = jax.jit(lambda p: jax.value_and_grad(lambda p: cost(**p, sqrt=jnp.sqrt))(p))
    for _ in range(2):
        live.step(closure)
    parity.optim.save_jax(tmp_path / "run", run.optimizer, live.params, live, step=4)
    last = Run(options, {name: np.zeros_like(array) for name, array in START.items()})
    assert parity.optim.load_torch(tmp_path / "run", Held(last), last.optimizer) == 4
    assert apart(last.steps(2).arrays(), unbroken.arrays()) <= 1e-12


def test_its_history_is_what_a_fault_would_lose(wide):
    options = {"lr": 0.1, "max_iter": 3}
    unbroken, first = Run(options).steps(4), Run(options).steps(2)
    forgetful = Run(options, first.arrays()).steps(2)
    assert apart(forgetful.arrays(), unbroken.arrays()) > 1e-5


def test_a_weight_map_is_refused():
    run = Run({})
    with pytest.raises(ValueError, match="L-BFGS is translated without a weight map"):
        parity.optim.from_torch(run.optimizer, object())
