"""`python -m copilot_mcp` is the same as the `copilot-mcp` script."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word, also while it is being imported."""
    try:
        from copilot_mcp.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
