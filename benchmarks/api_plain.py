"""What most people would write: FastAPI, a bearer token, one row by SQLAlchemy's ORM over aiosqlite. Run: api_plain.py PORT FILE SECRET"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PORT, FILE, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3]
engine = create_async_engine(f"sqlite+aiosqlite:///{FILE}")
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]


class PersonOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    email: str
    role: str
    created_at: datetime


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as one:
        yield one


async def person(db: Annotated[AsyncSession, Depends(session)],
                 given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> Person:
    claims = jwt.decode(given.credentials, SECRET, algorithms=["HS256"])
    found = (await db.execute(select(Person).where(Person.id == claims["sub"]))).scalar_one_or_none()
    if found is None:
        raise HTTPException(401)
    return found


@app.get("/me")
async def me(one: Annotated[Person, Depends(person)]) -> PersonOut:
    return PersonOut.model_validate(one)


@app.on_event("startup")
async def fill() -> None:
    async with engine.begin() as link:
        await link.run_sync(Base.metadata.create_all)
    async with sessions.begin() as one:
        one.add(Person(id="p1", email="mina@example.com", role="user", created_at=datetime(2026, 1, 1)))


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
