"""`python -m copilot_mcp` is the same as the `copilot-mcp` script."""

from copilot_mcp.cli import main

if __name__ == "__main__":
    main()
