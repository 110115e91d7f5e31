"""A hosted model."""

from tests.course.exercises import STUB, Exercise

COST = "electricity = {}\n"
JOULES = "watts * seconds / 3_600_000 * per_kwh"
PAYS = 'return card / (per_picture - electricity) if per_picture > electricity else float("inf")'


def a_request():
    """The one of the cell above the exercise."""
    headers = {"authorization": "Bearer hf_NotARealToken123", "user-agent": "python"}
    return {"request": {"url": "https://service.example/models/x", "headers": headers, "inputs": "a castle"}}


EXERCISES = [
    Exercise(
        "16",
        "Find the leak",
        given=a_request,
        right=(
            "return f\"{request['url']} said {status}\"",
            "shown = {name: part for name, part in request.items() if name != 'headers'}\nreturn f'status {status} for {shown}'",
        ),
        wrong={
            STUB: "a token is in the line",
            'return f"status {status} for {request}".replace("hf_NotARealToken123", "***")': "a token is in the line",
            "return f\"status {status} for {request['url']}, {request['headers']['authorization'][:12]}\"": "a token is in the line",
            "return f\"status {status} for {request['inputs']!r}\"": "keep the status and the address",
            "return f\"failed: {request['url']}\"": "keep the status and the address",
            'del request["headers"]\nreturn f"status {status} for {request}"': "leave it as it is",
            "print(f\"status {status} for {request['url']}\")": "return one line of text",
        },
    ),
    Exercise(
        "16",
        "When does a card pay?",
        right=(COST.format("watts / 1000 * seconds / 3600 * per_kwh") + PAYS,),
        wrong={
            STUB: "electricity makes the own card dearer",
            "return card / per_picture + watts * seconds": "without costs of electricity",
            COST.format("watts * seconds / 3600 * per_kwh") + PAYS: "the electricity of one picture is",
            COST.format("watts * seconds / 3600 * per_kwh") + PAYS[: PAYS.index(" if")]: "not -",
            COST.format("watts / 1000 * seconds * per_kwh") + PAYS: "the electricity of one picture is",
            COST.format("watts * seconds / 3_600_000") + PAYS: "without costs of electricity",
            COST.format(JOULES) + "return card / (per_picture + electricity)": "dearer",
            COST.format(JOULES) + PAYS[: PAYS.index(" if")]: "return infinity",
            COST.format(JOULES) + PAYS.replace('float("inf")', "None"): "return infinity",
        },
    ),
]
