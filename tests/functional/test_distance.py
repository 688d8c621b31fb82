"""Distances against torch, with norms of 0 and equal largest elements."""

import numpy as np
from functional.calls import compared, normal, part

X, Y = normal(4, 3), normal(4, 3, seed=1)
X[0] = 0
X[1], Y[1] = [1.0, -1.0, 0.5], 0
Y[3] = X[3]

CALLS = {
    "cosine": lambda F, x, y: F.cosine_similarity(x, y),
    "cosine, dim, eps": lambda F, x, y: F.cosine_similarity(x, y, 0, 3.0),
    "cosine, one": lambda F, x, y: F.cosine_similarity(x[:, None], y[2], -1),
    "distance": lambda F, x, y: F.pairwise_distance(x, y),
    "distance, 0": lambda F, x, y: F.pairwise_distance(x, y, eps=0.0, keepdim=True),
    "distance, 1": lambda F, x, y: F.pairwise_distance(x, y, 1.0, eps=0.0),
    "distance, 3": lambda F, x, y: F.pairwise_distance(x, y, 3.0, eps=0.0),
    "distance, infinite": lambda F, x, y: F.pairwise_distance(x, y, float("inf"), eps=0.0),
    "distance, count": lambda F, x, y: F.pairwise_distance(x, y, 0.0, eps=0.0),
    "pairs": lambda F, x, y: F.pdist(x),
    "pairs, 1": lambda F, x, y: F.pdist(x, 1.0),
    "pairs, a half": lambda F, x, y: F.pdist(y, 0.5),
    "pairs, infinite": lambda F, x, y: F.pdist(x, float("inf")),
    "pairs, count": lambda F, x, y: F.pdist(x, 0.0),
    "normalize": lambda F, x, y: F.normalize(x),
    "normalize, 1": lambda F, x, y: F.normalize(x, 1.0, 0, 2.0),
}


def test_distances_agree_with_torch(whole):
    report = compared(part(CALLS, whole), X, Y)
    assert report, str(report)


def test_a_norm_without_its_slope_at_0_is_found():
    wrong = {
        "norm": lambda F, x: (
            F.pairwise_distance(x, 0 * x, eps=0.0) if F.__name__ == "torch.nn.functional" else (x * x).sum(-1) ** 0.5
        )
    }
    assert not compared(wrong, np.zeros((2, 3)))
