"""What is measured: time and memory, never a verdict. `parity bench` runs it.

`parity.speed` times your own two functions; `parity.bench.speed.concepts` the built-in pairs.
"""
