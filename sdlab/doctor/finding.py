"""What a check says."""

from dataclasses import dataclass

FINE, LOOK, BROKEN = "fine", "look", "broken"
MARKS = {FINE: "✓", LOOK: "!", BROKEN: "✗"}


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Args:
        about: what was looked at, in a word or two.
        says: what was found, in one sentence.
        level: "fine"; "look" where the course runs and something may surprise; "broken" where it does not run.
        remedy: what to do; empty where nothing has to be done.
    """

    about: str
    says: str
    level: str = FINE
    remedy: str = ""

    def __str__(self):
        return f"{MARKS[self.level]} {self.about}: {self.says}" + (f"; {self.remedy}" if self.remedy else "")
