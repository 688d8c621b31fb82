"""A Report as text, JSON, HTML or a picture."""

from parity.report.result import STAGES, CaseResult, Curve, LayerError, PublishedNumber, Report

__all__ = ["STAGES", "CaseResult", "Curve", "LayerError", "PublishedNumber", "Report"]
