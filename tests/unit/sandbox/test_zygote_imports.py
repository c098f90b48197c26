"""The modules of a zygote, whose memory every fork pays for."""

from __future__ import annotations

import subprocess
import sys

from scheduler_service.sandbox.zygote_interpreter import ZYGOTE_ENVIRONMENT, bootstrap

HEAVY = {"asyncio", "hashlib", "logging", "random", "secrets", "shutil", "subprocess", "tempfile"}


def test_zygote_imports_no_heavy_modules() -> None:
    program = f"{bootstrap('runtime.zygote').rpartition('main(')[0]}\nprint(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", program],
        env=ZYGOTE_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(shown.stdout.split())
    assert "scheduler_service.sandbox.runtime.zygote" in loaded
    assert not loaded & HEAVY
