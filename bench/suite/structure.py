"""Checks of parsed YAML against pydantic models: each of our files is refused in the same words, with lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from bench.pose.errors import nearest
from bench.suite.source import Path_, Problem, Source

Model = TypeVar("Model", bound=BaseModel)


class ContradictionError(ValueError):
    """Values that are valid one by one but not together, each with its place; raised by a model's own checks.

    Attributes:
        problems: places inside the model that raises, and what is wrong there.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


def unknown(kind: str, name: str, valid: Collection[str]) -> str:
    """Message about an unknown name, with the nearest valid one and all of them."""
    return f"unknown {kind} {name!r:.80}{nearest(name, valid)}; valid: {', '.join(valid)}"


def check_structure(source: Source, model: type[Model]) -> Model:
    """The document of a file as a checked model.

    Raises:
        SuiteError: one `file:line: what` per problem, with what is valid and the nearest valid name.
    """
    if not isinstance(source.data, Mapping):
        needed = [name for name, field in model.model_fields.items() if field.is_required()]
        raise source.error([Problem((), f"expected a mapping with {_listed(needed)}")])
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        raise source.error([problem for detail in error.errors() for problem in _problems(detail, model)]) from None


def plain_message(detail: Mapping[str, Any]) -> str:
    """A pydantic error in our words: the expected and the found value."""
    message = str(detail["msg"]).removeprefix("Value error, ").replace("a valid boolean", "true or false")
    return message if detail["type"] == "value_error" else f"{message}, found {detail['input']!r:.80}"


def _problems(detail: Any, model: type[BaseModel]) -> list[Problem]:
    if detail["type"] == "default_factory_not_called":
        return []  # follows from a problem of its own
    place: Path_ = tuple(detail["loc"])
    name = _last_name(place)
    if detail["type"] == "invalid_key" or place[-1:] == ("[key]",):
        *section, key = place if detail["type"] == "invalid_key" else place[:-1]
        return [Problem((*section, str(key)), f"the key {key!r:.80} is not a text")]
    if detail["type"] == "extra_forbidden":
        return [Problem(place, unknown("key", name, list(_section(model, place[:-1]).model_fields)))]
    if detail["type"] == "missing":
        return [Problem(place[:-1], f"the key {name!r} is missing")]
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, ContradictionError):
        return [Problem((*place, *problem.path), problem.message) for problem in error.problems]
    return [Problem(place, f"{name}: {plain_message(detail)}")]


def _last_name(place: Sequence[str | int]) -> str:
    """The innermost key on the way to a place; positions in lists say little to a reader."""
    return next((key for key in reversed(place) if isinstance(key, str)), "")


def _section(model: type[BaseModel], place: Path_) -> type[BaseModel]:
    """The model that describes the mapping at a place of the document; positions in lists lead nowhere deeper."""
    for key in place:
        if isinstance(key, str):
            model = next(_models(model.model_fields[key].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
