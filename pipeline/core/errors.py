"""Errors that a person can mend: one sentence with the value, the rule and the way out."""


class UserError(Exception):
    """Say what is wrong, which rule it breaks and the way out; exit code 2, or an error box on a page."""


class NotLoaded(UserError):
    """Say that a collection is on disk and not in memory."""


class Cancelled(Exception):
    """Unwind a stage that was asked to stop; what existed before it stays as it was."""


class StopEarly(Cancelled):
    """Ask a training to end now and keep its best; a stage that has nothing to keep unwinds as if cancelled."""
