"""`python -m hubel` is the command line."""

from hubel.cli import run

if __name__ == "__main__":
    run()
