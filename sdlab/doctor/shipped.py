"""The models that ship with the course: is every file what it was when it was shipped?"""

import hashlib
import json

from sdlab.assets import ASSETS
from sdlab.doctor.finding import BROKEN, Finding
from sdlab.system.files import replace_file

LISTED = "checksums.json"


def checksums(assets=ASSETS):
    """The SHA-256 of every weights file, `{path from assets: digest}`."""
    return {file.relative_to(assets).as_posix(): _digest(file) for file in sorted(assets.rglob("*.safetensors"))}


def write_checksums(assets=ASSETS):
    """Write the list that `examine_shipped` compares with; belongs after every change of the weights."""
    text = json.dumps(checksums(assets), indent=1, ensure_ascii=False) + "\n"
    replace_file(assets / LISTED, text.encode())


def examine_shipped(assets=ASSETS):
    """Compare the weights files with their list: a list of `Finding`."""
    listed = json.loads((assets / LISTED).read_text(encoding="utf-8"))
    found = checksums(assets)
    absent = [path for path in listed if path not in found]
    changed = [path for path, digest in listed.items() if path in found and found[path] != digest]
    again = "install sdlab again, or `git checkout -- sdlab/assets`"
    if absent or changed:
        said = [f"{', '.join(paths)} {what}" for paths, what in ((absent, "missing"), (changed, "changed or damaged")) if paths]
        return [Finding("shipped models", "; ".join(said), BROKEN, again)]
    return [Finding("shipped models", f"all {len(listed)} weights files are as they were shipped")]


def _digest(file):
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
