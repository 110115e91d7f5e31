"""Experiments on pipelines, and what is inside them."""
