"""What ships with the course: the pocket models, the drawings of the chapters from scratch, the networks of notebook 13,
files of other tools for notebook 07, and sketches for the canvas.
"""

from pathlib import Path

ASSETS = Path(__file__).parent
