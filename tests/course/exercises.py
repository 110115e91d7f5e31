"""Exercises of the lessons, answered as students would, and checked by the lesson's own cell."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from textwrap import indent

import torch

from docs.tools.derive import SCRIPTS, derive

STUB = "the stub as it is"
SOLUTION = "the solution"


@dataclass(frozen=True)
class Exercise:
    """An exercise, and what could be answered.

    An answer is Python: the body of the function where one function is asked for, and otherwise statements that follow the solution.

    Args:
        lesson: its number, such as "02".
        title: what the check calls it.
        wrong: plausible wrong answers, `STUB` among them, each with words of what the check says of it.
        given: makes what the lesson has at hand by then, a dict; its parameters are fixtures.
        uses: the functions of the lesson that are needed.
        right: right answers besides the solution.
        between: whether the cells between the answer and its check are run.
        solution: statements instead of the lesson's, which take too long.
        slow: takes seconds.
    """

    lesson: str
    title: str
    wrong: dict[str, str]
    given: Callable = lambda: {}
    uses: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    between: bool = False
    solution: str = ""
    slow: bool = False

    def check(self, answer, request):
        """Run the check on an answer; what it says is printed, or raised with SDLAB_STRICT=1."""
        first, last = self._place()
        known = self._known(request)
        exec(self._written(answer), known)
        torch.manual_seed(0)
        for cell in _cells(self.lesson)[first + 1 if self.between else last : last + 1]:
            exec(cell.source, known)

    @property
    def asks_for_a_function(self):
        return [type(statement) for statement in ast.parse(self._stub()).body] == [ast.FunctionDef]

    def _place(self):
        """The numbers of the cells of the answer and of its check."""
        cells = _cells(self.lesson)
        last = next(number for number, cell in enumerate(cells) if f'exercise("{self.title}"' in cell.source)
        return max(number for number, cell in enumerate(cells[:last]) if "solution" in _tags(cell)), last

    def _stub(self):
        return _cells(self.lesson, solved=False)[self._place()[0]].source

    def _written(self, answer):
        """The cell with an answer."""
        stub, solution = self._stub(), self.solution or _cells(self.lesson)[self._place()[0]].source
        if answer in (STUB, SOLUTION):
            return stub if answer == STUB else solution
        if self.asks_for_a_function:
            return stub[: stub.index(":\n") + 2] + indent(answer, "    ")
        return f"{solution}\n{answer}"

    def _known(self, request):
        """What the lesson has imported, what is given, and the functions in use."""
        statements = [s for cell in _cells(self.lesson) if not _tags(cell) for s in ast.parse(cell.source).body]
        known = {"hints": []}
        _execute([s for s in statements if isinstance(s, ast.Import | ast.ImportFrom)], known)
        known |= self.given(**{name: request.getfixturevalue(name) for name in inspect.signature(self.given).parameters})
        _execute([s for s in statements if isinstance(s, ast.FunctionDef) and s.name in self.uses], known)
        return known


@cache
def _cells(lesson, solved=True):
    [script] = SCRIPTS.glob(f"{lesson}_*.py")
    return [cell for cell in derive(script, solved).cells if cell.cell_type == "code"]


def _tags(cell):
    return cell.metadata.get("tags", ())


def _execute(statements, known):
    exec(compile(ast.Module(statements, []), "lesson", "exec"), known)
