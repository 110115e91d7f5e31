"""Put weights where the package finds them: safetensors in files under 15 MB, the old ones in place until the new ones are whole."""

import shutil

from sdlab.system.folders import replace_folder

ONE_FILE = 15e6  # bytes
SHARD = "14MB"


def ship(assets, fill, most):
    """Fill a new folder, and let it take the place of `assets`.

    Args:
        assets: the folder that ships.
        fill: called with the path of the new folder, which it makes and fills.
        most: how many bytes of weights may ship, in all.

    Returns:
        The bytes of weights.

    Raises:
        SystemExit: the weights are too large.
    """
    partial = assets.with_name(assets.name + ".partial")
    assets.parent.mkdir(parents=True, exist_ok=True)
    if partial.exists():
        shutil.rmtree(partial)
    fill(partial)
    shutil.copy("LICENSE", partial / "LICENSE")
    sizes = [file.stat().st_size for file in partial.rglob("*.safetensors")]
    if max(sizes) > ONE_FILE or sum(sizes) > most:
        raise SystemExit(
            f"the weights are {sum(sizes) / 1e6:.0f} MB, the largest file {max(sizes) / 1e6:.0f} MB: at most {most / 1e6:.0f} and "
            f"{ONE_FILE / 1e6:.0f} may ship"
        )
    replace_folder(assets, partial)
    return sum(sizes)
