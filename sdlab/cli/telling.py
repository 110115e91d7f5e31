"""What commands print, and how they end."""

import json
from contextlib import contextmanager

import typer


@contextmanager
def told(progress=""):
    """Errors inside become one sentence and an exit code: 2 for what was asked for, 1 for what went wrong, 130 for Ctrl-C.

    Args:
        progress: what to add where the user stops it.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    except (OSError, MemoryError, RuntimeError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo(f"Stopped.{' ' + progress if progress else ''}", err=True)
        raise typer.Exit(130) from error


def tell(as_json, values, text):
    """Print values as one line of JSON for a script, or else a text for a person."""
    typer.echo(json.dumps(values, ensure_ascii=False) if as_json else text)


def tell_drawn(run, files, as_json):
    """Print where the pictures of a Generation were saved, and how they were made."""
    values = {
        "files": [str(file) for file in files], "recipe": run.recipe.to_dict(), "seconds": round(run.seconds, 3), "device": run.device,
        "dtype": run.dtype, "model_hash": run.model_hash,
    }  # fmt: skip
    tell(as_json, values, "\n".join(map(str, files)))
