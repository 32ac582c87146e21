"""Which of the candidates answer a query, best first, and why.

A file is as good as its best chunk, plus what its other chunks add, plus what its name and its path
say; files that stand beside the thing itself (tests, examples, ports to other systems) come after
it unless the query names what they are; and the first places go to different files.
"""

from undercroft.codebase.ranking.models import Candidate, Ranked
from undercroft.codebase.ranking.query import Query, read
from undercroft.codebase.ranking.ranking import rank
from undercroft.codebase.ranking.signals import Observer, Seen, observe

__all__ = ["Candidate", "Observer", "Query", "Ranked", "Seen", "observe", "rank", "read"]
