"""`python -m payagent`."""

from payagent.cli import main

if __name__ == "__main__":
    main()
