"""A thread that looks at something now and then, while a context is entered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def looking(look: Callable[[], None], period: float, name: str) -> Iterator[None]:
    """Call `look` every `period` [s] in a thread of this name, and once more when it has ended."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(period):
            look()

    thread = threading.Thread(target=go_on, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()
