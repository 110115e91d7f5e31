"""Put a model where the package finds it: safetensors in files under 15 MB, with licence, numbers and card.

Each model has a table of its own, a `Shipment`; what is done with it is the same for all.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from pocket.reports.results import write_results
from sdlab.system.folders import replace_folder, restore_folder

ONE_FILE = 15e6  # bytes
SHARD = "14MB"
SETTINGS = ("config.json", "model_index.json", "scheduler_config.json", "tokenizer_config.json")
PRIVATE = ("_name_or_path", "is_local", "local_files_only")  # what they say of the machine that wrote them
LICENSE = Path(__file__).parent.parent.parent / "LICENSE"


@dataclass(frozen=True)
class Shipment:
    """A model that ships.

    Args:
        name: what messages call it.
        room: what `pocket.reports` and `pocket.shipping` call it.
        assets: the folder that ships.
        most: bytes of weights that may ship, in all.
        merit: the numbers of a report → one number to compare two models by; the larger, the better.
    """

    name: str
    room: str
    assets: Path
    most: float
    merit: Callable


def average_accuracy(accuracies):
    """The mean accuracy of object, style and background over several sets, `{head: share}` each."""
    shares = [accuracy[head] for accuracy in accuracies for head in ("object", "style", "background")]
    return sum(shares) / len(shares)


def load_shipped(assets):
    """The numbers of the model in `assets`, or None; a model that a killed shipping left aside is put back first."""
    restore_folder(assets)
    file = assets / "evaluation.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


SHIPPED_NUMBERS = typer.Option(help="what the report says of the shipped model, where another judge had measured it")


def refuse_worse(shipment, results, shipped_numbers=None):
    """End the program if the new results are below those of the shipped model, or another judge's, so that nobody can tell.

    Args:
        shipment: which model.
        results: the new one's numbers.
        shipped_numbers: a file with the shipped one's numbers; default: those that ship with it.
    """
    shipped = json.loads(shipped_numbers.read_text(encoding="utf-8")) if shipped_numbers else load_shipped(shipment.assets)
    was, now = (numbers.get("judge", "unknown") for numbers in (shipped or results, results))
    if was != now:
        raise SystemExit(
            f"the shipped {shipment.name} was measured by judge {was}, the new one by {now}, so they cannot be compared: measure the "
            f"shipped one (pocket.reports.{shipment.room} --folder build/shipped) and give the file that it writes as --shipped-numbers"
        )
    if shipped and shipment.merit(results) < shipment.merit(shipped):
        raise SystemExit(
            f"the new {shipment.name} scores {shipment.merit(results):.3f}, the shipped one {shipment.merit(shipped):.3f}: train longer, "
            "a worse one is not shipped"
        )


def describe(folder, results, card):
    """Write numbers and card beside the weights."""
    write_results(folder / "evaluation.json", results)
    (folder / "README.md").write_text(card, encoding="utf-8")


def clean_settings(folder):
    """Take out of the settings of models what is true of the machine that trained them only.

    That is the path they were loaded from, and whether it asked the network. Transformers also computes in the dtype that it finds
    there: weights that are stored in float16 are for float32 all the same, as diffusers' are.
    """
    for file in (path for name in SETTINGS for path in folder.rglob(name)):
        found = json.loads(file.read_text(encoding="utf-8"))
        settings = {key: value for key, value in found.items() if key not in PRIVATE}
        if settings.get("dtype") == "float16":
            settings["dtype"] = "float32"
        if settings != found:
            file.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def ship(shipment, fill, results, card):
    """Fill a new folder, and let it take the place of the shipped one, which stays until the new one is whole.

    Args:
        shipment: which model.
        fill: called with the path of the new folder, which it makes and fills with the model.
        results: the numbers of its report.
        card: its card's text.

    Raises:
        SystemExit: the weights are too large.
    """
    assets = shipment.assets
    partial = assets.with_name(assets.name + ".partial")
    assets.parent.mkdir(parents=True, exist_ok=True)
    if partial.exists():
        shutil.rmtree(partial)
    fill(partial)
    clean_settings(partial)
    describe(partial, results, card)
    shutil.copy(LICENSE, partial / "LICENSE")
    sizes = [file.stat().st_size for file in partial.rglob("*.safetensors")]
    if max(sizes) > ONE_FILE or sum(sizes) > shipment.most:
        raise SystemExit(
            f"the weights are {sum(sizes) / 1e6:.0f} MB, the largest file {max(sizes) / 1e6:.0f} MB: at most {shipment.most / 1e6:.0f} and "
            f"{ONE_FILE / 1e6:.0f} may ship"
        )
    replace_folder(assets, partial)
    print(f"shipped {sum(sizes) / 1e6:.1f} MB of weights to {assets}, score {shipment.merit(results):.3f}")
