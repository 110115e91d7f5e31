"""What ships with the course: the pocket models, the drawings of the chapters from scratch, the networks of notebook 13, and
files of other tools for notebook 07.
"""

from pathlib import Path

ASSETS = Path(__file__).parent
