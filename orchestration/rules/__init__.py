"""The dated rules as files: what a fee release of CMS adds to them, and the pages that tell of them."""
