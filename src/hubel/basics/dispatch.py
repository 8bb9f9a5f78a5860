"""Watching torch's operations in one thread alone."""

from typing import Any, Self

from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode, _push_mode


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """A TorchDispatchMode that other threads notice nothing of.

    torch's own also sets flags of the process, for its compiler, which two threads that come and go
    in turn would leave wrong.
    """

    def __enter__(self) -> Self:
        _push_mode(self)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_raised: Any) -> None:
        _pop_mode()  # type: ignore[no-untyped-call]
