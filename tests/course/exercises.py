"""Exercises of the lessons, answered as a student would, and checked by the lesson's own cell."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from textwrap import indent

import torch

from docs.tools.derive import SCRIPTS, derive

STUB = "the stub as it is"


@dataclass(frozen=True)
class Exercise:
    """An exercise and what could be answered.

    An answer is Python: the body of the function, where the exercise asks for one function, and otherwise statements that follow the
    solution.

    Args:
        lesson: its number, such as "02".
        title: what the check calls it.
        wrong: from each plausible wrong answer, among them `STUB`, to words of what the check says of it.
        given: makes a dict of what the lesson has at hand by then; its parameters are fixtures.
        uses: the functions of the lesson that are needed.
        right: further right answers, besides the solution.
        between: whether the cells between answer and check are run.
        solution: instead of the notebook's.
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
        """Run the check on an answer; empty is the solution."""
        known = self._known(request)
        cells = _code(self.lesson, solved=True)
        last = next(number for number, cell in enumerate(cells) if f'exercise("{self.title}"' in cell.source)
        first = max(number for number, cell in enumerate(cells[:last]) if "solution" in cell.metadata.get("tags", ()))
        solution = self.solution or cells[first].source
        exec(self._written(answer, solution, _code(self.lesson, solved=False)[first].source), known)
        torch.manual_seed(0)
        for cell in cells[first + 1 if self.between else last : last + 1]:
            exec(cell.source, known)

    def asks_for_a_function(self):
        """Whether the answer is one function."""
        cells = _code(self.lesson, solved=False)
        last = next(number for number, cell in enumerate(cells) if f'exercise("{self.title}"' in cell.source)
        first = max(number for number, cell in enumerate(cells[:last]) if "stub" in cell.metadata.get("tags", ()))
        return _is_one_function(cells[first].source)

    def _written(self, answer, solution, stub):
        if answer == STUB:
            return stub
        if answer and _is_one_function(stub):
            head = stub[: stub.index(":\n") + 2]
            return head + indent(answer, "    ")
        return f"{solution}\n{answer}"

    def _known(self, request):
        """The lesson's imports, what is given, and the functions in use."""
        statements = [s for cell in _code(self.lesson, solved=True) if not cell.metadata.get("tags") for s in ast.parse(cell.source).body]
        known = {"hints": []}
        _execute([s for s in statements if isinstance(s, ast.Import | ast.ImportFrom)], known)
        known |= self.given(**{name: request.getfixturevalue(name) for name in inspect.signature(self.given).parameters})
        _execute([s for s in statements if isinstance(s, ast.FunctionDef) and s.name in self.uses], known)
        return known


@cache
def _code(lesson, solved):
    [script] = SCRIPTS.glob(f"{lesson}_*.py")
    return [cell for cell in derive(script, solved).cells if cell.cell_type == "code"]


def _is_one_function(source):
    return [type(statement) for statement in ast.parse(source).body] == [ast.FunctionDef]


def _execute(statements, known):
    exec(compile(ast.Module(statements, []), "lesson", "exec"), known)
