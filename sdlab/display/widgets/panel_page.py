"""What the browser does for the panel: its form, its script and its look."""

CSS = """
.sdlab-drawn { width: 26em; }
.sdlab.sdlab-panel { display: flex; flex-wrap: wrap; gap: 1em 1.8em; align-items: flex-start; max-width: 56em; padding: 1.1em;
  border: 1px solid var(--sdlab-line); border-radius: 12px; }
.sdlab-knobs { flex: 1 1 19em; min-width: 0; display: grid; gap: 0.75em; }
.sdlab-panel figure { flex: 1 1 19em; min-width: 0; max-width: 26em; margin: 0; }
.sdlab-panel label { display: grid; gap: 0.2em; font-weight: 600; }
.sdlab.sdlab-panel label > *, .sdlab.sdlab-panel .sdlab-pair > * { font-weight: 400; min-width: 0; }
.sdlab-panel textarea, .sdlab-panel select, .sdlab-panel input:not([type="range"]) { width: 100%; padding: 0.4em 0.6em; resize: vertical;
  border: 1px solid var(--sdlab-line); border-radius: 8px; background: var(--sdlab-tint); }
.sdlab-panel option { color: #222831; background: #ffffff; }
.sdlab-panel .sdlab-pair { display: grid; grid-template-columns: 1fr 5.2em; gap: 0.7em; align-items: center; }
.sdlab-panel input[type="range"] { width: 100%; height: 1.8em; margin: 0; cursor: pointer; }
.sdlab-panel button { padding: 0.4em 0.9em; border: 1px solid var(--sdlab-line); border-radius: 8px; background: var(--sdlab-tint);
  cursor: pointer; }
.sdlab-panel button[name="draw"] { border-color: transparent; background: var(--sdlab-accent); color: var(--sdlab-on-accent);
  font-weight: 600; min-width: 6em; }
.sdlab-panel button[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.sdlab-panel .sdlab-another { padding-inline: 0.3em; }
.sdlab-panel .sdlab-actions { display: flex; gap: 0.7em; align-items: center; margin-top: 0.2em; }
.sdlab-panel progress { flex: 1; min-width: 3em; height: 0.7em; accent-color: var(--sdlab-accent); }
.sdlab-panel .sdlab-step { font-variant-numeric: tabular-nums; }
.sdlab-panel p { margin: 0; min-height: 1.45em; font-variant-numeric: tabular-nums; }
.sdlab-panel p[role="alert"] { color: var(--sdlab-wrong); font-weight: 600; }
.sdlab-panel p[role="alert"]:empty { display: none; }
.sdlab-pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9em, 1fr)); gap: 0.5em; }
.sdlab-pictures:empty { aspect-ratio: 1; border: 2px dashed var(--sdlab-line); border-radius: 8px; }
.sdlab-panel .sdlab-made { display: flex; flex-wrap: wrap; gap: 0.4em; margin-top: 0.7em; }
.sdlab-panel .sdlab-made button { width: 3.6em; padding: 0; border: 0; border-radius: 8px; background: none; }
.sdlab-panel .sdlab-made button[aria-pressed="true"] { outline: 3px solid var(--sdlab-accent); outline-offset: 1px; }
"""

FORM = """
<form class="sdlab sdlab-panel" aria-label="make a picture" novalidate>
  <div class="sdlab-knobs">
    <label>prompt <textarea name="prompt" rows="2" spellcheck="false"></textarea></label>
    <label>negative prompt <input name="negative_prompt" spellcheck="false" placeholder="what to steer away from"></label>
    <label>guidance <span class="sdlab-pair"><input type="range" min="1" max="15" step="0.5" data-of="guidance">
      <input type="number" name="guidance" min="0" step="any" aria-label="guidance, as a number"></span></label>
    <label>steps <span class="sdlab-pair"><input type="range" min="1" max="50" step="1" data-of="steps">
      <input type="number" name="steps" min="1" step="1" aria-label="steps, as a number"></span></label>
    <label>seed <span class="sdlab-pair"><input name="seed" inputmode="numeric">
      <button type="button" class="sdlab-another" aria-label="another seed">another</button></span></label>
    <label>sampler <select name="sampler"></select></label>
    <div class="sdlab-actions"><button type="submit" name="draw">Draw</button><button type="button" name="stop">Stop</button>
      <progress value="0" aria-label="steps done"></progress><span class="sdlab-step"></span></div>
    <p role="status"></p><p role="alert"></p>
  </div>
  <figure><div class="sdlab-pictures"></div><figcaption></figcaption>
    <div class="sdlab-made" role="group" aria-label="pictures made so far"></div></figure>
</form>
"""

RENDER = (
    "const FORM = `"
    + FORM
    + """`;
function render({ model, el }) {
  el.innerHTML = FORM;
  const form = el.querySelector("form"), find = (what) => form.querySelector(what), field = (name) => find(`[name="${name}"]`);
  const numbers = ["guidance", "steps"], texts = ["prompt", "negative_prompt", "seed", "sampler"];

  const told = (name) => (numbers.includes(name) ? (field(name).value === "" ? null : Number(field(name).value)) : field(name).value);
  const values = () => Object.fromEntries([...texts, ...numbers].map((name) => [name, told(name)]));
  const say = (kind) => model.send({ kind, values: values() });
  const slider = (name) => find(`[data-of="${name}"]`);
  const slide = (name) => {
    const value = field(name).value;
    if (value === "") return;
    slider(name).max = Math.max(slider(name).max, value);
    slider(name).value = value;
  };
  const fill = (name) => {
    const inputs = numbers.includes(name) ? [field(name), slider(name)] : [field(name)];
    if (inputs.includes(document.activeElement)) return;  // somebody is about to change it
    field(name).value = model.get(name) ?? "";
    if (numbers.includes(name)) slide(name);
  };
  const keepKeys = (control) => control.setAttribute("data-lm-suppress-shortcuts", "true");  // or JupyterLab takes arrows and Enter
  form.querySelectorAll("input[type=range], select, button").forEach(keepKeys);
  const picture = (url, alt) => Object.assign(document.createElement("img"), { src: url, alt });

  const shows = {
    samplers: () => field("sampler").replaceChildren(...model.get("samplers").map((name) => new Option(name))),
    pictures: () => find(".sdlab-pictures").replaceChildren(...model.get("pictures").map((url) => picture(url, model.get("alt")))),
    caption: () => { find("figcaption").textContent = model.get("caption"); },
    status: () => { find("[role=status]").textContent = model.get("status"); },
    error: () => { find("[role=alert]").textContent = model.get("error"); },
    step: () => {
      Object.assign(find("progress"), { max: model.get("steps_to_do") || 1, value: model.get("step") });
      find(".sdlab-step").textContent = `${model.get("step")} of ${model.get("steps_to_do")}`;
    },
    drawing: () => {
      field("draw").setAttribute("aria-disabled", model.get("drawing"));
      field("stop").setAttribute("aria-disabled", !model.get("drawing"));
      find("progress").hidden = find(".sdlab-step").hidden = !model.get("drawing");
    },
    made: () => find(".sdlab-made").replaceChildren(...model.get("made").map(([url, said], index) => {
      const button = Object.assign(document.createElement("button"), { type: "button", title: said });
      button.append(picture(url, said));
      keepKeys(button);
      button.setAttribute("aria-pressed", index === model.get("shown"));
      button.addEventListener("click", () => model.send({ kind: "recall", index }));
      return button;
    })),
    shown: () => [...find(".sdlab-made").children].forEach((button, i) => button.setAttribute("aria-pressed", i === model.get("shown"))),
  };
  shows.alt = shows.pictures;  // the last look and the picture may be alike
  for (const name of [...texts, ...numbers]) shows[name] = () => fill(name);

  form.addEventListener("change", (event) => say("set"));
  for (const name of numbers) {
    slider(name).addEventListener("input", () => { field(name).value = slider(name).value; });
    field(name).addEventListener("input", () => slide(name));
  }
  find(".sdlab-another").addEventListener("click", () => {
    field("seed").value = Math.floor(Math.random() * 10000);
    say("set");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!model.get("drawing")) say("draw");
  });
  field("stop").addEventListener("click", () => model.get("drawing") && say("stop"));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.get("drawing")) say("stop");
    if (event.key === "Enter" && event.target.name === "prompt" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  for (const [name, show] of Object.entries(shows)) {
    show();
    model.on(`change:${name}`, show);
  }
  return () => Object.entries(shows).forEach(([name, show]) => model.off(`change:${name}`, show));
}
"""
)
