"""Work in a forked process, which is killed if it hangs."""

import os
import pickle
import select
import signal
import traceback

LONG = 120  # seconds that nothing takes unless it hangs


def in_fork(work):
    """What `work` returns in a fork of this process; its exception fails the test."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = pickle.dumps((work(), None))
        except BaseException:
            answer = pickle.dumps((None, traceback.format_exc()))
        with os.fdopen(writing, "wb") as file:
            file.write(answer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answered = select.select([file], [], [], LONG)[0]
        if not answered:
            os.kill(child, signal.SIGKILL)
        content = file.read()
    os.waitpid(child, 0)
    assert answered, "the forked process hangs"
    returned, problem = pickle.loads(content)
    assert problem is None, problem
    return returned
