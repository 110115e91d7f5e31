"""Architecture."""

from tests.course.exercises import STUB, Exercise

GUIDED = "empty + scale * (prompted - empty)"

EXERCISES = [
    Exercise(
        "01",
        "Guidance in the first half",
        right=(f"return {GUIDED} if step < steps // 2 else prompted", f"return {GUIDED} if 2 * step < steps else prompted"),
        wrong={
            STUB: "returns nothing yet",
            "return prompted + scale * (prompted - empty)": "at scale 0",
            "return scale * prompted": "at scale 0",
            "return empty + scale * (empty - prompted)": "7.5 times as long",
            f"return {GUIDED}": "from step 10 of 20 on",
            f"return {GUIDED} if step <= steps / 2 else prompted": "from step 10 of 20 on",
            f"return {GUIDED} if step < steps / 2 else empty": "from step 10 of 20 on",
            f"if step < steps / 2:\n    return {GUIDED}": "from step 10 of 20 on",
            f"return {GUIDED} if step < 10 else prompted": "step 10 of 50 is in the first half",
            f"return {GUIDED} if step >= steps / 2 else prompted": "at scale 0",
        },
    )
]
