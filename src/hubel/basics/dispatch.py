"""What is done to torch's operations in one thread alone."""

import sys
from types import MethodType
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode, _push_mode


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """A TorchDispatchMode that other threads notice nothing of.

    torch's own also sets flags of the process, for its compiler, which two threads that come and go
    in turn would leave wrong.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()  # type: ignore[no-untyped-call]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not by torch's own way, which loads the whole compiler to keep it out: 1.5 s."""
        return False

    def __enter__(self) -> Self:
        if "torch._dynamo" in sys.modules and "__torch_dispatch__" not in vars(self):
            # somebody compiles: the compiler is not to look into what we do with its operations
            hidden = torch.compiler.disable(type(self).__torch_dispatch__)  # type: ignore[no-untyped-call]
            vars(self)["__torch_dispatch__"] = MethodType(hidden, self)
        _push_mode(self)
        return self

    def __exit__(self, *_raised: Any) -> None:
        _pop_mode()


class Drawing(Watching):
    """Inside, this thread's draws on the CPU come from a generator of their own.

    torch's is one for the whole process: to seed it for a while would change what other threads
    draw, and they what is drawn here. The numbers are those after `torch.manual_seed(seed)`.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # the signature is torch's
        options = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags:
            if not _takes_one(func):  # torch.rand and its like have another form that does
                form = func._overloadname.removesuffix("default")
                func = getattr(func.overloadpacket, f"{form}_generator".lstrip("_"), func)
            if _takes_one(func) and options.get("generator") is None:
                options["generator"] = self.generator
        return func(*args, **options)


def _takes_one(func: Any) -> bool:
    return any(argument.name == "generator" for argument in func._schema.arguments)
