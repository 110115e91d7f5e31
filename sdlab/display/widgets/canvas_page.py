"""What the browser does for the canvas.

What is seen is painted anew at the size of the screen's own pixels; the strokes are kept in pixels of the picture.
"""

from sdlab.display.widgets.canvas_look import INK, PAGE

RENDER = (
    "const PAGE = `"
    + PAGE
    + f"`;\nconst INK = '{INK}';"
    + """
function render({ model, el }) {
  el.innerHTML = PAGE;
  const find = (what) => el.querySelector(what), root = find(".sdlab-canvas"), kind = model.get("kind");
  const paper = find(".sdlab-paper"), layer = find("canvas"), pen = layer.getContext("2d"), ring = find(".sdlab-ring");
  const [width, height] = model.get("size"), ink = kind === "sketch" ? "#ffffff" : INK, slider = find("[name=size]");
  let tool = "paint", stroke = null, pointer = null, start = null;  // the stroke that is being drawn, by which pointer

  // What is seen: every stroke anew, or of the one that is being drawn the points that are new.
  const trace = (how, points, from = 0) => {
    pen.globalCompositeOperation = how === "erase" ? "destination-out" : "source-over";
    pen.fillStyle = pen.strokeStyle = ink;
    pen.lineCap = pen.lineJoin = "round";
    const scale = layer.width / width, part = points.slice(Math.max(0, from - 1)).map((point) => point.map((value) => value * scale));
    const isEven = part.every(([, , radius]) => radius === part[0][2]);  // then it is one line, without a seam
    for (const line of isEven ? [part] : part.slice(1).map((point, i) => [part[i], point])) {
      pen.beginPath();
      pen.lineWidth = line[0][2] + line.at(-1)[2];
      pen.moveTo(line[0][0], line[0][1]);
      for (const [x, y] of line.slice(1)) pen.lineTo(x, y);
      if (line.length > 1) pen.stroke();
      else {
        pen.arc(line[0][0], line[0][1], line[0][2], 0, 2 * Math.PI);
        pen.fill();
      }
    }
  };
  const cleared = () => model.get("strokes").map((one) => one.kind).lastIndexOf("clear") + 1;
  const isBare = () => model.get("strokes").length === cleared() && (cleared() > 0 || !model.get("beginning"));
  const repaint = () => {
    const from = cleared();
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, layer.width, layer.height);
    if (!from && start) pen.drawImage(start, 0, 0, layer.width, layer.height);
    for (const one of [...model.get("strokes").slice(from), ...(stroke ? [stroke] : [])]) trace(one.kind, one.points);
  };
  const fit = () => {  // as many pixels as the screen has there
    const sharp = window.devicePixelRatio || 1;
    const wide = Math.max(1, Math.round(paper.clientWidth * sharp)), high = Math.max(1, Math.round(paper.clientHeight * sharp));
    if (layer.width === wide && layer.height === high) return;
    Object.assign(layer, { width: wide, height: high });
    repaint();
  };

  // What is told: a list that grows, and what was undone of it.
  const tell = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const add = (one) => tell({ strokes: [...model.get("strokes"), one], undone: [] });
  const move = (from, to) => {
    const taken = model.get(from);
    if (taken.length && !stroke) tell({ [to]: [...model.get(to), taken.at(-1)], [from]: taken.slice(0, -1) });
  };
  const deeds = {
    brush: () => choose("paint"), eraser: () => choose("erase"), undo: () => move("strokes", "undone"),
    redo: () => move("undone", "strokes"), clear: () => { if (!isBare() && !stroke) add({ kind: "clear", points: [] }); },
  };
  const choose = (chosen) => {
    tool = chosen;
    find("[name=brush]").setAttribute("aria-pressed", tool === "paint");
    find("[name=eraser]").setAttribute("aria-pressed", tool === "erase");
  };

  // The pointer: mouse, pen or finger, one at a time. A pen presses lines thicker, and its other end erases.
  const place = (event) => {
    const box = paper.getBoundingClientRect(), within = (value, most) => Math.round(100 * Math.min(2 * most, Math.max(-most, value))) / 100;
    const press = event.pointerType === "pen" && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
    const x = (event.clientX - box.left) / box.width * width, y = (event.clientY - box.top) / box.height * height;
    return [within(x, width), within(y, height), Math.round(100 * Math.max(0.5, model.get("brush") / 2 * press)) / 100];
  };
  const moveRing = (event) => {
    const box = paper.getBoundingClientRect(), across = model.get("brush") / width * box.width;
    const left = event.clientX - box.left - across / 2, top = event.clientY - box.top - across / 2;
    Object.assign(ring.style, { width: `${across}px`, height: `${across}px`, transform: `translate(${left}px, ${top}px)` });
  };
  const begin = (event) => {
    const isEraser = event.pointerType === "pen" && event.button === 5;
    if (stroke || (event.button !== 0 && !isEraser)) return;
    event.preventDefault();
    paper.focus({ preventScroll: true });
    fit();
    pointer = event.pointerId;
    paper.setPointerCapture(pointer);
    stroke = { kind: isEraser ? "erase" : tool, points: [place(event)] };
    find(".sdlab-hint").hidden = true;
    trace(stroke.kind, stroke.points);
  };
  const draw = (event) => {
    moveRing(event);
    if (!stroke || event.pointerId !== pointer) return;
    const known = stroke.points.length, near = 1.5 * width / paper.clientWidth;  // how far the pointer has to move to leave a point
    const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of between.length ? between : [event]) {
      const point = place(one), [x, y] = stroke.points.at(-1);
      if (Math.hypot(point[0] - x, point[1] - y) >= near) stroke.points.push(point);
    }
    trace(stroke.kind, stroke.points, known);
  };
  const finish = (event) => {
    if (!stroke || event.pointerId !== pointer) return;
    const drawn = stroke;
    stroke = pointer = null;
    add(drawn);
  };
  paper.addEventListener("pointerdown", begin);
  paper.addEventListener("pointermove", draw);
  paper.addEventListener("pointerenter", (event) => { fit(); moveRing(event); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) paper.addEventListener(end, finish);
  paper.addEventListener("contextmenu", (event) => event.preventDefault());  // which a long press of a finger opens

  // Buttons and keys.
  for (const [name, deed] of Object.entries(deeds)) find(`[name=${name}]`).addEventListener("click", deed);
  const side = Math.max(width, height), most = Math.max(4, Math.round(side / (kind === "sketch" ? 8 : 3)));
  Object.assign(slider, { min: 1, max: Math.max(most, model.get("brush")), step: side > 256 ? 1 : 0.5 });
  const resize = (value) => {
    slider.value = value;
    tell({ brush: Number(slider.value) });
  };
  slider.addEventListener("input", () => resize(slider.value));
  root.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
    const deed = command && key === "z" ? (event.shiftKey ? "redo" : "undo") : command && key === "y" ? "redo" : null;
    const step = { "[": -1, "]": 1 }[key];
    if (!deed && (!step || command)) return;
    event.preventDefault();
    event.stopPropagation();
    if (deed) deeds[deed]();
    else resize(model.get("brush") + step * Math.max(1, side / 64));
  });
  for (const control of root.querySelectorAll("button, input, [tabindex]")) {
    control.setAttribute("data-lm-suppress-shortcuts", "true");  // or JupyterLab takes these keys for its own commands
  }

  const shows = {
    strokes: () => {
      repaint();
      const strokes = model.get("strokes"), count = strokes.length - cleared();
      find(".sdlab-hint").hidden = !isBare() || strokes.length > 0;
      find("[name=undo]").setAttribute("aria-disabled", !strokes.length);
      find("[name=clear]").setAttribute("aria-disabled", isBare());
      find("figcaption").innerHTML = `what the model gets<br> ${width}×${height} pixels<br> ${count} stroke${count === 1 ? "" : "s"}`;
      shows.heard();
    },
    undone: () => find("[name=redo]").setAttribute("aria-disabled", !model.get("undone").length),
    brush: () => {
      slider.value = model.get("brush");
      find("label span").textContent = `${model.get("brush")} pixel${model.get("brush") === 1 ? "" : "s"}`;
    },
    result: () => { find(".sdlab-result img").src = model.get("result"); },
    heard: () => find(".sdlab-result img").classList.toggle("sdlab-late", model.get("heard") !== model.get("strokes").length),
  };
  root.classList.add(`sdlab-of-${kind}`);
  root.setAttribute("aria-label", kind === "sketch" ? "draw a sketch" : "paint a mask");
  paper.setAttribute("aria-label", kind === "sketch" ? "the sketch" : "the picture, and the mask over it");
  find(".sdlab-result img").alt = kind === "sketch" ? "the sketch, white lines on black" : "the mask, white where it is drawn anew";
  find(".sdlab-hint").textContent = kind === "sketch" ? "draw here" : "paint over what is to change";
  Object.assign(paper.style, { aspectRatio: `${width} / ${height}`, width: `${26 * Math.min(1, width / height)}em` });
  if (model.get("picture")) paper.prepend(Object.assign(document.createElement("img"), { src: model.get("picture"), alt: "" }));
  if (model.get("beginning")) {
    const image = new Image();
    image.onload = () => {
      start = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
      const brush = start.getContext("2d");
      brush.drawImage(image, 0, 0);
      brush.globalCompositeOperation = "source-in";
      brush.fillStyle = ink;
      brush.fillRect(0, 0, start.width, start.height);
      repaint();
    };
    image.src = model.get("beginning");
  }
  const watch = new ResizeObserver(fit);
  watch.observe(paper);
  for (const [name, show] of Object.entries(shows)) {
    show();
    model.on(`change:${name}`, show);
  }
  return () => {
    watch.disconnect();
    Object.entries(shows).forEach(([name, show]) => model.off(`change:${name}`, show));
  };
}
"""
)
