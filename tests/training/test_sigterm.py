import os
import signal
import subprocess
import sys

from poptune._training.sigterm import on_sigterm

SCRIPT = """
import threading
from poptune._training.sigterm import on_sigterm

heard = threading.Event()
on_sigterm(heard.set)
print("ready", flush=True)
waiting = threading.Lock()
waiting.acquire()
threading.Thread(target=lambda: heard.wait() and (print("heard", flush=True), waiting.release())).start()
waiting.acquire()
"""


def test_a_function_is_called_while_the_main_thread_waits_in_c():
    assert on_sigterm
    program = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdout.readline() == "ready\n"
        os.kill(program.pid, signal.SIGTERM)
        assert program.stdout.readline() == "heard\n"
    assert program.returncode == 0
