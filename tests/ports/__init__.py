"""Ports as strangers would write them: the same model in torch and in Flax, under names of its own on each side."""
