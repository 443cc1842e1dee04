"""The points of the run that tests of the Benchmark page look at."""

from collections.abc import Iterator

from tests.made.points import point

FRONT = ((100, 0.96, 3000.0), (200, 0.985, 2000.0), (400, 0.995, 1000.0))


def points() -> Iterator[dict[str, object]]:
    for clients in (1, 4):
        for repeat in range(3):
            for ef, recall, qps in FRONT:
                build, reached = {"M": 16, "efConstruction": 200}, qps * clients**0.5 * (1 + 0.04 * (repeat - 1))
                bound = clients == 4 and ef == 100
                yield point(recall, reached, build, {"ef": ef}, concurrency=clients, repeat=repeat, client_bound=bound)
        yield point(0.97, 900, {"nlist": 64}, {"nprobe": 8}, index="IVF_FLAT", concurrency=clients, build_s=2.0)
    yield point(0.96, 1000.0, {"M": 16, "efConstruction": 200}, {"ef": 100}, concurrency=1, client="pymilvus")
    yield point(None, None, {"nlist": 64, "m": 8, "nbits": 12}, index="IVF_PQ", error="Building IVF_PQ took longer.")
