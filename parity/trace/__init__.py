"""What one side tells another: named arrays and where they came from, in memory and in files that are not trusted."""

from parity.trace.models import RecordedLayer, RecordedMatch, RecordedWeights
from parity.trace.recording import Measured, Recorded, Recording
from parity.trace.spooled import Spooled
from parity.trace.tensorfile import TraceError
from parity.trace.trace import Trace

__all__ = [
    "Measured",
    "Recorded",
    "RecordedLayer",
    "RecordedMatch",
    "RecordedWeights",
    "Recording",
    "Spooled",
    "Trace",
    "TraceError",
]
