"""One target under atheris, with libFuzzer's own options; a file in place of a folder is replayed once:

    python -m tests.fuzz.drive sse NEW tests/fuzz/corpus/sse -max_total_time=60

Only Gateline is instrumented, as it is imported: instrumenting all that is loaded took a minute of each target's time.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["gateline"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
