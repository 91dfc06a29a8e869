"""tq: a durable distributed task queue that you run, watch and repair from a terminal."""

__version__ = "0.1.0"
