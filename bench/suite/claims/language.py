"""The language of claims: inequalities such as `AP[simdr] - AP[heatmap, post_process] > 0`.

A trend, such as `per_doubling(AP[simdr] - AP[heatmap], train_subset)`, is the slope of a sum by the base-2 logarithm of
a setting.

    claim       = sum (">" | ">=" | "<" | "<=") sum  |  "abs" "(" sum ")" ("<" | "<=") sum
    sum         = ["-"] product {("+" | "-") product}
    product     = factor {"*" factor}                    at most one factor holds measurements
    factor      = NUMBER | measurement | trend | "(" sum ")"
    trend       = "per_doubling" "(" sum "," NAME ")"    without another trend
    measurement = METRIC ["[" selector {"," selector} "]"]
    selector    = VALUE | NAME | "not" NAME | NAME "=" VALUE

What the names and values of selectors mean is none of its business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal, cast

Relation = Literal[">", ">=", "<", "<="]

RELATIONS = (">", ">=", "<", "<=")

TREND = "per_doubling"

DEEPEST = 20
"""Parentheses within one another."""

OUTSIDE = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]\w*(?:@[\d.]+)?)|(?P<sign>[<>]=?|[-+*()\[\],=])"
)
INSIDE = re.compile(r"(?P<word>[^\s,=\[\]]+)|(?P<sign>[,=\[\]])")
"""Tokens outside of brackets and inside, where values such as 64x64 and test-dev2017 are words."""


class LanguageError(ValueError):
    """Raised for a text that is no claim, with the column, from 1, of what is wrong."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


@dataclass(frozen=True)
class Selector:
    """One condition on what is measured.

    Attributes:
        word: name of a setting, or a value whose setting goes without saying.
        value: that the setting has; None where the word stands alone.
        negated: whether "not" stands before the word.
        column: of the text where it begins; no part of what it means.
    """

    word: str
    value: str | None = None
    negated: bool = False
    column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        if self.negated:
            return f"not {self.word}"
        return self.word if self.value is None else f"{self.word}={self.value}"


@dataclass(frozen=True)
class Trend:
    """The setting along which a slope is taken, and the column of its name."""

    setting: str
    column: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Term:
    """A metric of what the selectors select; with a trend, its slope per doubling of a setting."""

    metric: str
    selectors: tuple[Selector, ...] = ()
    trend: Trend | None = None
    column: int = field(default=1, compare=False)

    @property
    def measurement(self) -> str:
        """The term without its trend."""
        return f"{self.metric}[{', '.join(map(str, self.selectors))}]" if self.selectors else self.metric

    def __str__(self) -> str:
        return self.measurement if self.trend is None else f"{TREND}({self.measurement}, {self.trend.setting})"


@dataclass(frozen=True)
class Inequality:
    """A weighted sum of measurements and the bound that it is compared with.

    Attributes:
        terms: weight, never zero, and measurement; each measurement once, all of one metric.
        relation: of the sum to the bound.
        bound: in the units of records.
        absolute: whether it is about the size of the sum, whatever its sign.
    """

    terms: tuple[tuple[float, Term], ...]
    relation: Relation
    bound: float
    absolute: bool = False

    @property
    def metric(self) -> str:
        """That is compared."""
        return self.terms[0][1].metric

    def __str__(self) -> str:
        parts: list[str] = []
        for trend, run in groupby(self.terms, key=lambda item: item[1].trend):
            text = _sum_text(run)
            parts.append(text if trend is None else f"+ {TREND}({text.removeprefix('+ ')}, {trend.setting})")
        text = " ".join(parts).removeprefix("+ ")
        return f"{f'abs({text})' if self.absolute else text} {self.relation} {_printed(self.bound)}"


def _sum_text(terms: Iterable[tuple[float, Term]]) -> str:
    """Weighted measurements, each with its sign, whatever trend they share."""
    texts = []
    for weight, term in terms:
        factor = "" if abs(weight) == 1 else f"{_printed(abs(weight))} * "
        texts.append(f"{'-' if weight < 0 else '+'} {factor}{term.measurement}")
    return " ".join(texts)


def _printed(number: float) -> str:
    return repr(number).removesuffix(".0")


def parse(text: str) -> Inequality:
    """A claim, with all measurements moved to the left and all numbers to the right.

    Raises:
        LanguageError: the text is no claim.
    """
    return _Parser(text).claim()


@dataclass(frozen=True)
class _Token:
    kind: Literal["number", "word", "sign", "end"]
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def _tokens(text: str) -> Iterator[_Token]:
    position, pattern = 0, OUTSIDE
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = pattern.match(text, position)
        if match is None:
            raise LanguageError(position + 1, f"{text[position]!r} means nothing here")
        yield _Token(cast(Literal["number", "word", "sign"], match.lastgroup), match[0], position + 1)
        pattern = {"[": INSIDE, "]": OUTSIDE}.get(match[0], pattern)
        position = match.end()
    yield _Token("end", "", len(text) + 1)


@dataclass(frozen=True)
class _Sum:
    """Weighted measurements and a number."""

    terms: dict[Term, float]
    number: float = 0.0

    def plus(self, other: _Sum, factor: float) -> _Sum:
        terms = dict(self.terms)
        for term, weight in other.terms.items():
            terms[term] = terms.get(term, 0.0) + factor * weight
        return _Sum(terms, self.number + factor * other.number)


class _Parser:
    """Recursive descent, a method per rule."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0
        self._in_trend = False

    def claim(self) -> Inequality:
        absolute = [token.text for token in self._tokens[:2]] == ["abs", "("]
        if absolute:
            self._take()
        left = self._group() if absolute else self._sum()
        sign = self._take()
        relations = RELATIONS[2:] if absolute else RELATIONS
        if sign.text not in relations:
            raise LanguageError(sign.column, f"expected {' or '.join(relations)}, found {sign}")
        right = self._sum()
        end = self._take()
        if end.kind != "end":
            raise LanguageError(end.column, f"expected an operator or the end, found {end}")
        return self._inequality(left, right, cast(Relation, sign.text), sign.column, absolute)

    def _inequality(self, left: _Sum, right: _Sum, relation: Relation, column: int, absolute: bool) -> Inequality:
        if absolute and (right.terms or left.number):
            raise LanguageError(column, "abs(...) holds measurements alone, and is compared with a number alone")
        moved = left.plus(right, -1)
        terms = tuple((weight, term) for term, weight in moved.terms.items() if weight)
        bound = right.number - left.number
        if not terms:
            raise LanguageError(column, "no measurement is left to compare")
        if not all(map(math.isfinite, (bound, *(weight for weight, _ in terms)))):
            raise LanguageError(column, "the numbers are too large")
        if absolute and bound <= 0:
            raise LanguageError(column, f"abs(...) cannot be compared with {bound:g}, only with a positive number")
        for _, term in terms:
            if term.metric != terms[0][1].metric:
                message = f"a claim compares one metric, this one {terms[0][1].metric} and {term.metric}"
                raise LanguageError(term.column, message)
        return Inequality(terms, relation, bound, absolute)

    def _sum(self) -> _Sum:
        total, sign = _Sum({}), self._accept("-")
        while True:
            total = total.plus(self._product(), -1 if sign and sign.text == "-" else 1)
            sign = self._accept("+", "-")
            if sign is None:
                return total

    def _product(self) -> _Sum:
        product = self._factor()
        while sign := self._accept("*"):
            other = self._factor()
            if product.terms and other.terms:
                raise LanguageError(sign.column, "measurements are not multiplied with one another")
            number, rest = (other.number, product) if product.terms else (product.number, other)
            product = _Sum({}).plus(rest, number)
        return product

    def _factor(self) -> _Sum:
        if self._tokens[self._next].text == "(":
            return self._group()
        token = self._take()
        if token.kind == "number":
            return _Sum({}, float(token.text))
        if token.text == TREND and self._tokens[self._next].text == "(":
            return self._trend(token)
        if token.kind == "word":
            return _Sum({self._measurement(token): 1.0})
        raise LanguageError(token.column, f"expected a metric, a number or '(', found {token}")

    def _group(self) -> _Sum:
        opening = self._take()
        self._depth += 1
        if self._depth > DEEPEST:
            raise LanguageError(opening.column, f"more than {DEEPEST} parentheses within one another")
        inner = self._sum()
        self._expect(")")
        self._depth -= 1
        return inner

    def _trend(self, name: _Token) -> _Sum:
        """The slope of a sum, as a sum of slopes; that of a number is 0."""
        if self._in_trend:
            raise LanguageError(name.column, f"{TREND}(...) cannot be within another")
        self._expect("(")
        self._in_trend = True
        inner = self._sum()
        self._in_trend = False
        self._expect(",")
        setting = self._word()
        self._expect(")")
        trend = Trend(setting.text, setting.column)
        return _Sum({replace(term, trend=trend): weight for term, weight in inner.terms.items()})

    def _measurement(self, metric: _Token) -> Term:
        selectors: list[Selector] = []
        if self._accept("["):
            selectors.append(self._selector())
            while self._accept(","):
                selectors.append(self._selector())
            self._expect("]")
        return Term(metric.text, tuple(selectors), column=metric.column)

    def _selector(self) -> Selector:
        first = self._word()
        if first.text == "not" and self._tokens[self._next].kind == "word":
            return Selector(self._word().text, negated=True, column=first.column)
        value = self._word().text if self._accept("=") else None
        return Selector(first.text, value, column=first.column)

    def _word(self) -> _Token:
        token = self._take()
        if token.kind != "word":
            raise LanguageError(token.column, f"expected a value or the name of a setting, found {token}")
        return token

    def _expect(self, sign: str) -> None:
        token = self._take()
        if token.text != sign:
            raise LanguageError(token.column, f"expected {sign!r}, found {token}")

    def _accept(self, *texts: str) -> _Token | None:
        """The next token, taken if it is one of these."""
        return self._take() if self._tokens[self._next].text in texts else None

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token
