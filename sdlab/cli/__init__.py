"""The command line: `sdlab COMMAND`, or `python -m sdlab COMMAND`.

What a command needs is imported when it runs, so that its help comes at once. A mistake in what was asked for ends with exit code 2, a
failure of this machine or the network with 1, Ctrl-C with 130; what is finished by then is whole and stays.
"""

import os

import typer

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # what it says of packages that are not needed is not for a shell

app = typer.Typer(
    help="Stable Diffusion Lab on the command line.", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False,
)  # fmt: skip

from sdlab.cli import benching, chatting, drawing, examining, looking, sweeping, training  # noqa: E402, F401  each adds its commands
