"""What a measured setting costs: instance-hours by a list of prices, and how many instances a load needs."""

import polars as pl

from pipeline.bench.analysis.prices import HOURS, Price, monthly_usd
from pipeline.core.errors import UserError

_MB = 1e6  # bytes, as everywhere else but in the clouds' prices


def with_cost(
    settings: pl.DataFrame, price: Price, qps: float | None = None, cores: float | None = None
) -> pl.DataFrame:
    """Add what settings cost, in USD, each with a low and a high by the spread of their QPS.

    `usd_instance`: a month of one instance, its `cores` (those of the run's machine where none are given) and the
    index's memory, as it is estimated; on a GPU a month of the instance whose whole price the list has. `replicas`:
    instances that answer `qps` together, one where no load is given. `usd_month`: all of them. `usd_million`: a million
    queries, by an instance that is busy all the time. Null where the cores or the index's memory are not known, and on
    a GPU without a price: nothing that is not known is free. UserError for no cores.
    """
    if cores is not None and not cores > 0:
        raise UserError(f"cores {cores:g} is out of range: choose more than 0.")
    instance = [_instance(row, price, cores) for row in settings.select("device", "cores", "memory_mb").rows()]
    table = settings.with_columns(pl.Series("usd_instance", instance, pl.Float64))
    return table.with_columns(
        _replicas("qps", qps).alias("replicas"),
        *[(pl.col("usd_instance") * _replicas(column, qps)).alias(name) for name, column in _ends("usd_month")],
        *[
            (pl.col("usd_instance") / HOURS / 3600 / pl.col(column) * 1e6).alias(name)
            for name, column in _ends("usd_million")
        ],
    )


def _instance(row: tuple[str, float | None, float | None], price: Price, cores: float | None) -> float | None:
    device, measured, memory_mb = row
    if device == "gpu":
        return None if price.gpu_hour_usd is None else HOURS * price.gpu_hour_usd
    many = cores or measured
    return None if many is None or memory_mb is None else monthly_usd(price, memory_mb * _MB, many)


def _replicas(column: str, qps: float | None) -> pl.Expr:
    needed = pl.lit(qps) / pl.col(column) if qps else pl.lit(1.0)
    return needed.ceil().clip(lower_bound=1).cast(pl.Int64)


def _ends(name: str) -> list[tuple[str, str]]:
    """Pair a cost with the QPS that it follows from: the most queries are the least cost."""
    return [(name, "qps"), (f"{name}_low", "qps_high"), (f"{name}_high", "qps_low")]
