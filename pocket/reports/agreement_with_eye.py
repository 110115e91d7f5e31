"""How often the judge and a person agree on pictures of the pocket model: `python -m pocket.reports.agreement_with_eye`.

A person looked at two hundred pictures once and said of each whether the thing that was asked for, or both, can be recognised
(`pocket.reports.eye`). The judge agrees where its hit says the same. Beside it stand the older judge of the configuration, one that
always says yes, and the same person, asked again about a hundred of the pictures. Writes `agreement.json` beside the weights.
"""

import json
from pathlib import Path
from typing import Annotated

import torch
import typer

from pocket.reports.eye import STEPS, read_again, read_labels
from pocket.reports.results import write_results
from pocket.ruler import first_judge as judging_before
from pocket.stages.config import CONFIGS
from sdlab.display import intervals
from sdlab.study.judge import Asked, hits, load_judge, opinion

FILE = "agreement.json"


def share(same):
    """The share of True in a list, with its 95% interval by Wilson (1927) and the counts."""
    found = intervals.share(same)
    return {"share": found.value, "interval": [found.low, found.high], "agreed": sum(same), "of": found.count}


def compare(said, labelled):
    """How often a judge's yes and no, (n,) bool, are those of the labels: over all, by set and for too few steps, and where they part."""
    pairs = [(bool(judge), one.recognisable, one) for judge, one in zip(said, labelled, strict=True)]
    groups = {name: [p for p in pairs if p[2].set == name] for name in dict.fromkeys(one.set for one in labelled)}
    groups["few steps"] = [p for p in pairs if p[2].steps < max(STEPS)]
    return {
        "all": share([judge == eye for judge, eye, _ in pairs]),
        "groups": {name: share([judge == eye for judge, eye, _ in some]) for name, some in groups.items() if some},
        "the judge only": sum(judge and not eye for judge, eye, _ in pairs),
        "the eye only": sum(eye and not judge for judge, eye, _ in pairs),
        "said yes": sum(judge for judge, *_ in pairs),
    }


def ask_judge(judge, labelled, pictures):
    """Whether a judge sees the things that were asked for, and no others: (n,) bool."""
    asked = [Asked(one.prompt, one.things, "", "") for one in labelled]
    return hits(opinion(judge, pictures), asked, judge.classes)["object"].bool()


def ask_before(config, labelled, pictures):
    """The same of the older judge, which knows no "none of these"; None where there is none."""
    judge = judging_before.load(config, Path("build/pocket") / config.name)
    if judge is None:
        return None
    found = judging_before.opinion(judge, pictures)
    classes = judging_before.classes(config)
    asked = [Asked(one.prompt, one.things, "", "") for one in labelled]
    return hits(found, asked, classes)["object"].bool()


def main(
    config: Annotated[str, typer.Option(help="which configuration")] = "cpu",
    folder: Annotated[Path, typer.Option(help="where the stages left their results")] = Path("build/pocket"),
    judge: Annotated[Path | None, typer.Option(help="the judge's folder; default: the one the stage wrote")] = None,
):
    """Measure the agreement and write it beside the judge."""
    config, place = CONFIGS[config], judge or folder / config / "strict_judge" / "judge"
    labelled, pictures = read_labels()
    said = ask_judge(load_judge(place), labelled, pictures)
    before = ask_before(config, labelled, pictures)
    results = {
        "recognisable to the eye": sum(one.recognisable for one in labelled),
        "judge": compare(said, labelled),
        **({"judge before": compare(before, labelled)} if before is not None else {}),
        "the person again": share([again == labelled[number].recognisable for number, again in read_again().items()]),
        "always yes": compare(torch.ones(len(labelled)), labelled)["all"],
        "apart": [i for i, one in enumerate(labelled) if bool(said[i]) != one.recognisable],
    }
    print(json.dumps(write_results(place / FILE, results), indent=1))


if __name__ == "__main__":
    typer.run(main)
