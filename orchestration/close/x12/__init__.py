"""X12 005010X222A1 (837P): written from plain records, judged twice before it leaves."""
