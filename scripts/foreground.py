"""Runs a command as the terminal's foreground job, with the terminal to itself, and exits as it does.

For `make up`: Ctrl-C goes to all processes in the foreground, and make answers it by exit code 130 whatever its command
makes of it. With the terminal handed over, only the command gets it. Without a terminal, or in the background, there
is nothing to hand over, and the command is simply run.
"""

from __future__ import annotations

import os
import signal
import sys


def main(command: list[str]) -> int:
    """Run the command; returns its exit code, or 128 and the number of the signal that ended it."""
    terminal = _own_terminal()
    if terminal is None:
        os.execvp(command[0], command)  # noqa: S606 (the command that the Makefile names)
    # Who is not in the foreground is stopped by this signal when it takes the terminal.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 (likewise)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda received, _: os.kill(child, received))
    return _attend(child, terminal)


def _attend(child: int, terminal: int) -> int:
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.tcgetpgrp(terminal) == child:
            os.tcsetpgrp(terminal, os.getpgrp())
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        os.killpg(0, signal.SIGTSTP)  # Ctrl-Z: make stops as well, and all go on from here at `fg` or `bg`
        if os.tcgetpgrp(terminal) == os.getpgrp():
            os.tcsetpgrp(terminal, child)
        os.kill(child, signal.SIGCONT)


def _own_terminal() -> int | None:
    """Return the controlling terminal if this process is in its foreground, else None."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return None
    return terminal if os.tcgetpgrp(terminal) == os.getpgrp() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
