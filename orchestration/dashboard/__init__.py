"""The dashboard: pages on the published marts, and nothing else of the home."""
