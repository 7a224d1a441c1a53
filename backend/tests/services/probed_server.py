"""haechi itself, with two more addresses: whom it takes the caller for, and a WebSocket that says back what it hears."""

from __future__ import annotations

from fastapi import APIRouter, Request, WebSocket

from haechi.app import serve
from haechi.platform.origin import client_address
from haechi.settings import load_settings

router = APIRouter(prefix="/probe")


@router.get("/headers")
async def headers(request: Request) -> dict[str, object]:
    return {"client": client_address(request), "headers": request.headers.items()}


@router.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        await socket.send_json({"heard": await socket.receive_text(), "client": client_address(socket)})


if __name__ == "__main__":
    serve(load_settings(), routers=[router])
