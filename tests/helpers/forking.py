"""Work in a forked process. One that hangs is ended, and its stack fails the test."""

import faulthandler
import os
import pickle
import select
import signal
import tempfile
import traceback

LONG = 120  # seconds that nothing takes unless it hangs
_LAST_WORDS = 10  # seconds for writing the stack


def in_fork(work, seconds=LONG):
    """What `work` returns in a fork of this process; its exception, or that it hangs, fails the test."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as stack, os.fdopen(reading, "rb") as file:
        child = os.fork()
        if child == 0:
            _answer(work, writing, stack)
        os.close(writing)
        if not select.select([file], [], [], seconds)[0]:
            end_with_stack(child)
            stack.seek(0)
            raise AssertionError(f"the forked process hangs:\n{stack.read().decode(errors='replace')}")
        try:
            # Not the whole pipe: a process that the child has started may hold it open.
            returned, problem = pickle.load(file)
        except EOFError:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            raise AssertionError(f"the forked process ended with code {code}") from None
    os.waitpid(child, 0)
    assert problem is None, problem
    return returned


def _answer(work, writing, stack):
    try:
        write_stack_to(stack)
        answer = pickle.dumps((work(), None))
    except BaseException:
        answer = pickle.dumps((None, traceback.format_exc()))
    with os.fdopen(writing, "wb") as file:
        file.write(answer)
    os._exit(0)


def write_stack_to(file):
    """Has this process write its stack to a file when it is aborted, before what Paddle does then."""
    faulthandler.disable()
    faulthandler.enable(file)


def end_with_stack(pid):
    """Ends a child and returns its exit code; where it has enabled `faulthandler`, it writes its stack first."""
    os.kill(pid, signal.SIGABRT)
    handle = os.pidfd_open(pid)
    try:
        if not select.select([handle], [], [], _LAST_WORDS)[0]:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
