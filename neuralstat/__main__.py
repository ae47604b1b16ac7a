"""``python -m neuralstat`` and the script ``neuralstat``: the command line."""

import signal
import sys


def run() -> int:
    """Run the command line; Ctrl-C while it is being imported is answered like later ones."""
    try:
        from neuralstat.cli import main

        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done
    except KeyboardInterrupt:
        sys.stderr.write("neuralstat: error: interrupted\n")
        return 130
    return code


if __name__ == "__main__":
    sys.exit(run())
