"""The built-in pairs: which two things, which inputs, which stages; the only room that knows both packages."""

from parity.cases.case import Case, Published
from parity.cases.registry import CONCEPTS, UnknownConcept, cases_of, resolve
from parity.cases.runner import run

__all__ = ["CONCEPTS", "Case", "Published", "UnknownConcept", "cases_of", "resolve", "run"]
