"""The command line: parse, call the verb, print. One file per verb.

stdout is the result; progress, notices and errors go to stderr. Exit codes: 0 done, 1 failed,
2 usage, 130 interrupted.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from types import FrameType

import typer

from hubel import entrance
from hubel.cli import break_, data, doctor, evaluate, lab, look, networks, predict, style, train
from hubel.mistakes import Failure, Mistake
from hubel.verbs.watch import say

app = typer.Typer(
    name="hubel",
    help="Train a convolutional network on your pictures, see what it learned, "
    "and find out how it breaks.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("look")(look.look)
app.command("style")(style.style)
app.command("break")(break_.break_)
app.add_typer(data.app, name="data")
app.command("networks")(networks.networks)
app.add_typer(lab.app, name="lab")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from hubel import __version__

        print(f"hubel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Train a convolutional network on your pictures, see what it learned, how it breaks."""


def run() -> None:
    """`main` in a process of its own."""
    entrance.speak_utf8()
    entrance.hush()
    main()


def main() -> None:
    """Run the command line; a user's mistake is one sentence, a bug of ours keeps its traceback."""
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    closed = _fill_streams()
    for stream in _streams():  # a terminal that lacks a sign gets its number
        stream.reconfigure(errors="backslashreplace")
    try:
        try:
            if "stdout" in closed:
                raise Failure(
                    "Standard output is closed, so that the result has nowhere to go: send it to "
                    f"a file, or to {os.devnull}."
                )
            entrance.enter()
            _command()(prog_name="hubel")
        except SystemExit as left:
            _raise_interruption(left)
            if sys.stdout in _streams():
                sys.stdout.flush()  # what it cannot take is told below
            raise
        except Exception:
            if not interrupted:
                raise
            # an interrupted import leaves modules half made, which then fail in ways of their own
            raise KeyboardInterrupt from None
    except Mistake as wrong:
        _leave(str(wrong), 2)
    except (Failure, FloatingPointError) as wrong:
        _leave(str(wrong), 1)
    except KeyboardInterrupt as wrong:
        _leave(str(wrong) or "Interrupted.", 130)
    except BrokenPipeError:
        sys.exit(1)  # the reader of our output went away (`| head`): nobody is there to be told
    except OSError as wrong:
        _leave(f"{wrong.filename or 'The output'}: {wrong.strerror or wrong}.", 1)
    except (MemoryError, RuntimeError) as wrong:
        if isinstance(wrong, RuntimeError) and "memory" not in str(wrong).lower():
            raise
        _leave("Out of memory: try a smaller --batch-size, or a smaller network or size.", 1)
    finally:
        _let_go()


@cache
def _command() -> Callable[..., object]:
    """All that `app` knows, as it is run; made once, which takes as long as a small command."""
    return typer.main.get_command(app)


def _streams() -> list[io.TextIOWrapper]:
    both = (sys.stdout, sys.stderr)
    return [each for each in both if isinstance(each, io.TextIOWrapper) and not each.closed]


def _raise_interruption(left: SystemExit) -> None:
    """typer makes a silent exit of Ctrl-C: it is a KeyboardInterrupt again, with what it says."""
    interruption = getattr(left.__context__, "__cause__", None)
    if isinstance(interruption, KeyboardInterrupt):
        raise interruption from None


def _let_go() -> None:
    """What a stream could not take is dropped, or Python would fail over it at its end."""
    for stream in _streams():
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fill_streams() -> list[str]:
    """Put the null device in place of standard streams that are closed (`2>&-`); their names.

    Left closed, their numbers would go to the next files that are opened, and whatever a library
    says would be written into those.
    """
    while (filled := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(filled)
    closed = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115 - as long as the process
            closed.append(name)
    return closed


def _leave(sentence: str, code: int) -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
    say(f"hubel: {sentence}")
    sys.exit(code)
