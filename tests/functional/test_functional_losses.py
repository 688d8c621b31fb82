"""Every loss against torch.nn.functional: values and gradients, by the verdict rule."""

import jax
import jax.numpy as jnp
import numpy as np
from functional.calls import compared, normal, part

from jax_impl import functional as J

X, Y = normal(5, 4), normal(5, 4, seed=1)
Y[0] = X[0]  # differences of 0
Y[1, :2] = X[1, :2] + [1.0, -1.0]  # the ends of a parabola
P = np.array([-1.0, 1.0, 1.0, -1.0, 1.0])[:, None] * np.ones(4)
W = np.array([0.5, 1.0, 2.0, 0.25])
CLASSES = np.array([0, 3, 1, -100, 2])
LABELS = np.array([[3, 0, -1, 1], [-1, 2, 0, 1], [0, 1, 2, 3], [2, -1, -1, -1], [1, 1, -1, 0]])

# of numbers x and y (5, 4), signs s of the same shape, and weights w of 4 classes; c holds classes, l lists of them
NUMBERS = {
    "l1": lambda F, x, y, s, w, c, k: F.l1_loss(x, y),
    "l1, none": lambda F, x, y, s, w, c, k: F.l1_loss(x, y, reduction="none"),
    "l1, weighted": lambda F, x, y, s, w, c, k: F.l1_loss(x, y, weight=x * x),
    "mse": lambda F, x, y, s, w, c, k: F.mse_loss(x, y),
    "mse, sum": lambda F, x, y, s, w, c, k: F.mse_loss(x, y, reduction="sum"),
    "mse, weighted": lambda F, x, y, s, w, c, k: F.mse_loss(x, y, weight=y * y),
    "smooth l1": lambda F, x, y, s, w, c, k: F.smooth_l1_loss(x, y, reduction="none"),
    "smooth l1, beta": lambda F, x, y, s, w, c, k: F.smooth_l1_loss(x, y, beta=0.5),
    "smooth l1, beta 0": lambda F, x, y, s, w, c, k: F.smooth_l1_loss(x, y, beta=0.0),
    "huber": lambda F, x, y, s, w, c, k: F.huber_loss(x, y, reduction="none"),
    "huber, delta": lambda F, x, y, s, w, c, k: F.huber_loss(x, y, delta=0.5),
    "huber, weighted": lambda F, x, y, s, w, c, k: F.huber_loss(x, y, weight=y * y),
    "gaussian": lambda F, x, y, s, w, c, k: F.gaussian_nll_loss(x, y, y * y + 0.1),
    "gaussian, full": lambda F, x, y, s, w, c, k: F.gaussian_nll_loss(x, y, x[:, :1] ** 2 + 0.1, full=True),
    "gaussian, small": lambda F, x, y, s, w, c, k: F.gaussian_nll_loss(x, y, y[:, 0] ** 2, eps=0.5, reduction="none"),
    "gaussian, one": lambda F, x, y, s, w, c, k: F.gaussian_nll_loss(x, y, 0.5, reduction="sum"),
    "poisson": lambda F, x, y, s, w, c, k: F.poisson_nll_loss(x, y * y),
    "poisson, full": lambda F, x, y, s, w, c, k: F.poisson_nll_loss(x, 4 * y * y + 0.1, full=True, reduction="none"),
    "poisson, rate": lambda F, x, y, s, w, c, k: F.poisson_nll_loss(x * x + 0.1, y * y, log_input=False),
    "kl": lambda F, x, y, s, w, c, k: F.kl_div(x, y * y + 0.1, reduction="sum"),
    "kl, batchmean": lambda F, x, y, s, w, c, k: F.kl_div(x, y, reduction="batchmean", log_target=True),
    "bce": lambda F, x, y, s, w, c, k: F.binary_cross_entropy(1 / (1 + x * x), 1 / (1 + y * y), w, reduction="none"),
    "bce, logits": lambda F, x, y, s, w, c, k: F.binary_cross_entropy_with_logits(x, y * y),
    "bce, logits, weighted": lambda F, x, y, s, w, c, k: F.binary_cross_entropy_with_logits(
        30 * x, y * y, w, pos_weight=w + 1, reduction="none"
    ),
    "soft margin": lambda F, x, y, s, w, c, k: F.soft_margin_loss(5 * x, s, reduction="none"),
    "multilabel soft margin": lambda F, x, y, s, w, c, k: F.multilabel_soft_margin_loss(x, y * y, w, reduction="none"),
    "hinge": lambda F, x, y, s, w, c, k: F.hinge_embedding_loss(x, s, reduction="none"),
    "hinge, 0": lambda F, x, y, s, w, c, k: F.hinge_embedding_loss(x - x + 0.5, s, margin=0.5),
    "ranking": lambda F, x, y, s, w, c, k: F.margin_ranking_loss(x, y, s, reduction="none"),
    "ranking, margin": lambda F, x, y, s, w, c, k: F.margin_ranking_loss(x, y, s, margin=1.0),
    "cosine": lambda F, x, y, s, w, c, k: F.cosine_embedding_loss(x, y, s[:, 0], reduction="none"),
    "cosine, margin": lambda F, x, y, s, w, c, k: F.cosine_embedding_loss(x, y, s[:, 0], margin=-0.5),
    "multi margin": lambda F, x, y, s, w, c, k: F.multi_margin_loss(x, k[:, 0] * 0 + 2),
    "multi margin, p": lambda F, x, y, s, w, c, k: F.multi_margin_loss(x, k[:, 0] * 0 + 1, 2, 0.5, w, reduction="none"),
    "multi margin, one": lambda F, x, y, s, w, c, k: F.multi_margin_loss(x[0], k[0, 0]),
    "multilabel margin": lambda F, x, y, s, w, c, k: F.multilabel_margin_loss(x, k, reduction="none"),
    "multilabel margin, one": lambda F, x, y, s, w, c, k: F.multilabel_margin_loss(x[0], k[0]),
    "triplet": lambda F, x, y, s, w, c, k: F.triplet_margin_loss(x, y, x * y + 1, reduction="none"),
    "triplet, swap": lambda F, x, y, s, w, c, k: F.triplet_margin_loss(x, y, x * y, 0.5, 3, swap=True),
    "triplet, distance": lambda F, x, y, s, w, c, k: F.triplet_margin_with_distance_loss(
        x, y, x * y, distance_function=lambda a, b: ((a - b) ** 2).sum(-1), swap=True
    ),
    "nll": lambda F, x, y, s, w, c, k: F.nll_loss(x, c),
    "nll, weighted": lambda F, x, y, s, w, c, k: F.nll_loss(x, c, w),
    "nll, none": lambda F, x, y, s, w, c, k: F.nll_loss(x, c.clip(0), w, ignore_index=2, reduction="none"),
    "nll, one": lambda F, x, y, s, w, c, k: F.nll_loss(x[0], c[0], reduction="sum"),
    "cross entropy": lambda F, x, y, s, w, c, k: F.cross_entropy(x, c),
    "cross entropy, smoothed": lambda F, x, y, s, w, c, k: F.cross_entropy(x, c, label_smoothing=0.2),
    "cross entropy, weighted": lambda F, x, y, s, w, c, k: F.cross_entropy(x, c, w, label_smoothing=0.2),
    "cross entropy, none": lambda F, x, y, s, w, c, k: F.cross_entropy(x, c, w, reduction="none", label_smoothing=0.2),
    "cross entropy, probabilities": lambda F, x, y, s, w, c, k: F.cross_entropy(x, y, w, label_smoothing=0.2),
    "cross entropy, probabilities, none": lambda F, x, y, s, w, c, k: F.cross_entropy(x, y, reduction="none"),
    "cross entropy, one": lambda F, x, y, s, w, c, k: F.cross_entropy(x[0], y[0]),
    "cross entropy, positions": lambda F, x, y, s, w, c, k: F.cross_entropy(
        x.reshape(1, 4, 5), c.reshape(1, 5), w, label_smoothing=0.1
    ),
    "linear cross entropy": lambda F, x, y, s, w, c, k: F.linear_cross_entropy(
        x, y, c, linear_bias=x[:, 0], label_smoothing=0.1
    ),
    "linear cross entropy, positions": lambda F, x, y, s, w, c, k: F.linear_cross_entropy(
        x, y[:4].reshape(2, 2, 4), k[:, :2] % 2, weight=w[:2], reduction="none"
    ),
}


def test_losses_agree_with_torch(whole):
    report = compared(part(NUMBERS, whole), X, Y, P, W, CLASSES, LABELS, constant=(2, 3))
    assert report, str(report)


def logarithms_off_by(monkeypatch, error=0.0):
    """How many units of rounding -log(1 - p) is from NumPy's, of the worst of many p."""
    monkeypatch.setattr(jnp, "log", lambda x, log=jnp.log: log(x) * (1 + error))
    p = np.linspace(1e-3, 0.999, 999)
    with jax.enable_x64(True):
        found = np.asarray(J.binary_cross_entropy(jnp.asarray(p), jnp.zeros(999), reduction="none"))
    return np.abs(found / -np.log1p(-p) - 1).max() / np.finfo(float).eps


def test_the_logarithm_of_what_is_left_has_all_its_digits(monkeypatch):
    """XLA's own log1p is off by 120 units between 0.293 and 0.414."""
    assert logarithms_off_by(monkeypatch) < 4
    assert logarithms_off_by(monkeypatch, 1e-14) > 20


def test_a_loss_that_is_off_is_found():
    wrong = {"l1": lambda F, x, y: F.l1_loss(x, y) * (1 + (F is J) * 1e-9)}
    assert not compared(wrong, X, Y)
