"""Work in several processes, each on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

from benchmarks.setting import one_thread

Item = TypeVar("Item")
Found = TypeVar("Found")


def in_processes(work: Callable[[Item], Found], items: Sequence[Item], jobs: int) -> Iterator[tuple[Item, Found]]:
    """Do the work, in as many processes as asked for; each result is yielded as soon as it is there."""
    if jobs == 1:
        one_thread()
        for item in items:
            yield item, work(item)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=one_thread) as pool:
        futures = {pool.submit(work, item): item for item in items}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)
