"""What every widget of the course is: an anywidget with a second self for pages without a kernel."""

import json
import uuid

import anywidget
from traitlets import Unicode

# What has the keyboard's focus carries this, or else JupyterLab takes the arrow keys and Enter for its own commands.
OWN_KEYS = 'data-lm-suppress-shortcuts="true"'
STUB = "{ get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {} }"
LIVE = """
export default {
  render(view) {
    const end = render(view), sheet = document.createElement("style");
    sheet.textContent = `.sdlab-still-${view.model.get("key")} { display: none !important; }`;  // here is the widget itself
    view.el.append(sheet);
    return end;
  },
};
"""


class Shown(anywidget.AnyWidget):
    """A widget with a still: HTML that needs no kernel and loads nothing.

    The still is an output of its own beside the widget, which hides it while it lives. So it is there in an exported page, in a program
    that knows no widgets, and in a notebook that is opened again without its kernel.

    A kind of it says how it is drawn: `render`, the text of a JavaScript function `render({ model, el })`, and `_css`. It is the same
    function in a notebook and in the still; there its model is a stub that only knows the state.
    """

    markup, key = Unicode().tag(sync=True), Unicode().tag(sync=True)
    alt = ""
    render = ""
    live = ()  # the traits whose values the still's stub knows

    def __init_subclass__(cls, **kwargs):
        if "render" in cls.__dict__:  # anywidget makes subclasses of its own, where _esm is a trait already
            cls._esm = cls.render + LIVE
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits):
        super().__init__(key=uuid.uuid4().hex[:12], **traits)
        self._stills = []

    def still(self):
        """The widget as HTML."""
        state = json.dumps({name: getattr(self, name) for name in self.live})
        here = f"const state = {state}, el = document.currentScript.previousElementSibling;"
        script = f"(() => {{\n{here}\n{self.render}\nrender({{ model: {STUB}, el }});\n}})();"
        return f"<style>{self._css}</style><div>{self.markup}</div><script>{script}</script>"

    def _still_bundle(self):
        return {"text/html": f'<div class="sdlab-still-{self.key}">{self.still()}</div>', "text/plain": ""}

    def _renew_stills(self):
        """Let the stills that were shown say what the widget says now."""
        for still in self._stills:
            still.update(self._still_bundle(), raw=True)

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": self.alt} | {"text/html": self._still_bundle()["text/html"]}, metadata

    def _ipython_display_(self):
        """Show the widget, and after it the still; nothing once it is closed."""
        from IPython.display import display

        if self.comm is None:
            return
        data, metadata = self._repr_mimebundle_()
        display(data | {"text/html": ""}, metadata=metadata, raw=True)
        still = display(self._still_bundle(), raw=True, display_id=True)
        if still is not None:  # there is none outside a notebook
            self._stills.append(still)
