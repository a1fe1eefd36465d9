from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

router = APIRouter()


class GraphError(Exception):
    pass


def answer(request: Request, problem: Exception) -> JSONResponse:
    return JSONResponse({})
