"""What the payers answer: 999, 277CA and 835 files of `inbox/` become append-only postings in the lake."""
