"""What a backend does is asked of it, whatever the program around has set."""

import jax

from parity.sides.probes import probe_jax


def test_a_program_that_has_turned_x64_on_is_probed_too():
    plain = probe_jax("cpu")
    with jax.enable_x64(True):
        wide = probe_jax("cpu")
    assert (wide.matmul_bits, wide.float16_accumulator) == (plain.matmul_bits, plain.float16_accumulator)
    assert (plain.float64, wide.float64) == ("float32", "float64")
