"""Matrix products, and the factorisations of well-conditioned matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.honest.entry import NO_BFLOAT16, Honest, side_length

CUBIC = "work is cubic: 10 x 10 at 100 elements, 4 of 50 x 50 at 1e4, 16 of 64 x 64 at 1e6"
THIN = "a contraction of size / 8 terms between 8 rows and 8 columns"


def _thin(rng, size):
    few = 1 if size == 1 else 4 if size <= 100 else 8
    return {"x": rng.normal(size=(few, size // few)), "w": rng.normal(size=(size // few, few))}


def _square(rng, size):
    """A product of squares, 96 x 96 at most."""
    n = side_length(size, most=96)
    return {"x": rng.normal(size=(n, n)), "w": rng.normal(size=(n, n)), "b": rng.normal(size=n)}


def _batch(rng, size):
    n = 1 if size == 1 else 5 if size <= 100 else 8
    count = max(1, size // (n * n))
    return {"x": rng.normal(size=(count, n, n)), "y": rng.normal(size=(count, n, n))}


def _vectors(rng, size):
    n = side_length(size)
    return {"x": rng.normal(size=n), "y": rng.normal(size=n)}


def _bilinear(rng, size):
    n = side_length(size, 3, most=24)
    return {
        "x": rng.normal(size=(n, n)),
        "y": rng.normal(size=(n, n)),
        "w": rng.normal(size=(n, n, n)),
        "b": rng.normal(size=n),
    }


def _matrices(size):
    count, n = {1: (1, 1), 100: (1, 10), 10_000: (4, 50)}.get(size, (16, 64))
    return count, n


def _general(rng, size):
    """Matrices near a multiple of the identity, of condition about 5, and right-hand sides."""
    count, n = _matrices(size)
    return {"a": 2 * np.eye(n) + rng.normal(size=(count, n, n)) / n**0.5 / 2, "b": rng.normal(size=(count, n, 2))}


def _matrix_only(rng, size):
    return {"a": _general(rng, size)["a"]}


def _positive(rng, size):
    """Positive definite matrices of condition about 5."""
    count, n = _matrices(size)
    root = rng.normal(size=(count, n, n)) / n**0.5
    return {"a": root @ root.swapaxes(-1, -2) + np.eye(n), "b": rng.normal(size=(count, n, 2))}


def _symmetric(a):
    return (a + a.swapaxes(-1, -2)) / 2


def _determinant(a):
    sign, logarithm = jnp.linalg.slogdet(a)
    return sign * jnp.exp(logarithm)


def _cholesky_solve(a, b):
    factor = jax.scipy.linalg.cho_factor(_symmetric(a), lower=True)
    return jax.scipy.linalg.cho_solve(factor, b)


def _lapack(name, torch_function, jax_function, inputs, **options):
    """An entry of LAPACK's family: cubic, and at float32 and float64 alone."""
    return Honest(
        name, torch_function, jax_function, inputs, without={"bfloat16": NO_BFLOAT16}, scaled=CUBIC, **options
    )


LINEAR = (
    Honest("matmul", lambda x, w: x @ w, lambda x, w: jnp.einsum("ij,jk->ik", x, w), _thin, scaled=THIN),
    Honest(
        "linear",
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: jax.lax.dot_general(x, w, (((1,), (1,)), ((), ()))) + b,
        _square,
        scaled="work is cubic: 96 x 96 at most",
    ),
    Honest(
        "two layers of relu",
        lambda x, w, b: F.relu(F.relu(x @ w + b) @ w),
        lambda x, w, b: jax.nn.relu(jax.nn.relu(jnp.dot(x, w) + b) @ w),
        _square,
        scaled="work is cubic: 96 x 96 at most",
    ),
    Honest("batched matmul", lambda x, y: torch.bmm(x, y), lambda x, y: jnp.einsum("bij,bjk->bik", x, y), _batch),
    Honest("outer", lambda x, y: torch.outer(x, y), lambda x, y: x[:, None] * y[None, :], _vectors),
    Honest(
        "quadratic form",
        lambda x, w, b: torch.einsum("i,ij,j->", b, w, b) + (x * w).sum(),
        lambda x, w, b: b @ (w @ b) + jnp.trace(x.T @ w),
        _square,
        scaled="work is cubic: 96 x 96 at most",
    ),
    Honest(
        "bilinear",
        lambda x, y, w, b: F.bilinear(x, y, w, b),
        lambda x, y, w, b: jnp.einsum("bi,oij,bj->bo", x, w, y) + b,
        _bilinear,
        scaled="work grows as the fourth power of the edge: at most 24",
    ),
    _lapack("solve", lambda a, b: torch.linalg.solve(a, b), lambda a, b: jnp.linalg.solve(a, b), _general),
    _lapack("solve by inverse", lambda a, b: torch.linalg.solve(a, b), lambda a, b: jnp.linalg.inv(a) @ b, _general),
    _lapack("determinant", lambda a: torch.linalg.det(a), _determinant, _matrix_only),
    _lapack(
        "cholesky",
        lambda a, b: torch.linalg.cholesky(_symmetric(a)) @ b,
        lambda a, b: jnp.linalg.cholesky(a) @ b,
        _positive,
    ),
    _lapack("solve by cholesky", lambda a, b: torch.linalg.solve(_symmetric(a), b), _cholesky_solve, _positive),
    _lapack(
        "triangular solve",
        lambda a, b: torch.linalg.solve_triangular(a.tril(), b, upper=False),
        lambda a, b: jax.scipy.linalg.solve_triangular(a, b, lower=True),
        _general,
    ),
    _lapack(
        "matrix exponential", lambda a: torch.linalg.matrix_exp(a), lambda a: jax.scipy.linalg.expm(a), _matrix_only
    ),
    _lapack(
        "eigenvalues",
        lambda a, b: torch.linalg.eigvalsh(_symmetric(a)),
        lambda a, b: jnp.linalg.eigvalsh(_symmetric(a)),
        _positive,
    ),
    _lapack(
        "singular values",
        lambda a: torch.linalg.svdvals(a),
        lambda a: jnp.linalg.svd(a, compute_uv=False),
        _matrix_only,
    ),
)
