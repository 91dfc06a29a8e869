"""A shop that never was, for the pictures of the dashboard: its tasks take time, log, and some of them fail."""

import asyncio
import hashlib
import random
from typing import Any

import tq

app = tq.App("shop")


class CardDeclined(Exception):
    """The bank said no."""


class GatewayTimeout(Exception):
    """Somebody else said nothing."""


class MailRefused(Exception):
    """Nobody lives there."""


BUGS_BEFORE = 17_000
"""Orders with a lower number met some bugs that have been repaired since: the dead letters are still there."""


def _luck(key: object) -> float:
    """Of a task, the same at each attempt: 0 to 1."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=4).digest(), "big") / 2**32


async def post(url: str, body: dict[str, Any], luck: float) -> None:
    """Ask somebody else, who may not answer."""
    await asyncio.sleep(random.uniform(0.2, 0.5))
    if luck > 0.98:
        raise GatewayTimeout(f"{url} did not answer in 30 s")


async def busy(seconds: float) -> None:
    """Something that takes about so long."""
    await asyncio.sleep(random.uniform(0.5, 1.5) * seconds)


@app.task(queue="orders.charge", retry=tq.retry(max=2, backoff=tq.expo("1s"), never=(CardDeclined,)))
async def charge(ctx: tq.Context, order_id: int, cents: int, currency: str) -> str:
    """Takes the money."""
    ctx.log.info("charging %.2f %s, attempt %d", cents / 100, currency, ctx.attempt)
    if _luck(order_id) < 0.004:
        raise CardDeclined(f"order {order_id}: insufficient funds")
    body = {"order": order_id, "amount": cents / 100}
    await post("https://bank.example", body, _luck(order_id))
    return f"charge-{order_id}"


@app.task(queue="webhooks.out", retry=tq.retry(max=1, backoff=tq.expo("2s")))
async def deliver(customer: int, event: dict[str, Any]) -> int:
    """Tells a customer's server."""
    await post(f"https://hooks.example/{customer}", event, _luck(event["order_id"] * 7))
    return 204


@app.task(queue="media.thumbs", retry=tq.retry(max=0))
async def thumbnail(ctx: tq.Context, path: str, width: int) -> str:
    """Makes a picture smaller."""
    for part in range(5):
        ctx.progress(part / 5, "resizing")
        await busy(0.15)
    if path.endswith(".bmp"):
        raise ValueError(f"{path}: not a picture")
    return f"{path}.{width}.webp"


@app.task(queue="orders.refund")
async def refund(order_id: int) -> None:
    """Gives the money back."""
    await busy(0.3)


@app.task(queue="mail.receipts", retry=tq.retry(max=0))
async def receipt(order_id: int) -> None:
    """Writes to a customer."""
    if order_id < BUGS_BEFORE and _luck(order_id) < 0.03:
        raise MailRefused(f"550 no mailbox {order_id}@example.org")
    await busy(0.05)


@app.task(queue="mail.welcome")
async def welcome(user_id: int) -> None:
    """Writes to a new one."""
    await busy(0.05)


@app.task(queue="search.index")
async def reindex(document: int) -> None:
    """Keeps the search current."""
    await busy(0.02)


@app.task(queue="ml.embed")
async def embed(document: int) -> None:
    """Puts a description into numbers."""
    await busy(1.2)


@app.task(queue="crm.sync", retry=tq.retry(max=0))
async def sync(customer: int) -> None:
    """Tells the sales people."""
    if customer < BUGS_BEFORE and _luck(customer) < 0.05:
        raise KeyError("postcode")
    await busy(0.2)


@app.task(queue="stock.levels")
async def count(article: int) -> None:
    """Counts what is left."""
    await busy(0.1)


@app.task(queue="billing.invoices", retry=tq.retry(max=0))
async def invoice(order_id: int) -> None:
    """Draws up a bill."""
    if order_id < BUGS_BEFORE and _luck(order_id) < 0.04:
        raise ZeroDivisionError("division by zero")
    await busy(0.4)


@app.task(queue="fraud.check")
async def check(order_id: int) -> None:
    """Looks twice."""
    await busy(0.25)


@app.task(queue="reports.nightly")
async def report(day: str) -> None:
    """Adds it all up."""
    await busy(1)
