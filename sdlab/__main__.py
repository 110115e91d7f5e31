"""`python -m sdlab`, and `accelerate launch … -m sdlab` for several processes."""

from sdlab.cli import app

if __name__ == "__main__":
    app(prog_name="python -m sdlab")
