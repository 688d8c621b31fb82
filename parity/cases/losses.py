"""Cases of the losses: each by hand and by the framework, its gradient, and what large scores do to it."""

import numpy as np

from parity.cases.case import Case, Inputs, Published

CASE_STUDY = "CS231n, neural networks case study"


def regression(rng: np.random.Generator) -> Inputs:
    """Outputs and what was wanted, for eight examples."""
    return {"outputs": rng.normal(size=(8, 3)), "targets": rng.normal(size=(8, 3))}


def classification(rng: np.random.Generator) -> Inputs:
    """Scores of eight examples for five classes, and the right classes."""
    return {"logits": rng.normal(size=(8, 5)), "targets": rng.integers(0, 5, size=8)}


def large_scores(rng: np.random.Generator) -> Inputs:
    """Scores whose exponentials overflow."""
    return {"logits": np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, -999.0]])}


CASES = (
    Case(
        name="losses.quadratic_cost",
        inputs=lambda rng: {"activations": rng.normal(size=(8, 3)), "targets": rng.normal(size=(8, 3))},
    ),
    *(
        Case(name=f"losses.{name}", inputs=regression)
        for name in ("squared_error", "half_squared_error", "mse", "framework_mse")
    ),
    Case(
        name="losses.mse_of_the_older_blitz",
        inputs=lambda rng: {"outputs": rng.normal(size=(1, 10))},
        call=lambda impl, outputs: impl.framework_mse(outputs, impl.counting_target(outputs)),
        covers=("framework_mse", "counting_target"),
    ),
    Case(
        name="losses.counting_target",
        inputs=lambda rng: {"outputs": rng.normal(size=(1, 10))},
        call=lambda impl, outputs: {"target": impl.counting_target(outputs)},
        wrt=(),
        published=(
            Published("target", tuple(range(1, 11)), 0, "PyTorch, Neural Networks (60 minute blitz), edition of 2018"),
        ),
    ),
    *(
        Case(name=f"losses.{name}", inputs=lambda rng: {"logits": rng.normal(size=(8, 5))})
        for name in ("softmax", "naive_log_softmax", "log_softmax")
    ),
    *(
        Case(
            name=f"losses.{name}_of_large_scores",
            inputs=large_scores,
            call=lambda impl, logits, name=name: getattr(impl, name)(logits),
            covers=(name,),
            wrt=None if name != "naive_log_softmax" else (),
        )
        for name in ("softmax", "naive_log_softmax", "log_softmax")
    ),
    Case(name="losses.cross_entropy", inputs=classification),
    Case(name="losses.framework_cross_entropy", inputs=classification),
    Case(
        name="losses.cross_entropy_of_large_scores",
        inputs=lambda rng: {**large_scores(rng), "targets": np.array([1, 2])},
        call=lambda impl, logits, targets: (
            impl.cross_entropy(logits, targets),
            impl.framework_cross_entropy(logits, targets),
        ),
        covers=("cross_entropy", "framework_cross_entropy"),
    ),
    Case(name="losses.cross_entropy_gradient", inputs=classification, wrt=(), stage="gradient"),
    Case(
        name="losses.cross_entropy_gradient_of_the_page",
        inputs=lambda rng: {"logits": np.log([[0.2, 0.3, 0.5]]), "targets": np.array([1])},
        call=lambda impl, logits, targets: {"gradient": impl.cross_entropy_gradient(logits, targets)},
        covers=("cross_entropy_gradient",),
        wrt=(),
        stage="gradient",
        published=(Published("gradient", (0.2, -0.7, 0.5), 1, f"{CASE_STUDY}, the intuition of the gradient"),),
    ),
    Case(
        name="losses.chance_loss",
        call=lambda impl: {"loss": impl.chance_loss(3)},
        wrt=(),
        jit=False,
        published=(Published("loss", (1.1,), 1, f"{CASE_STUDY}, the loss of a first, random net"),),
    ),
)
