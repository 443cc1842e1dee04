"""The supervisor's entry: takes a network of its own before anything is imported that starts threads."""

import sys
from pathlib import Path

from pipeline.search.embedded import network


def main() -> int:
    """Enter a network of its own where the kernel allows it, then serve."""
    public = network.listen()
    if not (network.may_enter() and network.enter()):
        public.close()
    from pipeline.search.embedded.supervisor import main as serve

    return serve(Path(sys.argv[1]), None if public.fileno() < 0 else public)


if __name__ == "__main__":
    sys.exit(main())
