"""Sweeps that are ready: what there is time for, and what was published."""

from dataclasses import dataclass

from pipeline.bench.run.grid import IndexGrid


@dataclass(frozen=True)
class Preset:
    """A sweep's options by name; those that are given with it take their place."""

    summary: str
    indexes: tuple[IndexGrid, ...]
    nq: tuple[int, ...]
    concurrency: tuple[int, ...]
    seconds: float
    repeats: int = 1


PRESETS = {
    "quick": Preset(
        "about a minute: an index of each family, one query a request and many",
        (
            IndexGrid("FLAT"),
            IndexGrid("IVF_FLAT", "nlist=128", "nprobe=2,8,32"),
            IndexGrid("HNSW", "M=16,efConstruction=200", "ef=100,200,400"),
        ),
        nq=(1, 1000),
        concurrency=(1,),
        seconds=2.0,
    ),
    "workshop": Preset(
        "about five minutes: the index types that people ask for, one client and four",
        (
            IndexGrid("FLAT"),
            IndexGrid("IVF_FLAT", "nlist=128", "nprobe=2,8,32"),
            IndexGrid("IVF_SQ8", "nlist=128", "nprobe=8,32"),
            IndexGrid("IVF_PQ", "nlist=128,nbits=8", "nprobe=8,32"),
            IndexGrid("HNSW", "M=8,16,efConstruction=200", "ef=100,300"),
        ),
        nq=(1, 1000),
        concurrency=(1, 4),
        seconds=4.0,
    ),
    "published": Preset(
        "hours: the CPU settings of assets/published, ten clients for a minute each",
        (
            IndexGrid("HNSW", "M=4,8,12,16,24,36,48,64,efConstruction=500", "ef=10,20,40,80,120,200,400,600,800"),
            IndexGrid("IVF_PQ", "nlist=100,200,400,m=64,nbits=12", "nprobe=5,10,20"),
        ),
        nq=(1000,),
        concurrency=(10,),
        seconds=60.0,
    ),
}
