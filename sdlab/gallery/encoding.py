"""A picture and its recipe → the bytes of one PNG, JPEG or WebP file.

Each file carries three texts. `parameters` has the form of the AUTOMATIC1111 web UI, which other tools read: a text of the PNG, the
UserComment in the EXIF of the other two. The story is our JSON, from which `read` rebuilds the Recipe: a text of the PNG, a property of
our own in the XMP of the other two. And an XMP packet says, by IPTC's DigitalSourceType, that a model made the picture.

A PNG and a WebP keep every pixel; a JPEG is smaller and keeps them nearly.
"""

import io
import json
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import Image, PngImagePlugin

from sdlab import __version__

MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
STORY = "{urn:sdlab:}story"  # the XMP property, as ElementTree spells a name with its namespace
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


def xmp_packet(story=None):
    """The XMP of a picture: made by a model, and the story, where the format has no texts to hold it."""
    ours = f" xmlns:sdlab='urn:sdlab:' sdlab:story={quoteattr(story)}" if story else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{MADE_BY_A_MODEL}"{ours}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def find_story(info):
    """The story in the `info` of an opened picture, or None; the inverse of `encode`."""
    if "sdlab" in info:
        return info["sdlab"]
    packet = info.get("xmp", b"")
    packet = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    # From the root on: a stranger's packet can declare entities without end only before it.
    start, end = packet.find("<x:xmpmeta"), packet.rfind("</x:xmpmeta>")
    if start < 0 or end < 0:
        return None
    try:
        tree = ElementTree.fromstring(packet[start : end + len("</x:xmpmeta>")])
    except ElementTree.ParseError:
        return None
    for node in tree.iter():  # another tool may have rewritten our attribute as an element, which means the same in XMP
        if story := node.get(STORY) or (node.text if node.tag == STORY else None):
            return story
    return None


def parameters_text(recipe, model_hash, size):
    """The recipe in the web UI's form: prompt, negative prompt, then `Steps: …, Sampler: …, CFG scale: …` on one line."""
    lines = [recipe.prompt] + ([f"Negative prompt: {recipe.negative_prompt}"] if recipe.negative_prompt else [])
    settings = {
        "Steps": recipe.steps, "Sampler": recipe.sampler, "CFG scale": recipe.guidance, "Seed": recipe.seed,
        "Size": f"{size[0]}x{size[1]}", "Model hash": model_hash, "Model": recipe.model, "Version": f"sdlab {__version__}",
    }  # fmt: skip
    line = ", ".join(f"{key}: {_quote(value)}" for key, value in settings.items() if value not in (None, ""))
    return "\n".join([*lines, line]).encode("utf-8", "replace").decode()  # half a character, from a text cut in two, fits no file


def _quote(value):
    """As the web UI does, so that a comma in a model's name does not end it."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(',:\n"') else text


def encode(image, suffix, parameters, story):
    """The bytes of a picture file.

    Args:
        image: a PIL image.
        suffix: a key of `WRITERS`; it decides the format.
        parameters: the recipe in the web UI's form.
        story: our JSON, in ASCII.

    Raises:
        ValueError: the format cannot hold the picture or its recipe.
    """
    file = io.BytesIO()  # in memory first: what fails on the disk is then the disk's fault, and says so
    image = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB")
    try:
        WRITERS[suffix](image, file, parameters, story)
    except (ValueError, OSError) as error:
        remedy = "save it as .png" if suffix != ".png" else "make the picture again"
        size = f"{image.width}×{image.height}"
        raise ValueError(f"a picture {size} with its recipe does not go into a {suffix} ({error}): {remedy}") from error
    return file.getvalue()


def _write_png(image, file, parameters, story):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("parameters", parameters)
    texts.add_itxt("sdlab", story)
    texts.add_itxt("XML:com.adobe.xmp", xmp_packet())
    image.save(file, "PNG", pnginfo=texts)


def _write_jpeg(image, file, parameters, story):
    extra = {"exif": _exif(parameters), "xmp": xmp_packet(story).encode()}
    image.convert("RGB").save(file, "JPEG", quality=95, subsampling="4:4:4", **extra)


def _write_webp(image, file, parameters, story):
    image.save(file, "WEBP", lossless=True, exif=_exif(parameters), xmp=xmp_packet(story).encode())


def _exif(parameters):
    exif = Image.Exif()
    exif[EXIF_IFD] = {USER_COMMENT: b"UNICODE\0" + parameters.encode("utf-16-be")}  # as the web UI writes it: big-endian, no mark
    return exif.tobytes()


WRITERS = {".png": _write_png, ".jpg": _write_jpeg, ".jpeg": _write_jpeg, ".webp": _write_webp}
