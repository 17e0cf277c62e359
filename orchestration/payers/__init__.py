"""What the payers answer: 999, TA1, 277CA, 835 and 271 files of `inbox/` become append-only postings in the lake."""
