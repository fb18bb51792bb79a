"""What goes into the spool when nothing but the end of a run could not be stored."""

from hutch.recording.events.lots import Lot
from hutch.recording.spooling.spool_lines import lines_of


def test_a_stop_document_alone_is_a_line():
    stop = {"uid": "s", "run_start": "run", "time": 1.0}

    assert list(lines_of(Lot(stop=stop))) == [b'["stop",{"uid":"s","run_start":"run","time":1.0}]\n']
