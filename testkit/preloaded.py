"""Imports of the process that forks programs; see `programs`.

These are the programs, and the modules that the programs import late.
"""

from scheduler_service.startup import without_gc

with without_gc():
    import aiosqlite  # noqa: F401
    import alembic.command
    import alembic.op  # noqa: F401
    import anyio._backends._asyncio  # noqa: F401
    import asyncpg  # noqa: F401
    import celery.apps.worker
    import celery.bin.celery
    import celery.concurrency.thread
    import celery.worker.autoscale
    import celery.worker.consumer  # noqa: F401
    import httpcore2  # noqa: F401
    import kombu.transport.redis  # noqa: F401
    import tornado.platform.asyncio  # noqa: F401
    import typer._adapters  # noqa: F401
    import uvicorn.lifespan.on
    import uvicorn.loops.auto
    import uvicorn.main
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto  # noqa: F401

    import scheduler_service.cli.main
    import scheduler_service.cli.serving
    import scheduler_service.console.settings  # noqa: F401
