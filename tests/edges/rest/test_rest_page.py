"""docs/rest.md is a contract: its routes and codes are those that there are."""

import re
from pathlib import Path

from tq.edges.rest.app import ROUTES
from tq.edges.rest.problems import HTTP_CODES
from tq.model.error_statuses import UNAUTHENTICATED, of_error
from tq.model.errors import ERRORS

PAGE = (Path(__file__).parents[3] / "docs" / "rest.md").read_text()


def test_every_route_is_on_the_page_and_none_that_is_not() -> None:
    documented = re.findall(r"^\| `(GET|POST|DELETE) (/[^`]*)` \|", PAGE, re.MULTILINE)
    there = [
        (method, re.sub(r"\{(\w+):str\}", r"{\1}", path))
        for handler in ROUTES
        for path in handler.paths
        for method in handler.http_methods
        if method != "HEAD"
    ]

    assert sorted(documented) == sorted(there)


def test_every_code_is_on_the_page_with_its_status() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \| ((?:`[A-Z_]+` ?)+)\|", PAGE, re.MULTILINE)
    documented = {
        (int(status), code)
        for statuses, codes in rows
        for status in statuses.split(",")
        for code in re.findall(r"`([A-Z_]+)`", codes)
    }

    there = {(of_error(error).http, code) for code, error in ERRORS.items()}
    assert documented == there | {(UNAUTHENTICATED.http, "ACCESS_DENIED")} | set(HTTP_CODES.items())
