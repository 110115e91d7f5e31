"""Commands about this machine."""

from typing import Annotated

import typer

from sdlab.cli import app
from sdlab.cli.options import AsJson
from sdlab.cli.telling import tell, told


@app.command()
def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="what takes a second: no network, no checksums; prints only what is not fine")
    ] = False,
    as_json: AsJson = False,
):
    """Look whether this machine is fit for the course.

    Where it is not, it says what to do. The report holds no secrets and can be pasted into a question.
    The exit code is 1 if anything keeps the course from running.

    \b
    sdlab doctor
    """
    from dataclasses import asdict

    from sdlab.doctor.report import diagnose, hide_home

    with told():
        report = diagnose(quick=quick)
        values = [{name: hide_home(value) for name, value in asdict(one).items()} for one in report]
        tell(as_json, values, repr(report))
    if report.is_broken:
        raise typer.Exit(1)
