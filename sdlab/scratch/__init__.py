"""Diffusion from scratch, for notebooks 10 to 13: torch and nothing of diffusers."""
