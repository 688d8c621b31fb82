"""What is measured beside others: time and memory, never a verdict. `parity bench NAME` runs one."""
