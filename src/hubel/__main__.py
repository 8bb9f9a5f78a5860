"""`python -m hubel` is the command line."""

from hubel.cli import main

if __name__ == "__main__":
    main()
