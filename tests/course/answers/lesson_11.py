"""Guidance from scratch."""

from tests.course.exercises import STUB, Exercise

GUIDE = "return lambda x, t: {}"
TOLD, PLAIN = "with_condition(x, t)", "without(x, t)"


def tried(*shares):
    """Statements that give the results at scales 1, 1.5, 2, 3 and 4."""
    return f"tried = {{w: torch.arange(96).numpy() < 96 * s for w, s in zip((1, 1.5, 2, 3, 4), {shares})}}\n"


TRIED = tried(0.5, 0.7, 0.95, 0.96, 0.8)

EXERCISES = [
    Exercise(
        "11",
        "Guidance",
        right=(GUIDE.format(f"w * {TOLD} + (1 - w) * {PLAIN}"),),
        wrong={
            STUB: "w = 0",
            GUIDE.format(f"w * {TOLD}"): "w = 0",
            GUIDE.format(f"{TOLD} + w * ({TOLD} - {PLAIN})"): "w = 0",
            GUIDE.format(f"{PLAIN} + w * ({PLAIN} - {TOLD})"): "w = 1",
            GUIDE.format(f"{PLAIN} + w**2 * ({TOLD} - {PLAIN})"): "w = 3",
            f"plain = {PLAIN.replace('(x, t)', '')}\nreturn plain": "w = 1",
        },
    ),
    Exercise(
        "11",
        "Your scale",
        solution=TRIED + "my_scale = 2",
        wrong={
            STUB: "you have tried 0 scales",
            "my_scale = 4": "clearly better",
            "my_scale = 3": "smaller scale that cannot",
            "my_scale = 2.5": "not among those",
            "my_scale = max(tried, key=lambda w: tried[w].mean())": "smaller scale that cannot",
            "tried = {1: [True] * 96}": "at least five",
            "tried = {w: right[:48] for w, right in tried.items()}": "needs its 96 pictures",
        },
    ),
]
