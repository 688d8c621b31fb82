"""Embeddings and bags against torch: what is looked up, and which gradient each row gets."""

import numpy as np
from functional.calls import compared, normal, part

TABLE = normal(6, 3)
N = np.array([[1, 2, 1], [5, 0, 2]])
FLAT = np.array([1, 1, 2, 3, 3, 3, 0])
OFFSETS = np.array([0, 2, 2, 5])
TIED = np.concatenate([TABLE[:3], TABLE[:3]])

CALLS = {
    "embedding": lambda F, w, t, s, n, f, o: F.embedding(n, w),
    "padding": lambda F, w, t, s, n, f, o: F.embedding(n, w, padding_idx=2),
    "padding from the end": lambda F, w, t, s, n, f, o: F.embedding(n, w, padding_idx=-1),
    "frequency": lambda F, w, t, s, n, f, o: F.embedding(n, w, 0, scale_grad_by_freq=True),
    "bag": lambda F, w, t, s, n, f, o: F.embedding_bag(n, w),
    "bag, sum": lambda F, w, t, s, n, f, o: F.embedding_bag(f, w, o, mode="sum"),
    "bag, mean": lambda F, w, t, s, n, f, o: F.embedding_bag(f, w, o, padding_idx=3),
    # torch on the CPU divides by the counts of other rows where the counts differ; here each row occurs twice
    "bag, frequency": lambda F, w, t, s, n, f, o: F.embedding_bag(
        n[:, [0, 1, 0, 1]], w, mode="sum", scale_grad_by_freq=True, padding_idx=-1
    ),
    "bag, max": lambda F, w, t, s, n, f, o: F.embedding_bag(f, w, o, mode="max", padding_idx=2),
    "bag, max, ties": lambda F, w, t, s, n, f, o: F.embedding_bag(n * 0 + o[-1] - n % 2 * 3, t, mode="max"),
    "bag, weighted": lambda F, w, t, s, n, f, o: F.embedding_bag(
        f, w, o, mode="sum", per_sample_weights=s, padding_idx=1
    ),
    "bag, last offset": lambda F, w, t, s, n, f, o: F.embedding_bag(f[:5], w, o, mode="sum", include_last_offset=True),
}


def test_embeddings_agree_with_torch(whole):
    report = compared(part(CALLS, whole), TABLE, TIED, normal(7, seed=1), N, FLAT, OFFSETS)
    assert report, str(report)
