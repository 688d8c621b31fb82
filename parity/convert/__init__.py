"""From torch to JAX and back: weights, optimizers, schedules, training states. Frameworks are imported when needed."""
