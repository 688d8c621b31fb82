"""Fourier transforms; complex results are compared as pairs of real numbers."""

import jax.numpy as jnp
import numpy as np
import torch

from proof.honest.entry import NO_BFLOAT16, SHORT, Honest, capped, matrix, two_vectors

WITHOUT = {"bfloat16": NO_BFLOAT16}


def _pairs(z):
    return jnp.stack([z.real, z.imag], -1)


def _convolve(x, y):
    """Circular convolution as the product with a circulant matrix."""
    shift = np.arange(len(x))
    return y[(shift[:, None] - shift[None]) % len(x)] @ x


def _matrix_transform(x):
    """The transform as a product with the matrix of its roots of unity."""
    n = x.shape[-1]
    angle = -2 * np.pi / n * (np.outer(np.arange(n), np.arange(n)) % n)
    return jnp.stack([x @ jnp.asarray(np.cos(angle), x.dtype), x @ jnp.asarray(np.sin(angle), x.dtype)], -1)


def _short_rows(rng, size):
    return {"x": rng.normal(size=(max(1, min(size, 100_000) // 50), min(size, 50)))}


SPECTRAL = capped(
    (
        Honest("fft", lambda x: torch.fft.fft(x), lambda x: jnp.fft.fft(x), matrix, without=WITHOUT),
        Honest(
            "fft of real numbers",
            lambda x: torch.fft.rfft(x, norm="ortho"),
            lambda x: jnp.fft.rfft(x, norm="ortho"),
            matrix,
            without=WITHOUT,
        ),
        Honest(
            "fft as a matrix",
            lambda x: torch.view_as_real(torch.fft.fft(x)),
            _matrix_transform,
            _short_rows,
            without=WITHOUT,
            scaled="work is quadratic: rows of 50 at most",
        ),
        Honest(
            "power spectrum",
            lambda x: torch.fft.rfft(x).abs().square().mean(0),
            lambda x: jnp.mean(jnp.square(_pairs(jnp.fft.rfft(x))).sum(-1), 0),
            matrix,
            without=WITHOUT,
        ),
        Honest(
            "convolution by fft",
            lambda x, y: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(y), n=len(x)),
            _convolve,
            lambda rng, size: two_vectors(rng, min(size, 128)),
            without=WITHOUT,
            scaled="work is quadratic: 128 elements at most",
        ),
    ),
    SHORT,
    whole=("fft",),
)
