"""An independent second opinion on the published marts: slow, obvious, plain Python, no SQL, no code of the product."""

from .compare import differences
from .judge import Opinion, evaluate

__all__ = ["Opinion", "differences", "evaluate"]
