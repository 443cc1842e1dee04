"""`python -m pipeline`."""

from pipeline.jobs.process import adopted


def _main() -> None:
    with adopted():
        from pipeline.cli import main  # a defect of its import is told, too

        main()


if __name__ == "__main__":
    _main()
