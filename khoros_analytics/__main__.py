"""``khoros-analytics`` and ``python -m khoros_analytics``: the command line."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, and end the process with its status."""
    try:
        from ._cli.main import run  # noqa: PLC0415 - click is an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "click":
            raise
        sys.exit('The command line needs click: install it with  pip install "khoros_analytics[cli]"')
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
