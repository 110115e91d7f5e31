"""What the trained models can do, as numbers and sheets."""
