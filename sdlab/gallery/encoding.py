"""A picture and its recipe → the bytes of one PNG, JPEG or WebP file.

Each file carries three texts. `parameters` has the form of the AUTOMATIC1111 web UI, which other tools read: a text of the PNG, the
UserComment in the EXIF of the other two. The story is our JSON, from which `read` rebuilds the Recipe: a text of the PNG, a property of
our own in the XMP of the other two. And an XMP packet says in IPTC's fields that a model made the picture, which one, and from what prompt:
DigitalSourceType, and the three fields of the Photo Metadata Standard 2025.1 that a program can fill.

A PNG and a WebP keep every pixel; a JPEG is smaller and keeps them nearly.
"""

import io
import json
import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import Image, PngImagePlugin

from sdlab import __version__

MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
STORY = "{urn:sdlab:}story"  # the XMP property, as ElementTree spells a name with its namespace
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no escape brings these into XML 1.0 either
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
OTHER_SUFFIXES = {
    ".avif",
    ".bmp",
    ".gif",
    ".heic",
    ".jfif",
    ".jxl",
    ".svg",
    ".tif",
    ".tiff",
}  # pictures too, but they carry no recipe of ours


def iptc_fields(recipe, model_hash):
    """What IPTC's Photo Metadata Standard 2025.1 has fields for: the kind of source, the system, its version and the prompt."""
    without = f"\nNegative prompt: {recipe.negative_prompt}" if recipe.negative_prompt else ""
    return {
        "DigitalSourceType": MADE_BY_A_MODEL,
        "AISystemUsed": "Stable Diffusion Lab" + (f", model {recipe.model}" if recipe.model else ""),
        "AISystemVersionUsed": f"sdlab {__version__}" + (f", model {model_hash}" if model_hash else ""),
        "AIPromptInformation": recipe.prompt + without,
    }


def xmp_packet(iptc, story=None):
    """The XMP of a picture: IPTC's fields, and the story, where the format has no texts to hold it."""
    ours = f" xmlns:sdlab='urn:sdlab:' sdlab:story={quoteattr(story)}" if story else ""
    fields = " ".join(f"Iptc4xmpExt:{name}={quoteattr(NOT_IN_XML.sub('?', value))}" for name, value in iptc.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:Iptc4xmpExt="{IPTC}" {fields}{ours}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def find_story(info):
    """The story in the `info` of an opened picture, or None; the inverse of `encode`."""
    return info["sdlab"] if "sdlab" in info else next((text for name, text in _properties(info) if name == STORY), None)


def find_iptc(info):
    """The fields of IPTC's extension in the `info` of an opened picture, name → text; empty where there is none."""
    start = f"{{{IPTC}}}"
    return {name.removeprefix(start): text for name, text in _properties(info) if name.startswith(start)}


def _properties(info):
    """Name and text of every simple property in the XMP of an opened picture."""
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    packet = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    # From the root on: a stranger's packet can declare entities without end only before it.
    start, end = packet.find("<x:xmpmeta"), packet.rfind("</x:xmpmeta>")
    if start < 0 or end < 0:
        return
    try:
        tree = ElementTree.fromstring(packet[start : end + len("</x:xmpmeta>")])
    except ElementTree.ParseError:
        return
    for node in tree.iter():  # another tool may have rewritten our attributes as elements, which means the same in XMP
        yield from node.items()
        if node.text and node.text.strip():
            yield node.tag, node.text


def parameters_text(recipe, model_hash, size):
    """The recipe in the web UI's form: prompt, negative prompt, then `Steps: …, Sampler: …, CFG scale: …` on one line."""
    lines = [recipe.prompt] + ([f"Negative prompt: {recipe.negative_prompt}"] if recipe.negative_prompt else [])
    settings = {
        "Steps": recipe.steps, "Sampler": recipe.sampler, "CFG scale": recipe.guidance, "Seed": recipe.seed,
        "Size": f"{size[0]}x{size[1]}", "Denoising strength": recipe.strength,
        "Model hash": model_hash, "Model": recipe.model, "Version": f"sdlab {__version__}",
    }  # fmt: skip
    line = ", ".join(f"{key}: {_quote(value)}" for key, value in settings.items() if value not in (None, ""))
    return "\n".join([*lines, line]).encode("utf-8", "replace").decode()  # half a character, from a text cut in two, fits no file


def _quote(value):
    """As the web UI does, so that a comma in a model's name does not end it."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',:\n"') else text


def encode(image, suffix, parameters, story, iptc):
    """The bytes of a picture file.

    Args:
        image: a PIL image.
        suffix: a key of `WRITERS`; it decides the format.
        parameters: the recipe in the web UI's form.
        story: our JSON, in ASCII.
        iptc: the fields of `iptc_fields`.

    Raises:
        ValueError: the format cannot hold the picture or its recipe.
    """
    file = io.BytesIO()  # in memory first: what fails on the disk is then the disk's fault, and says so
    image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
    try:
        WRITERS[suffix](image, file, parameters, story, iptc)
    except (ValueError, OSError) as error:
        remedy = "save it as .png" if suffix != ".png" else "make the picture again"
        size = f"{image.width}×{image.height}"
        raise ValueError(f"a picture {size} with its recipe does not go into a {suffix} ({error}): {remedy}") from error
    return file.getvalue()


def _write_png(image, file, parameters, story, iptc):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("parameters", parameters)
    texts.add_itxt("sdlab", story)
    texts.add_itxt("XML:com.adobe.xmp", xmp_packet(iptc))
    image.save(file, "PNG", pnginfo=texts)


def _write_jpeg(image, file, parameters, story, iptc):
    extra = {"exif": _exif(parameters), "xmp": xmp_packet(iptc, story).encode()}
    image.convert("RGB").save(file, "JPEG", quality=95, subsampling="4:4:4", **extra)


def _write_webp(image, file, parameters, story, iptc):
    image.save(file, "WEBP", lossless=True, exif=_exif(parameters), xmp=xmp_packet(iptc, story).encode())


def _exif(parameters):
    exif = Image.Exif()
    exif[EXIF_IFD] = {USER_COMMENT: b"UNICODE\0" + parameters.encode("utf-16-be")}  # as the web UI writes it: big-endian, no mark
    return exif.tobytes()


WRITERS = {".png": _write_png, ".jpg": _write_jpeg, ".jpeg": _write_jpeg, ".webp": _write_webp}
