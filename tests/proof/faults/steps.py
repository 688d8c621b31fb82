"""Optimizer steps: each side makes some of them along the same gradients, which are inputs, as is the start."""

import torch

from proof.faults.fault import Fault, normal

STEPS = normal(p=(6,), gradients=(4, 6))
SMALL = normal(p=(6,), gradients=lambda rng: 1e-3 * rng.standard_normal((4, 6)))


def torch_steps(make, state=(), schedule=None, clip=None):
    """Steps of a torch optimizer; gives back the parameters and the named entries of its state."""

    def function(p, gradients):
        parameter = torch.nn.Parameter(p.clone())
        optimizer = make([parameter])
        scheduler = None if schedule is None else schedule(optimizer)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            if clip is not None:
                clip([parameter])
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        return {"p": parameter.detach(), **{name: optimizer.state[parameter][name] for name in state}}

    return function


def optax_steps(optimizer):
    def function(p, gradients):
        state = optimizer.init(p)
        for gradient in gradients:
            updates, state = optimizer.update(gradient, state, p)
            p = p + updates
        return {"p": p}

    return function


def fault(name, seen, torch_function, honest, faulty, inputs=STEPS):
    return Fault(name, seen, inputs, torch_function, honest, faulty, stage="update")
