"""`python -m mlspec` is the same as `mlspec`."""

from mlspec.cli.main import main

if __name__ == "__main__":
    main()
