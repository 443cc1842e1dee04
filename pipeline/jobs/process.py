"""The inside of a job: the writer's lock, progress with time left, and an end that is always written down."""

import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import Cancelled, StopEarly, UserError
from pipeline.core.progress import Progress
from pipeline.core.text import duration, percent
from pipeline.jobs.forecast import Forecast, time_left_words
from pipeline.jobs.job import CANCELLED, JOB_VARIABLE, Job, create, jobs
from pipeline.jobs.past import Past
from pipeline.jobs.signals import SIGNALS, Cancel, cancelled_by_signals
from pipeline.store import strict_json
from pipeline.store.locks import try_lock
from pipeline.store.workspace import Workspace, disk_refusal, read_json, write_json

_WRITE_EVERY_S = 0.25
_SAY_EVERY_S = 10.0
CODES = {"done": 0, "cancelled": 130}  # exit codes; 2 is what the user can mend, 1 a defect: both failed


class _Process:
    """The process that runs this: as which job it was started, if it was."""

    job: Job | None = None


class Running:
    """A job in its own process: hands out the progress of each step, and takes the result."""

    def __init__(self, workspace: Workspace, job: Job, steps: int, cancel: Cancel) -> None:
        self.workspace, self.job, self.cancel = workspace, job, cancel
        self.steps = steps
        self.step = 0
        self.result: dict[str, Any] = {}
        self._reporter: _Reporter | None = None

    def progress(self, stage: str, of: str = "", *, learns: bool = True) -> Progress:
        """Begin the next step, called `stage`; give the function that it reports to.

        How long it takes is learnt for the next step of the same name that is `of` the same, unless it `learns` itself.
        """
        if self.step:
            (self.job.folder / "stop").unlink(missing_ok=True)  # it came when the training had just ended
        self.end_step()
        self.step += 1
        self._reporter = _Reporter(self, stage, f"{stage} {of}".strip() if learns else "")
        return self._reporter

    def later(self, stage: str) -> Progress:
        """Give the function that a step reports to which begins with its first report, and learns by itself."""
        begun: list[Progress] = []

        def say(done: float, total: float, text: str = "", point: Mapping[str, float] | None = None) -> None:
            if not begun:
                begun.append(self.progress(stage, learns=False))
            begun[0](done, total, text, point)

        return say

    def end_step(self) -> None:
        """Let the next job know how long the step took that ended well."""
        if self._reporter is not None:
            self._reporter.end()


class _Reporter:
    """Write reports to the job's folder and, now and then, to stderr."""

    def __init__(self, running: Running, stage: str, kind: str) -> None:
        self.running, self.stage, self.kind = running, stage, kind
        self.folder = running.job.folder
        self.started = time.time()
        self.written = self.said = self.share = 0.0
        self.worked = False
        past, clicks = Past(running.workspace), _millions(running.workspace)
        known = past.knows(kind)
        self.forecast = Forecast(
            self.started, past.expected(kind, clicks) if known else None, past.course(kind, clicks)
        )
        self(0, 1, "")

    def __call__(self, done: float, total: float, text: str = "", point: Mapping[str, float] | None = None) -> None:
        self.running.cancel.check()
        now = time.time()
        if point is not None:
            with (self.folder / "curve.jsonl").open("a") as file:
                file.write(strict_json.dumps({"stage": self.stage, **point}) + "\n")
        self.worked |= 0 < done < total
        if now - self.written < _WRITE_EVERY_S and done < total:
            return
        self.written = now
        if (stop := self.folder / "stop").exists():
            stop.unlink()  # once: what follows a training that ends early goes on
            self.kind = ""  # it is no measure of a whole one
            raise StopEarly
        self.share = max(self.share, min(done / max(total, 1e-9), 1.0))
        report = {"stage": self.stage, "step": self.running.step, "steps": self.running.steps, "done": done}
        report |= {"total": total, "text": text, "started": self.started, "at": now}
        report |= {"left_s": self.forecast.report(now, done, total), "longer": self.forecast.longer}
        report["fraction"] = (self.running.step - 1 + self.share) / self.running.steps
        write_json(self.folder / "progress.json", report)
        self._say(now, done, total, text, time_left_words(report, now))

    def end(self) -> None:
        """Remember how long the step took, where it did something and told of it."""
        took = time.time() - self.started
        if self.kind and self.worked:
            Past(self.running.workspace).took(
                self.kind, _millions(self.running.workspace), took, self.forecast.travelled(took)
            )

    def _say(self, now: float, done: float, total: float, text: str, left: str) -> None:
        tty = sys.stderr.isatty()
        if not tty and now - self.said < _SAY_EVERY_S and 0 < done < total:
            return
        if not tty and done > 0 and done >= total and now - self.said < 1.0:
            return
        self.said = now
        parts = [f"{self.stage:<10}", f"{percent(self.share):>5}", text, left]
        line = "  ".join(p for p in parts if p)
        print(f"\r\x1b[K{line[:150]}" if tty else line, end="" if tty else "\n", file=sys.stderr, flush=True)


def _millions(workspace: Workspace) -> float:
    """Give how many million clicks there are, to which the time of most steps is near proportional; without any, 1."""
    manifest = workspace.manifest("clicks")
    return max(float(manifest["metrics"]["clicks"]), 1.0) / 1e6 if manifest else 1.0


@contextlib.contextmanager
def running(workspace: Workspace, title: str, *, steps: int = 1, wait: bool = False) -> Iterator[Running]:
    """Run the block as the workspace's one writing job; refuse or (with `wait`) queue while another one writes."""
    job = _Process.job or _create(workspace, title)
    with cancelled_by_signals() as cancel:
        code, error, result = 1, None, None
        try:
            writer = _become_writer(workspace, job, wait or job is _Process.job)
            try:
                (job.folder / "started").touch()
                workspace.sweep()
                active = Running(workspace, job, steps, cancel)
                yield active
                active.end_step()
                code, result = 0, active.result
            finally:
                os.close(writer)
        except (Cancelled, KeyboardInterrupt):
            code, error = CODES["cancelled"], CANCELLED
            raise Cancelled(CANCELLED) from None
        except UserError as refusal:
            code, error = 2, str(refusal)
            raise
        except BaseException as defect:
            code, error = _outcome(defect)
            raise
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # it has ended: that is written down, whoever cancels it now
            if sys.stderr.isatty():
                print(file=sys.stderr)
            _write_end(job, code, error, result)


def _outcome(defect: BaseException) -> tuple[int, str]:
    """Give the exit code and the sentence of what nobody foresaw."""
    if refusal := disk_refusal(defect):
        return 2, refusal
    return 1, f"A defect of the program: {type(defect).__name__}: {defect}"


def _create(workspace: Workspace, title: str) -> Job:
    job, _alive = create(workspace, title, shlex.join(["python", "-m", "pipeline", *sys.argv[1:]]))
    job.done_by(os.getpid())  # the descriptor stays open for the life of the process
    return job


@contextlib.contextmanager
def adopted() -> Iterator[None]:
    """Take over the job that this process was started as, if it was, for the block; however that ends, it is told."""
    folder = os.environ.pop(JOB_VARIABLE, None)
    if folder is None:
        yield
        return
    job = _Process.job = Job(Path(folder))
    job.done_by(os.getpid())
    try:
        if (job.folder / "cancel").exists():
            end_job(CODES["cancelled"], CANCELLED)
            sys.exit(CODES["cancelled"])
        yield
    except SystemExit:
        raise
    except BaseException as defect:
        end_job(*_outcome(defect))
        raise


def begin() -> None:
    """Tell, of a job that waits for no other as it does not write, that it runs."""
    if _Process.job is not None:
        (_Process.job.folder / "started").touch()


def end_job(code: int, error: str | None, result: dict[str, Any] | None = None) -> None:
    """Write down how the job ends that this process was started as, unless `running` did; by its exit code."""
    if _Process.job is not None and _Process.job.end.get("code") != code:
        _write_end(_Process.job, code, error, result)


def _write_end(job: Job, code: int, error: str | None, result: dict[str, Any] | None) -> None:
    state = next((name for name, value in CODES.items() if value == code), "failed")
    told = {"error": error} if error else {"result": result}
    with contextlib.suppress(OSError):  # of a full disk: a job whose process is gone counts as killed
        write_json(job.folder / "end.json", {"state": state, "code": code, **told, "ended": time.time()})


def _become_writer(workspace: Workspace, job: Job, wait: bool) -> int:
    """Take the writer's lock, in the order in which jobs came."""
    path: Path = workspace.root / "writer.lock"
    while True:
        first = not wait or not any(
            j.state == "queued" and int(j.id) < int(job.id) for j in jobs(workspace) if j.id != job.id
        )
        descriptor = try_lock(path) if first else None
        if descriptor is not None:
            write_json(workspace.root / "writer.json", {"job": job.id})
            return descriptor
        if not wait:
            raise UserError(_busy(workspace))
        time.sleep(0.2)


def _busy(workspace: Workspace) -> str:
    holder = Job(workspace.root / "jobs" / str((read_json(workspace.root / "writer.json") or {}).get("job", "0")))
    return (
        f"The workspace is busy: job {holder.id} ('{holder.title}') has been running for {duration(holder.age_s)}. "
        f"Wait for it, add --wait to queue behind it, or end it with `python -m pipeline jobs cancel {holder.id} "
        f"--workspace {shlex.quote(str(workspace.root))}`."
    )
