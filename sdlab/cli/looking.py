"""Commands that look at what there is: pictures, galleries, models."""

from pathlib import Path
from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import AsJson, Memory, Model, To
from sdlab.cli.telling import tell, told


@app.command()
def reproduce(
    file: Annotated[Path, typer.Argument(help="a picture that sdlab saved")],
    model: Model = None,
    memory: Memory = "auto",
    download: Annotated[bool, typer.Option("--download", help="fetch the model where it is not on this machine")] = False,
    to: To = Path("outputs"),
    as_json: AsJson = False,
):
    """Make a saved picture again, and compare the two.

    \b
    sdlab reproduce outputs/a-lion-on-the-beach-3.png
    """
    import numpy as np

    from sdlab.gallery import reproducing
    from sdlab.gallery.reading import open_picture
    from sdlab.gallery.saving import save
    from sdlab.pipes import loading

    with told("Nothing was saved."):
        before = np.asarray(open_picture(file).convert("RGB"), int)
        pipe = loading.load(model, memory=memory) if model else None
        run = reproducing.reproduce(pipe, file, download=download)
        apart = int(np.abs(np.asarray(run.image.convert("RGB"), int) - before).max()) if run.image.size == before.shape[1::-1] else 255
        [again] = save(run, to=to)
        same = "the same, to the last bit" if not apart else f"up to {apart} of 255 grey levels apart"
        tell(as_json, {"file": str(again), "levels_apart": apart}, f"{again}: {same}")


@app.command()
def gallery(
    folder: Annotated[Path, typer.Argument(help="where pictures were saved")] = Path("outputs"),
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet into this PNG file")] = None,
    as_json: AsJson = False,
):
    """List the pictures of a folder, newest last.

    \b
    sdlab gallery outputs --sheet sheet.png
    """
    from sdlab.gallery.listing import Gallery
    from sdlab.system.files import replace_file

    with told():
        pictures = Gallery(folder)
        if sheet is not None:
            if sheet.exists():
                raise ValueError(f"{str(sheet)!r} is there already, and nothing is overwritten: choose another name")
            import io

            content = io.BytesIO()
            pictures.show().savefig(content, format="png")
            replace_file(sheet, content.getvalue())
        values = [{"file": str(p.file), "made": p.made.isoformat(), "recipe": p.recipe.to_dict()} for p in pictures]
        lines = [f"{p.file.name}: {p.recipe.prompt}, seed {p.recipe.seed}, {p.recipe.model}" for p in pictures]
        lines += [f"{file.name}: skipped, {why}" for file, why in pictures.skipped.items()]
        tell(as_json, values, "\n".join(lines) or f"no pictures in {folder}")


@app.command()
def models(as_json: AsJson = False):
    """List the models, and what each needs."""
    from sdlab.pipes.models import is_here, list_models

    with told():
        table = list_models()
        rows = [
            {"name": name, "kind": model.kind, "side": model.side, "steps": model.steps, "guidance": model.guidance,
             "here": is_here(name), "gigabytes": model.gigabytes, "licence": model.licence}
            for name, model in table
        ]  # fmt: skip
        tell(as_json, rows, repr(table))
