"""Pipelines: a model's name, a recipe, and the pictures they make."""
