"""Sampling: an image read at any points, and the grids of points that affine maps give."""

from torch.nn.functional import affine_grid, grid_sample

__all__ = ["affine_grid", "grid_sample"]
