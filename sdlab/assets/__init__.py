"""What ships with the course: the pocket models, the drawings of the chapters from scratch, and the networks of notebook 13."""

from pathlib import Path

ASSETS = Path(__file__).parent
