"""A Report as text, JSON, HTML or a picture."""

from parity.report.result import STAGES, CaseResult, Curve, PublishedNumber, Report

__all__ = ["STAGES", "CaseResult", "Curve", "PublishedNumber", "Report"]
