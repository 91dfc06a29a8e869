"""What the walkthrough has run: a task that ends well, and one that never does."""

import tq

app = tq.App("curl")


@app.task(queue="curl")
def add(a: int, b: int) -> int:
    return a + b


@app.task(queue="curl", max_retries=0)
def divide(a: int, b: int) -> float:
    return a / b
