"""What programs may ask of the server, as OpenAPI 3.1: served at `/api`."""

from typing import Any

from colorizer.options import ColorizeOptions
from colorizer.page.downloads import FORMATS
from colorizer.page.lenders import LENT
from colorizer.page.studio import SETTINGS
from colorizer.version import __version__

__all__ = ["described"]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SENTENCE = {
    "description": "a sentence that says what is wrong; at 503 try again in a moment",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "string"}},
                "required": ["error"],
            }
        }
    },
}


def described(model: str) -> dict[str, Any]:
    """The description of `GET /api/about` and `POST /api/colorize`.

    Args:
        model: the name of the one that colors.
    """
    extensions = [extension.removeprefix(".") for extension in FORMATS]
    parameters = {
        "name": {"type": "string", "description": "of the file", "default": "photo"},
        "format": {
            "enum": extensions,
            "description": "of the answer; by default that of the file, or TIFF above 8 bits,"
            " else JPEG; a layer is PNG or TIFF",
        },
        "hints": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "colors that you name at places of the photo: see docs/hints.md",
        },
        "salvage": ColorizeOptions.schema("salvage"),
        **{name: ColorizeOptions.schema(name) for name in SETTINGS if name not in LENT},
    }
    colorize = {
        "summary": "Color a photo: the file that `colorizer colorize` would write",
        "operationId": "colorize",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": schema.pop("description"),
                "schema": schema,
            }
            for name, schema in parameters.items()
        ],
        "requestBody": {
            "required": True,
            "description": "the file itself",
            "content": {"application/octet-stream": _BINARY},
        },
        "responses": {
            "200": {
                "description": "the photo in color",
                "headers": {
                    "X-Colorizer-Notes": {
                        "description": "a JSON list of sentences on what the answer lacks",
                        "schema": {"type": "string", "contentMediaType": "application/json"},
                    }
                },
                "content": {"application/octet-stream": _BINARY},
            },
            "default": _SENTENCE,
        },
    }
    about = {
        "summary": "The model, and what it can do",
        "operationId": "about",
        "responses": {
            "200": {
                "description": "as JSON",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": _SENTENCE,
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colorizer",
            "version": __version__,
            "description": f"Colors grayscale photographs with {model}.",
        },
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {"/api/about": {"get": about}, "/api/colorize": {"post": colorize}},
    }
