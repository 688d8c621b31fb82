"""Each concept in PyTorch, one module a concept; `jax_impl` has the same names and docstrings.

The examples in the docstrings are the same on both sides too: `array` in them is `torch.tensor` here, and each example
finds the public names of its own module.
"""
