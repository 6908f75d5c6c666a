"""What members ask each other beside the election: no rule of it reads these. docs/aside.md."""

from kingd.core.wire.past import Events, Recall
from kingd.core.wire.trial import Echo, Trial

Aside = Trial | Echo | Recall | Events
