"""What every widget of the course is: an anywidget with a second self for pages without a kernel."""

import json

import anywidget
from traitlets import Unicode

# What has the keyboard's focus carries this, or else JupyterLab takes the arrow keys and Enter for its own commands.
OWN_KEYS = 'data-lm-suppress-shortcuts="true"'
STUB = "{ get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {} }"


class Shown(anywidget.AnyWidget):
    """A widget whose output holds HTML too: a page without a kernel, or a program that knows no widgets, shows that instead.

    A kind of it says how it is drawn: `render`, the text of a JavaScript function `render({ model, el })`, and `_css`. It is the same
    function in a notebook and on a page; there its model is a stub that only knows the state.
    """

    markup = Unicode().tag(sync=True)
    alt = ""
    render = ""
    live = ()  # the traits whose values the page's stub knows
    _ipython_display_ = None  # that of ipywidgets 7 would show the widget alone

    def __init_subclass__(cls, **kwargs):
        if "render" in cls.__dict__:  # anywidget makes subclasses of its own, where _esm is a trait already
            cls._esm = f"{cls.render}\nexport default {{ render }};\n"
        super().__init_subclass__(**kwargs)

    def still(self):
        """The widget as HTML that needs no kernel and loads nothing."""
        state = json.dumps({name: getattr(self, name) for name in self.live})
        here = f"const state = {state}, el = document.currentScript.previousElementSibling;"
        script = f"(() => {{\n{here}\n{self.render}\nrender({{ model: {STUB}, el }});\n}})();"
        return f"<style>{self._css}</style><div>{self.markup}</div><script>{script}</script>"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:  # closed
            return None
        data, metadata = bundle
        return {**data, "text/plain": self.alt, "text/html": self.still()}, metadata
