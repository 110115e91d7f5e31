# %% [markdown]
# # 16 · Hosted inference
#
# Not every machine can hold every model. A *hosted service* draws for you: you send a prompt over
# the network, a GPU far away computes, and a picture comes back. It takes one line of code. This
# notebook is about what travels over the network then, and what can go wrong on the way.
#
# **You will be able to** let a service draw a recipe; say exactly what it learns about you; keep
# your access token out of everything you share; read the errors of a service and know what to do;
# and decide when to draw there and when here.
#
# | | stand-in (default) | a real service (with a token) |
# |---|---|---|
# | time for this notebook | half a minute on two CPU cores | half a minute |
# | memory | 1 GB | nothing |
# | download | none | none |
#
# **This page talks to a stand-in.** It is a small web server that the notebook starts on your own
# machine. It speaks the protocol of the Hugging Face service, and the course's pocket model draws.
# So every cell runs without an account. The last part asks the real service, if you have a token.

# %%
import json
import os
import time

import numpy as np
from huggingface_hub import constants, get_token

import sdlab
from sdlab.display import intervals
from sdlab.pipes.hosted import ServiceError
from sdlab.study.stand_in import StandIn

constants.HF_HUB_OFFLINE = (
    False  # the stand-in is on this machine: asking it needs no network
)
pipe = sdlab.load("pocket")
pipe.set_progress_bar_config(disable=True)
sdlab.use_style()
service = StandIn(pipe).start()
print("the stand-in listens at", service.address)

# %% [markdown]
# ## One function, the same recipe
#
# > **Predict.** The stand-in uses the same model as `sdlab.generate`. Will the two pictures be
# > equal?

# %% tags=["cover"]
recipe = sdlab.Recipe("a castle at sunset, oil painting", seed=4, steps=20)
there = sdlab.generate_hosted(recipe, model=service.address)
here = sdlab.generate(pipe, recipe, progress=False)
apart = np.abs(np.asarray(there.image, int) - np.asarray(here.image, int)).max()
print(f"largest difference: {apart} of 255 grey levels; drawn by: {there.device}")
sdlab.grid([there.image, here.image], ["there", "here"])

# %% [markdown]
# They are equal: a recipe decides a picture, wherever it is drawn, as long as the model, the
# settings and the kind of device are the same. Most services offer other models than you have, and
# they choose what a recipe leaves open. So we save a hosted picture with everything we know: who
# drew it, and by which model. `sdlab.reproduce` (notebook 07) reads that and refuses: only the
# service can draw the picture again.

# %%
[file] = sdlab.save(there, "outputs/hosted.png")
print(sdlab.read(file).model, "|", there.device)
try:
    sdlab.reproduce(file)
except ValueError as error:
    print(error)

# %% [markdown]
# ## What the service learns
#
# > **Predict.** Which of these travel to the service: the prompt, the negative prompt, the seed,
# > your name, the name of your computer, your token, the picture?

# %%
headers, body = service.requests[-1]
print(json.dumps(body, indent=1))
for name, value in headers.items():
    print(f"{name}: {value[:60]}")

# %% [markdown]
# This is all of it. The prompt travels in plain words. So does the seed, and so would a negative
# prompt, if the recipe had one; your name, the name of your computer and the picture do not. The
# connection to a real service is encrypted, but the service itself reads the prompt, and may keep
# it. So do not put into a prompt what you would not send to a stranger: names of patients, products
# that nobody knows yet, other people's secrets. The headers say which libraries you use, and a real
# service also sees your address on the internet.
#
# And the token? It would be in the header `authorization`. Here it is empty, even if you have a
# token: `sdlab` sends it to Hugging Face only, and this address is not theirs.
#
# ### Where a token belongs
#
# A *token* is a password for programs. Whoever has it can draw at your expense. There are two good
# places for it: the environment variable `HF_TOKEN`, and the store that `hf auth login` writes.
# Both are outside your code.

# %%
print("a token was found on this machine:", get_token() is not None)

# %% [markdown]
# We print *whether* there is one, and not the token itself: what a cell prints is saved in the
# notebook, and a notebook is shared. The first version of this course had a token in its source
# code, in plain sight, and everybody who opened the file could use it.
#
# ### Exercise: find the leak (10 minutes)
#
# A friend writes code that reports errors nicely. Her token is in the environment, as it should
# be. Yet when something fails, it ends up in her notebook. Find out how, and mend `report`.

# %%
request = {
    "url": "https://service.example/models/x",
    "headers": {"authorization": "Bearer hf_NotARealToken123", "user-agent": "python"},
    "inputs": "a castle",
}


# %% tags=["stub"]
def report(request, status):
    """One line about a request that failed."""
    return f"status {status} for {request}"


# %% tags=["solution"]
def report(request, status):
    """One line about a request that failed."""
    return f"status {status} for {request['url']}, prompt {request['inputs']!r}"


# %% tags=["hints"]
hints = [
    "Look at what str(request) contains.",
    "The headers hold the token. Which parts of the request does a reader of the line need?",
    "Name them one by one: request['url'] and request['inputs'].",
]

# %%
with sdlab.exercise("Find the leak", hints=hints):
    headers = {"authorization": "Bearer hf_AnotherOne456", "user-agent": "python"}
    another = request | {"headers": headers.copy()}
    line = report(another, 503)
    assert isinstance(line, str), f"report should return one line of text, not {line}"
    assert "hf_" not in line, (
        "a token is in the line: name the parts of the request that may be seen, not all of it"
    )
    assert "503" in line and "service.example" in line, "keep the status and the address"
    assert another.get("headers") == headers, (
        "the request has lost its token, and nobody can ask again with it: leave it as it is"
    )

# %% [markdown]
# ## What goes wrong
#
# A local model mostly fails because memory is too small. A service fails in many more ways. The
# stand-in imitates them for us. Read each sentence: what happened, and what would you do?

# %%
faults = {
    "the token is wrong": (401, {}, ""),
    "no such model": (404, {}, ""),
    "the free calls are used up": (402, {}, ""),
    "the recipe is refused": (422, {}, '{"error": "width must be at most 2048"}'),
    "their GPU is full": (500, {}, '{"error": "out of memory"}'),
    "not a picture": (200, {}, "<html>We are moving house.</html>"),
    "busy for ten minutes": (429, {"Retry-After": "600"}, ""),
}
for name, fault in faults.items():
    service.faults = [fault]
    try:
        sdlab.generate_hosted("a castle", model=service.address)
    except (PermissionError, ServiceError) as error:
        print(f"{name}:\n    {error}\n")

# %% [markdown]
# > **Predict.** A service is busy and says: ask again in one second. It is asked again and is still
# > busy, and this time it does not say how long to wait. What does `generate_hosted` do, and how
# > long will it take?

# %%
service.requests.clear()
service.faults = [(429, {"Retry-After": "1"}, ""), (503, {}, "")]
start = time.perf_counter()
sdlab.generate_hosted("a castle", model=service.address, steps=5)
print(f"asked {len(service.requests)} times, {time.perf_counter() - start:.1f} s")

# %% [markdown]
# It waits and asks again. A good client waits as long as it is told (the header `Retry-After`).
# Where it is told nothing, it waits twice as long each time. If everybody asked again at once, a
# busy service would never become less busy.
#
# ## One picture after the other
#
# The simplest program for such a service is a menu: draw, show, ask for more. In a terminal it is
# `sdlab chat --hosted`. Here is its loop, with answers that we wrote down in advance.

# %%
answers, prompt, seed, shown = (
    iter(["a lion, cartoon", "1", "a robot, cartoon", "0"]),
    "",
    0,
    [],
)
while (answer := next(answers)) != "0":  # 0 stops
    if answer == "1":  # another picture of the same prompt
        seed += 1
    else:
        prompt = answer
    shown.append(sdlab.generate_hosted(prompt, seed=seed, steps=15, model=service.address))
sdlab.show(shown)

# %% [markdown]
# ## What it costs
#
# Two things: time on the way, and money. The first can be measured. The stand-in draws as fast as
# your machine, so the difference is the time for sending and receiving.

# %%
recipe = sdlab.Recipe("a castle at sunset, oil painting", steps=8)
local, remote = [], []
for seed in range(6):  # in turn, so that both meet the same busy moments
    local.append(sdlab.generate(pipe, recipe.but(seed=seed), progress=False).seconds)
    remote.append(
        sdlab.generate_hosted(recipe.but(seed=seed), model=service.address).seconds
    )
extra = intervals.difference(remote, local)
print(f"here {np.median(local):.2f} s, there {np.median(remote):.2f} s; more by {extra} s")

# %% [markdown]
# On your own machine the way is short. Across the internet it is longer, and a model that nobody
# has used for a while must be loaded first. Money is simple arithmetic: a service asks a price per
# picture. A graphics card costs its price once, and electricity for every second that it draws.
#
# ### Exercise: when does a card pay? (10 minutes)
#
# Write `break_even`: after how many pictures have a card and the service cost the same? The card
# costs `card`, and the service `per_picture`. For one picture the card needs `watts` for `seconds`,
# and a kilowatt-hour (1,000 watts for 3,600 seconds) costs `per_kwh`. All prices are in the same
# currency. If the card never pays, return `float("inf")`.


# %% tags=["stub"]
def break_even(card, per_picture, watts, seconds, per_kwh):
    """The number of pictures at which both cost the same."""
    return card / per_picture  # what is missing?


# %% tags=["solution"]
def break_even(card, per_picture, watts, seconds, per_kwh):
    """The number of pictures at which both cost the same."""
    electricity = watts * seconds / 3_600_000 * per_kwh  # of one picture
    return card / (per_picture - electricity) if per_picture > electricity else float("inf")


# %% tags=["hints"]
hints = [
    "With a card of your own a picture is not free. What does it still cost?",
    "watts * seconds is an energy in joules; 3,600,000 of them are one kilowatt-hour.",
    'card / (per_picture - electricity), and float("inf") where electricity costs as much as '
    "the service or more.",
]

# %%
with sdlab.exercise("When does a card pay?", hints=hints):
    free_power = break_even(500, 0.01, 300, 5, 0.0)
    assert free_power is not None and np.isclose(free_power, 50_000), (
        "without costs of electricity it should be 50,000"
    )
    dearer = break_even(500, 0.01, 300, 5, 0.30)
    assert dearer > free_power, (
        f"electricity makes the own card dearer, so it takes more pictures, and not {dearer:,.0f}"
    )
    expected = 500 / (0.01 - 300 * 5 / 3_600_000 * 0.30)
    assert np.isclose(dearer, expected), (
        "the electricity of one picture is watts × seconds / 3,600,000 × price per kWh"
    )
    assert break_even(500, 0.0001, 300, 5, 0.30) == float("inf"), (
        "a service that is cheaper than the electricity is never caught up with: return infinity"
    )

# %% [markdown]
# ## The real service
#
# With a token in `HF_TOKEN` (or after `hf auth login`) the next cell asks the service of Hugging
# Face, and saves the picture. It is skipped in tests and without a token.

# %%
if get_token() and not os.environ.get("CI") and not os.environ.get("SDLAB_STRICT"):
    try:
        real = sdlab.generate_hosted("a castle at sunset, oil painting", seed=4)
        print("drawn by", real.recipe.model, "→", *sdlab.save(real))
    except (OSError, ValueError) as error:
        print(error)
else:
    print("not asked: there is no token here, or this is a test")

# %% [markdown]
# ## When to use it
#
# | | here | hosted |
# |---|---|---|
# | the prompt stays with you | yes | no |
# | the same picture next year | yes, with the file | only if they keep the model |
# | a model of any size | as far as memory goes | yes |
# | a thousand pictures | slow, for the price of electricity | fast, paid per picture |
# | without a network | yes | no |
#
# Learn and experiment here, where you can look into everything. Ask a service for what your machine
# cannot hold, with prompts that a stranger may read.
#
# **What you learned**
#
# - The same recipe can be drawn here or there; the same model gives the same picture.
# - The prompt travels in plain words. The token travels in a header, and belongs in no file.
# - A service fails in many ways. Wait as long as it asks, and read what it says.
#
# **Go further.** Start the stand-in in one terminal, and ask it from a second one. Then try from
# another machine in your network. It will not answer, because it listens on 127.0.0.1 only. Why is
# that a good default?

# %%
service.stop()
