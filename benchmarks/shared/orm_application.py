"""A minimal application of FastAPI and SQLAlchemy's ORM with the same lists, as a peer of the API.

It has no checks, no authentication and no descriptions of schedules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import JSON, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables."""


class JobRow(Base):
    """A job of a few fields."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    schedule_expr: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobIn(BaseModel):
    """What a client sends."""

    name: str
    schedule_expr: str
    payload: dict[str, Any]


class JobOut(JobIn):
    """What it gets."""

    model_config = ConfigDict(from_attributes=True)

    id: int


class JobList(BaseModel):
    """A page."""

    jobs: list[JobOut]
    total: int


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """Yield a session of the application's engine."""
    async with AsyncSession(request.app.state.engine) as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


async def health() -> dict[str, str]:
    """Return that the process answers."""
    return {"status": "ok"}


async def list_jobs(session: Session, size: int = 10) -> JobList:
    """Return the first jobs and the number of all."""
    total = (await session.execute(select(func.count()).select_from(JobRow))).scalar_one()
    rows = (await session.execute(select(JobRow).order_by(JobRow.id).limit(size))).scalars()
    return JobList(jobs=[JobOut.model_validate(row) for row in rows], total=total)


async def create_job(session: Session, job: JobIn) -> JobOut:
    """Store a job."""
    row = JobRow(**job.model_dump())
    session.add(row)
    await session.flush()
    created = JobOut.model_validate(row)
    await session.commit()
    return created


def create_app(engine: AsyncEngine) -> FastAPI:
    """Build the application."""
    app = FastAPI()
    app.state.engine = engine
    app.get("/health")(health)
    app.get("/jobs")(list_jobs)
    app.post("/jobs", status_code=201)(create_job)
    return app


async def open_engine(path: str) -> AsyncEngine:
    """Return an engine of a new SQLite file with the table."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return engine
