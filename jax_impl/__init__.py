"""Each concept in JAX, Flax NNX and optax, one module a concept; `torch_impl` has the same names and docstrings.

The examples in the docstrings are the same on both sides too: `array` in them is `jax.numpy.asarray` here, and each
example finds the public names of its own module.
"""
