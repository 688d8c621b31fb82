"""Requests for a low-precision dtype, raised to float64 while a JAX function is traced."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from parity.sides import jax_backend
from parity.sides.jax_graph import is_low, wide

jax = jax_backend.start()

# jit keeps what it traced by this context too, so that a user's jitted function traced while requests are raised is
# never given to the user, nor one traced before to us.
_TRACED = jax.make_user_context(False)
_LOCK = threading.Lock()
_ACTIVE = threading.local()
_INSTALLED: dict[str, Any] = {"original": None, "users": 0}
KEPT = ("bitcast_convert_type", "view")  # requests that name bits, not a precision


@contextlib.contextmanager
def requests_raised() -> Iterator[set[str]]:
    """While this is entered, a request of this thread for a low-precision dtype is one for float64 or complex128.

    Every public function of JAX that takes a dtype (`astype`, `zeros`, `jnp.float32(...)`, `preferred_element_type`,
    and through them the dtype fields of Flax's layers) asks one function whether it is a good one; that function is
    replaced. So Python constants enter in full: in a finished jaxpr they are rounded already. Random bits are left
    alone: a wider request would draw other numbers.

    Yields:
        What was asked for outside JAX that cannot be raised: "view" and "bitcast_convert_type".
    """
    from jax._src import dtypes

    with _LOCK:
        if _INSTALLED["users"] == 0:
            _INSTALLED["original"] = dtypes.check_and_canonicalize_user_dtype
            dtypes.check_and_canonicalize_user_dtype = _raising(_INSTALLED["original"])
        _INSTALLED["users"] += 1
    before = getattr(_ACTIVE, "asked", None)
    _ACTIVE.asked = set()
    try:
        with _TRACED(True):
            yield _ACTIVE.asked
    finally:
        _ACTIVE.asked = before
        with _LOCK:
            _INSTALLED["users"] -= 1
            if _INSTALLED["users"] == 0:
                dtypes.check_and_canonicalize_user_dtype = _INSTALLED["original"]


def _raising(original: Callable[..., Any]) -> Callable[..., Any]:
    def check(dtype: Any, fun_name: str | None = None, **options: Any) -> Any:
        found = original(dtype, fun_name, **options)
        asked = getattr(_ACTIVE, "asked", None)
        if asked is None:
            return found
        if fun_name in KEPT:
            caller = sys._getframe(2).f_globals.get("__name__", "")
            if fun_name == "view" or not caller.startswith("jax."):
                asked.add(fun_name)
            return found
        return wide(found) if is_low(found) and not _draws_random_numbers() else found

    return check


def _draws_random_numbers() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("jax._src.random"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
