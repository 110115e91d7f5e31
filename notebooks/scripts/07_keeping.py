# %% [markdown]
# # 07 · Keeping what you made
#
# A year from now you find a picture called `final2.png`. Which words made it, which seed, which
# model? If the file can answer, you can make the picture again. Here you keep pictures so that
# they can answer, read what other tools have written into theirs, and measure what is left after a
# picture has been saved anew, captured in a screenshot or sent to a friend.
#
# **You will be able to** keep a named batch with every parameter, and make any of its pictures
# again from the file alone; read the files of other tools, and say what is missing in them; say
# which ways of passing a picture on keep its history; and tell a claim about a picture from a
# proof.
#
# | | pocket model (default) | SD 1.5 (`SDLAB_MODEL=sd15`) |
# |---|---|---|
# | time for this notebook | a minute on two CPU cores | three minutes on a GPU |
# | memory | 1 GB | 6 GB on the GPU |
# | download | none | 2.7 GB, once |

# %%
import importlib.util
import io
import json
import shutil
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, PngImagePlugin
from sd_parsers import ParserManager

import sdlab
from sdlab.assets import ASSETS
from sdlab.display import intervals
from sdlab.gallery.encoding import encode, find_iptc, find_story
from sdlab.gallery.reading import read_iptc
from sdlab.gallery.saving import slug
from sdlab.study import metrics

pipe = sdlab.load()
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()

# %% [markdown]
# ## A named batch
#
# We draw three kinds of pictures, a landscape, a portrait and something abstract, four of each.
# `save_batch` saves every picture as soon as it is finished, under the name of its kind and the
# time.
#
# > **Predict.** What has to be in a file, so that its picture can be made again from it?

# %%
settings = {"steps": 25, "images": 4}
recipes = {
    "landscape": sdlab.Recipe("a castle by a lake, oil painting", seed=10, **settings),
    "portrait": sdlab.Recipe("a portrait of a wizard, cartoon", seed=20, **settings),
    "abstract": sdlab.Recipe("a red cube on a blue sphere", seed=30, **settings),
}
batch = sdlab.save_batch(pipe, recipes, "outputs/keeping", progress=False)
files = [file for kind in batch.pictures.values() for file in kind]
originals = [Image.open(file) for file in files]
print(*(file.name for file in files[::4]), batch.record.name, sep="\n")

# %%
sdlab.Gallery("outputs/keeping")[-12:].show()

# %% [markdown]
# A `Gallery` lists a folder, the newest picture last, and shows what differs between the recipes.
# It needs no database: everything comes out of the picture files.
#
# Beside the pictures lies one JSON file. This is its part about the portraits. It is written anew
# after every picture, so a batch that is interrupted still has a record of what is finished.

# %%
record = json.loads(batch.record.read_text(encoding="utf-8"))
print(json.dumps(record["pictures"]["portrait"], indent=1))

# %% [markdown]
# ### Names
#
# `sdlab.save` names a picture after its prompt. A prompt can hold anything, even a `/`, which on
# every system separates folders, and `..`, which means the folder above.
#
# > **Predict.** What may become of the prompt `../../letters/a lion`, if its text is used as a
# > name?

# %%
for prompt in "../../letters/a lion", "C:\\Windows\\a lion?", "um leão à noite", "λιοντάρι":
    print(f"{prompt:24s}→ {slug(prompt)}-7.png")

# %% [markdown]
# Used as it is, the first would have been written into another folder, perhaps over something
# else. So only plain letters, digits and hyphens are kept, and where none is left the name is
# `picture`. Where the name is taken already, a number is added, and nothing is overwritten.
#
# ## From the file alone
#
# `reproduce` takes a file, reads the recipe in it, and draws the picture again. It has nothing but
# the recipe and the model.

# %%
redrawn = [sdlab.reproduce(pipe, file).image for file in files]


def levels(picture, other):
    """The largest difference between two pictures, in grey levels from 0 to 255."""
    return np.abs(np.asarray(picture, int) - np.asarray(other, int)).max()


apart = [levels(*pair) for pair in zip(originals, redrawn)]
print(f"largest difference in {len(apart)} pictures: {max(apart)} of 255 grey levels")
print(f"at most 2 levels apart: {intervals.share([level <= 2 for level in apart])}")

# %% [markdown]
# The batch drew four pictures at a time and `reproduce` draws one, so on some machines a number
# is rounded another way (notebook 06). In 32 bits nobody sees it; in the 16 bits of a GPU fine
# details can differ. That answers the prediction: a recipe has to be in the file, that is, the
# prompt, the negative prompt, the seed, the steps, the guidance, the sampler, the size and the name
# of the model. What a file cannot hold is the model itself.
#
# Here is all that one of our files says. It says it three times, for three kinds of reader.

# %%
print(originals[4].text["parameters"], end="\n\n")
print(textwrap.fill(originals[4].text["sdlab"], 96), end="\n\n")
for name, text in read_iptc(files[4]).items():
    print(f"{name:20s}{text}")

# %% [markdown]
# - **`parameters`** is the form of AUTOMATIC1111's web UI, which many tools can read.
# - **`sdlab`** is our own: the whole recipe, the versions of the libraries, and what the picture
#   cost.
# - The last four are fields of the **IPTC**, an organisation that makes standards for news media.
#   They are in a packet of XML called *XMP*. `DigitalSourceType` with the value
#   *trainedAlgorithmicMedia* means: made by a trained model. The three fields that begin with AI
#   came with version 2025.1 of the standard. Picture archives and social networks can read these
#   fields to label a picture.
#
# ## Files of other tools
#
# Three real files follow, by AUTOMATIC1111, ComfyUI and InvokeAI. (They are test files of the
# package `sd-parsers`, whose author has cut them to one pixel; we need their texts only.) Each
# tool writes in its own way, and `sd-parsers` reads them all.
#
# > **Predict.** If you had their models too: which of the three pictures could you make again?

# %%
tools = sorted((ASSETS / "other_tools").glob("*.png"))
infos = [ParserManager().parse(file) for file in tools]
for file, info in zip(tools, infos):
    [sampler] = info.samplers
    print(f"{info.generator.value}, in the texts {list(Image.open(file).info)}")
    print(f"  prompt   {info.full_prompt}\n  negative {info.full_negative_prompt}")
    print(f"  sampler  {sampler.name} {sampler.parameters}")
    print(f"  model    {sampler.model.name}, hash {sampler.model.hash}\n")

# %% [markdown]
# Prompt, seed, steps and guidance (here `cfg_scale`) are in every one of them. So is the name of
# a model; only the first adds a *hash* of its weights, a number that other weights would not
# give. But look at what is left over:

# %%
for info in infos:
    print(info.generator.value)
    print(textwrap.fill(json.dumps(info.metadata), 96), end="\n\n")

# %% [markdown]
# - **ComfyUI** writes down its whole graph of nodes, more than all others. But the graph begins
#   at a picture called `example.png`, which is changed with a `denoise` of 0.87 (more in notebook
#   08). That picture is not in the file.
# - **InvokeAI** names a picture too, for its *IP-Adapter*, which lets one picture guide another.
# - **AUTOMATIC1111** adds only the size. Is the noise from a CPU or a GPU (notebook 06)? Which
#   version of the program was it? Newer versions write their number down, and the source of the
#   noise where it is not the usual one. So does Forge, which uses the same form.
#
# So the answer is: perhaps AUTOMATIC1111's, if the defaults of its program have not changed, and
# surely not the other two. **A text names the ingredients and does not contain them.** A model of
# the same name can have other weights, which is why a hash is worth adding. The files of this
# course have one.
#
# ### Exercise: a recipe from another tool (10 minutes)
#
# Write `to_recipe`, which makes a `Recipe` from what `sd-parsers` found: prompt, negative prompt,
# steps, guidance and seed. All numbers are in `info.samplers[0].parameters`; one of the tools
# writes them as text, `'15'` instead of `15`.


# %% tags=["stub"]
def to_recipe(info):
    """The Recipe in a file of another tool, as far as it can be known."""
    return sdlab.Recipe(info.full_prompt)  # add the rest


# %% tags=["solution"]
def to_recipe(info):
    """The Recipe in a file of another tool, as far as it can be known."""
    found = info.samplers[0].parameters
    return sdlab.Recipe(
        info.full_prompt,
        negative_prompt=info.full_negative_prompt,
        steps=int(found["steps"]),
        guidance=float(found["cfg_scale"]),
        seed=int(found["seed"]),
    )


# %% tags=["hints"]
hints = [
    "Print info.samplers[0].parameters for the three files: which names do the numbers have?",
    "The names are steps, cfg_scale and seed. Recipe calls the second one guidance.",
    'One tool wrote texts. int(found["steps"]) and float(found["cfg_scale"]) read both '
    "kinds.",
]

# %%
with sdlab.exercise("A recipe from another tool", hints=hints):
    web_ui, comfy, invoke = read = [to_recipe(info) for info in infos]
    assert all(read), "the function should return a Recipe for every file"
    assert comfy.prompt == infos[1].full_prompt, "the prompt should be info.full_prompt"
    assert comfy.negative_prompt == "watermark, text", (
        "the negative prompt is missing: it is in info.full_negative_prompt"
    )
    assert comfy.steps == 20, "the steps are missing: parameters['steps']"
    assert [one.steps for one in read] == [15, 20, 35], "the steps of one tool are wrong"
    assert [one.guidance for one in read] == [5, 8, 8], (
        "the steps are right. The guidance is called cfg_scale here"
    )
    assert comfy.seed == 280823642470253, "steps and guidance are right, the seed is not"
    assert web_ui.seed == 235284042, "one seed is right and another is not"

# %% [markdown]
# ## What survives
#
# We pass every picture on in nine ways. Some of them need a few lines: a screenshot takes the
# pixels alone, and a messenger (we only imitate one) makes the picture smaller.


# %%
def bare(picture):
    """The pixels alone."""
    return Image.fromarray(np.asarray(picture))


def smaller(picture):
    """The pixels alone, three quarters of the side."""
    return bare(picture).resize([3 * side // 4 for side in picture.size], Image.LANCZOS)


# %% [markdown]
# Two ways are careful. They copy all texts, into a PNG or into a JPEG.


# %%
def texts(picture):
    """All texts of a PNG, ready to be saved again."""
    info = PngImagePlugin.PngInfo()
    for name, text in picture.text.items():
        info.add_itxt(name, text)
    return info


def with_texts(picture, to):
    """A JPEG of quality 95 with all texts, as sdlab.save writes it."""
    said = picture.text["parameters"], picture.text["sdlab"], find_iptc(picture.info)
    to.write_bytes(encode(picture, ".jpg", *said))


# %% [markdown]
# > **Predict.** For each of the nine ways: is the recipe still there? And how far have the pixels
# > moved?

# %%
ways = {
    "copied.png": lambda p, to: shutil.copy(p.filename, to),
    "opened and saved.png": lambda p, to: p.save(to),
    "with all texts.png": lambda p, to: p.save(to, pnginfo=texts(p)),
    "quality 75.jpg": lambda p, to: p.save(to, quality=75),
    "with all texts.jpg": with_texts,
    "lossless.webp": lambda p, to: p.save(to, lossless=True),
    "quality 80.webp": lambda p, to: p.save(to, quality=80),
    "screenshot.png": lambda p, to: bare(p).save(to),
    "messenger.jpg": lambda p, to: smaller(p).save(to, quality=70),
}
folder = Path(tempfile.mkdtemp())
passed = {way: [folder / f"{number} {way}" for number in range(len(files))] for way in ways}
for way, write in ways.items():
    for picture, to in zip(originals, passed[way]):
        write(picture, to)

# %% [markdown]
# `carried` says what is still in a file: the recipe of the course, parameters that `sd-parsers`
# can read, and fields of the IPTC.


# %%
def carried(file):
    """Whether a file has the recipe, parameters for other tools, and IPTC's fields."""
    info = Image.open(file).info
    found = find_story(info), ParserManager().parse(file), find_iptc(info)
    return [bool(part) for part in found]


head = "".join(f"{name:^12s}" for name in ("recipe", "parameters", "IPTC"))
print(f"{'':22s}{head}  moved by (grey levels)")
for way, there in passed.items():
    kept = np.all([carried(file) for file in there], axis=0)
    marks = "".join(f"{'yes' if mark else '–':^12s}" for mark in kept)
    arrived = [Image.open(file).resize(originals[0].size) for file in there]
    moved = intervals.mean(255 * metrics.distance(arrived, originals))
    print(f"{way:22s}{marks}  {moved}")

# %% [markdown]
# *Yes* means that it was there in all twelve pictures. The distance is the root mean square
# difference; the messenger's small picture was first enlarged to the old size.
#
# Texts and pixels are lost independently of each other. A picture that was opened and saved has
# every pixel and no history; the JPEG with all texts has its history, and its pixels have moved. It
# is not the format's fault: PNG and JPEG can both hold the texts, as the two careful ways show. But
# a program has to copy them on purpose. One that does not, like Pillow here when we only say
# `save`, loses them all. So copy the file, or use a program that takes care. In a messenger that
# means: send the picture as a *file* and not as a *photo*.
#
# ### Two losses against each other
#
# Now the other way round: a JPEG keeps its texts and loses quality.
#
# > **Predict.** Which is nearer to the original: a JPEG of quality 10, or a picture that is drawn
# > again from the recipe in that JPEG?

# %%
qualities = [5, 10, 20, 40, 60, 80, 95]


def squeeze(picture, quality):
    """A picture after a JPEG of some quality."""
    picture.convert("RGB").save(file := io.BytesIO(), "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


moved = [
    255 * metrics.distance([squeeze(p, quality) for p in originals], originals)
    for quality in qualities
]
names = {"xlabel": "quality of the JPEG", "ylabel": "moved by (grey levels)"}
sdlab.curve(qualities, np.transpose(moved), **names)

# %% [markdown]
# The lower the quality, the further the pixels move, and even at 95 they are not what they were.
# (The careful JPEG of the table has moved less than quality 95 here, because `sdlab` keeps the
# colours at full resolution, and Pillow halves it.) Now take one JPEG of quality 10, with its
# texts:

# %% tags=["cover"]
good, poor = folder / "good.jpg", folder / "poor.jpg"
sdlab.save(sdlab.reproduce(pipe, files[0]), good)  # our JPEG, with all its texts
picture = Image.open(good)
picture.save(poor, quality=10, exif=picture.info["exif"], xmp=picture.info["xmp"])
drawn = sdlab.reproduce(pipe, poor).image
far, near = 255 * metrics.distance([Image.open(poor), drawn], originals[:1] * 2)
titles = [f"JPEG of quality 10\nmoved by {far:.1f}", f"drawn from it\nmoved by {near:.1f}"]
sdlab.grid([originals[0], Image.open(poor), drawn], ["original", *titles])

# %%
sizes = {"PNG": files[0], "JPEG of quality 10": poor}
for name, file in sizes.items():
    print(f"{name:20s}{file.stat().st_size:7,} bytes")
recipe = json.dumps(sdlab.read(poor).to_dict())
print(f"{'the recipe alone':20s}{len(recipe):7,} bytes")
print(f"drawn again: at most {levels(originals[0], drawn)} of 255 grey levels away")

# %% [markdown]
# The picture that is drawn again is the nearer one, by far: it is the original, up to rounding.
# The spoilt JPEG still carried an unspoilt recipe, and the recipe is the better copy of the
# picture. It is also the smallest, if you do not count the model.
#
# ## Claims and proofs
#
# Whatever is written in a file, somebody has written there. Here we change two things in the
# prompt of one picture, and everything that reads the file believes it.

# %%
lie = PngImagePlugin.PngInfo()
for name, text in originals[8].text.items():
    text = text.replace("red cube", "yellow sphere").replace("blue sphere", "green cube")
    lie.add_itxt(name, text)
forged = folder / "forged.png"
originals[8].save(forged, pnginfo=lie)
print("the recipe says:", sdlab.read(forged).prompt)
print("IPTC's field:   ", read_iptc(forged)["AIPromptInformation"])

# %% [markdown]
# > **Predict.** How could somebody who has only this file and the model find out that it lies?

# %%
tried = sdlab.reproduce(pipe, forged).image
sdlab.grid([originals[8], tried], ["the picture in the file", "what its recipe draws"])

# %% [markdown]
# By drawing from the recipe. A diffusion model makes the same picture from the same recipe, so a
# recipe can be *checked*, which a caption cannot. How sharp is this test? The most difficult lie is
# a small one: the right prompt, and a seed that is wrong by 1. We compare each of the twelve
# pictures with what its own recipe draws, and with what the recipe of the next seed draws.

# %%
true = 255 * metrics.distance(originals, redrawn)
starts = [i for i in range(len(files)) if i % 4 < 3]  # the fourth of a kind has no next one
following = [redrawn[i + 1] for i in starts]
wrong = 255 * metrics.distance([originals[i] for i in starts], following)
print(f"true recipe: at most {true.max():.2f} grey levels away ({len(true)} pictures)")
print(f"seed plus 1: at least {wrong.min():.1f} grey levels away ({len(wrong)} pictures)")

# %% [markdown]
# The two are far apart, so the smallest lie is found. On another machine rounding can move the
# true one a little away from 0 (notebook 06). The test needs the model, and a picture that nobody
# has edited.
#
# ## When everything has been stripped
#
# One of your pictures comes back to you through a messenger. It carries nothing. Which of yours
# is it? Its pixels have changed a little, so we need a number that a small change does not
# change: a *fingerprint*. This one is called dHash (Krawetz 2013). It shrinks the picture to 9 ×
# 8 grey pixels and asks in each row, eight times: is this pixel brighter than its left neighbour?
# That gives 64 bits.


# %%
def fingerprint(picture):
    """64 bits that say where a picture becomes brighter, from left to right."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.LANCZOS), int)
    return (small[:, 1:] > small[:, :-1]).ravel()


ours = np.array([fingerprint(picture) for picture in originals])
arrived = np.array([fingerprint(Image.open(file)) for file in passed["messenger.jpg"]])
bits = (arrived[:, None] != ours[None]).sum(-1)  # (arrived, ours): how many bits differ

# %% [markdown]
# > **Predict.** Two pictures that have nothing to do with each other: in how many of the 64 bits
# > will they differ? And a picture and its copy from the messenger?

# %%
kind = np.arange(len(bits)) // 4
alike = kind[:, None] == kind  # pictures of one prompt
groups = {
    "its own copy": bits.diagonal(),
    "same prompt": bits[alike & ~np.eye(len(bits), dtype=bool)],
    "other prompt": bits[~alike],
}
figure, axis = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
for name, group in groups.items():
    axis.hist(group, bins=np.arange(-1, 66, 2), density=True, alpha=0.7, label=name)
axis.set(xlabel="bits that differ, of 64", ylabel="share of pairs", yticks=[])
_ = axis.legend(frameon=False)

# %%
found = intervals.share(bits.argmin(1) == np.arange(len(bits)))
for name, group in groups.items():
    ends = f"from {group.min()} to {group.max()}"
    print(f"{name:13s}{group.mean():5.1f} bits on average, {ends}")
print(f"the nearest fingerprint is that of the right picture: {found}")

# %% [markdown]
# Pictures that have nothing to do with each other differ in about half of the bits, as two rows
# of coin tosses do; a copy differs from its original in few or none. Pictures of one prompt can be
# anywhere between, and even further apart: the fingerprint knows nothing of the prompt, and where
# a background is dark instead of light, most bits change. So a gallery that keeps fingerprints
# finds its pictures again, and with them their recipes. Search engines that look for copies of a
# picture work with numbers of this kind.
#
# ## A signature
#
# A fingerprint says *which* picture it is, a recipe says *how* it was made. Neither says *who*
# made the claim. For this there is a signature: the **C2PA** standard (*Content Credentials*)
# puts a signed statement into the file, with a hash of everything else in it. Cameras, Photoshop
# and several picture generators write it. The package for it is optional here.

# %%
has_c2pa = importlib.util.find_spec("c2pa") is not None
if not has_c2pa:
    print(
        "c2pa-python is missing: run %pip install c2pa-python, then the cells from here on"
    )

# %% [markdown]
# Whoever signs needs a key, and a certificate that says whose key it is. A real certificate comes
# from an authority that has checked who you are. We make one ourselves, for today, and throw it
# away.


# %%
def make_certificate(who):
    """A test certificate that vouches for itself, and its key; both as PEM text."""
    from datetime import datetime, timedelta, timezone

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, who)])
    number = x509.random_serial_number()
    made = x509.CertificateBuilder(name, name, key.public_key(), number)
    made = made.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    signs = x509.KeyUsage(True, *[False] * 8)  # for signatures, and for nothing else
    # C2PA asks what the key may be used for; this is one of the purposes that it accepts.
    mail = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    for extension, strict in (signs, True), (mail, False), (mine, False):
        made = made.add_extension(extension, strict)
    text, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(text, serialization.PrivateFormat.PKCS8, plain)
    return made.sign(key, hashes.SHA256()).public_bytes(text), secret


# %% [markdown]
# The statement says that the picture was created by a trained model, with the same term of the IPTC
# as above.

# %%
signed = folder / "signed.png"
if has_c2pa:
    import c2pa

    certificate, secret = make_certificate("A student of this course")
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificate, secret, None))
    source = read_iptc(files[0])["DigitalSourceType"]
    made = {"action": "c2pa.created", "digitalSourceType": source}
    claim = {"label": "c2pa.actions", "data": {"actions": [made]}}
    builder = c2pa.Builder({"title": files[0].name, "assertions": [claim]})
    builder.sign_file(files[0], signed, signer)
    print(f"{files[0].stat().st_size:,} bytes became {signed.stat().st_size:,}")

# %% [markdown]
# Now three things happen to the signed file: nothing; one letter of the prompt is changed; it is
# opened and saved.
#
# > **Predict.** What will the reader say of each?


# %%
def verdict(file):
    """What a C2PA reader says of a file: its state, and what it objects to."""
    try:
        with c2pa.Reader(file) as reader:
            told = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return "no signature"
    codes = [problem["code"] for problem in told.get("validation_status", [])]
    return f"{told['validation_state']}: {', '.join(codes)}"


if has_c2pa:
    changed, saved = folder / "changed.png", folder / "saved.png"
    changed.write_bytes(signed.read_bytes().replace(b"oil painting", b"oil paintinG"))
    Image.open(signed).save(saved)
    for file in signed, changed, saved:
        print(f"{file.stem:10s}{verdict(file)}")

# %% [markdown]
# With version 0.38 of `c2pa-python` this gives:
#
# | file | what the reader says |
# |---|---|
# | signed | valid; the certificate is *untrusted* |
# | one letter changed | invalid: the hash of the data does not match |
# | opened and saved | there is no signature |
#
# - *Untrusted* is right: nobody has vouched for our certificate. The file is unchanged since it
#   was signed, and we do not know by whom. A reader trusts the authorities on its list.
# - The change of one letter is found, so a signature has to come last, after all other texts.
# - After saving, the signature is gone like every other text. **A missing signature means
#   nothing.** A signature can show who says that a model made the picture. Its absence does not
#   show that no model did.
#
# That is why research looks for marks in the pixels themselves, *watermarks*, and for
# fingerprints by which a lost statement is found again.
#
# ## Exercise: the script that forgets (10 minutes)
#
# A colleague halves all pictures of a folder for a web page. From the small files no picture can be
# made again. Mend `halve`: the small file should carry everything that the large one did.


# %% tags=["stub"]
def halve(file, to):
    """Write a PNG of half the side."""
    picture = Image.open(file)
    small = picture.resize([side // 2 for side in picture.size], Image.LANCZOS)
    small.save(to)


# %% tags=["solution"]
def halve(file, to):
    """Write a PNG of half the side, with all texts of the large one."""
    picture = Image.open(file)
    small = picture.resize([side // 2 for side in picture.size], Image.LANCZOS)
    small.save(to, pnginfo=texts(picture))


# %% tags=["hints"]
hints = [
    "Where does a PNG keep its recipe? Look at picture.text, before and after.",
    "save takes pnginfo=…, and texts(…) above makes one from a picture.",
    "Give it all texts of the large picture, not only the recipe: pnginfo=texts(picture).",
]

# %%
with sdlab.exercise("The script that forgets", hints=hints):
    to = Path(tempfile.mkdtemp()) / "half.png"
    halve(files[1], to)
    assert to.exists(), "halve should write its picture to the place `to`"
    half = Image.open(to)
    wanted = [side // 2 for side in originals[1].size]
    assert list(half.size) == wanted, "the picture should still be halved"
    assert levels(half, originals[1].resize(wanted, Image.LANCZOS)) == 0, (
        "the size is right, but these are not the pixels of the halved picture"
    )
    recipe, parameters, iptc = carried(to)
    assert recipe or parameters or iptc, (
        "the small file carries no text. save takes pnginfo=…, as in one of the nine ways"
    )
    assert recipe, "some texts are there, the recipe is not: copy all of picture.text"
    assert parameters, "the recipe is there, the text for other tools is missing"
    assert iptc, "the recipe is there, IPTC's fields are missing: they are a text as well"
    assert sdlab.read(half.filename) == sdlab.read(files[1]), "this is another recipe"

# %% [markdown]
# ## What you learned
#
# - A picture with its recipe in the file can be made again from the file alone, if the model is
#   there. The recipe is smaller than the picture, and survives a JPEG better than the pixels do.
# - Other tools keep prompt, seed, steps and guidance too. What they often lack is what the text
#   only names: source pictures, adapters, the exact weights.
# - A program that saves a picture loses its texts unless it takes care. Copy files, and send a
#   picture as a file.
# - What is written in a file is a claim. A recipe can be checked by drawing it, a signature shows
#   that nothing was changed since, and a fingerprint finds a picture that has lost everything.
#
# ## Go further
#
# - Drag one of your files into AUTOMATIC1111 or another tool: do the parameters appear?
# - Send a picture through the messenger you use, once as a photo and once as a file, and look at
#   both with `carried`.
# - Cut off a tenth of a picture at one side. Does the fingerprint still find it? How would you
#   improve the fingerprint?
# - A halved picture carries a recipe for the full size. Is that a lie, or is it useful?
