"""Sessions cut from each user's clicks: one ends where nothing is clicked for a while."""

from datetime import timedelta

import polars as pl

from pipeline.core.columns import SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

USUAL_GAP = 30.0  # minutes, as web analytics have it
_MOST = 525_600.0  # minutes of a year


def gap_of(asked: float | None, users: bool) -> float | None:
    """Give the minutes without a click that end a session; None where sessions stay as the log has them."""
    if asked is None:
        return USUAL_GAP if users else None
    if not 0 < asked <= _MOST:
        raise UserError(f"--session-gap {asked:g} is out of range: choose minutes above 0, at most {_MOST:,.0f}.")
    return asked


def cut_sessions(clicks: pl.DataFrame, gap: float) -> tuple[pl.DataFrame, str]:
    """Give session_id 'USER-1', 'USER-2', … to canonical clicks whose session_id is a user; and a sentence.

    clicks: ordered by user and time. A click later than `gap` minutes after the one before begins the next session.
    """
    user, time = pl.col(SESSION_ID), pl.col(TIMESTAMP)
    begins = (time - time.shift() > timedelta(minutes=gap)).over(SESSION_ID).fill_null(value=False)
    numbered = clicks.with_columns((begins.cum_sum().over(SESSION_ID) + 1).alias("_session"))
    users = numbered[SESSION_ID].n_unique()
    sessions = int(numbered.group_by(SESSION_ID).agg(pl.col("_session").max())["_session"].sum())
    named = pl.concat_str(user.cast(pl.String), pl.lit("-"), pl.col("_session").cast(pl.String)).alias(SESSION_ID)
    note = f"The clicks of {users:,} users are cut into {sessions:,} sessions, after {gap:g} minutes without a click."
    return numbered.with_columns(named).drop("_session"), note
